import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { ProviderAdminService } from "../../gen/ostiary/provider/v1/provider_admin_service_pb.js";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

let app: TestApp;

/** Discovery fails there, without leaving the machine. */
const unreachable = "https://127.0.0.1:9";

beforeAll(async () => {
  app = await startTestApp({
    config: {
      server: { outbound: { extra_ports: [9], allowed_private_hosts: ["127.0.0.1"] } },
      tenant_defaults: {
        oidc: {
          providers: [
            { id: "google", issuer: unreachable, client_id: "c", client_secret: "s" },
            { id: "github", client_id: "c", client_secret: "s" },
            {
              ...{ id: "work", preset: "keycloak", name: "Work" },
              ...{ domain: "127.0.0.1:9/realms/main", client_id: "c" },
            },
          ],
        },
      },
    },
  });
});

afterAll(() => app.stop());

const claims = {
  sub: "110169484474386276334",
  email: "ada@example.com",
  email_verified: true,
  name: "Ada Lovelace",
  groups: ["staff"],
  long: "x".repeat(5000),
};

describe.each(protocols)("ProviderAdminService over %s", (protocol) => {
  const client = () => app.client(ProviderAdminService, { protocol });

  test("lists the providers in their order, with the redirect URI of each", async () => {
    // The first look at a provider asks for its discovery, and the answer of that is here soon.
    const { providers } = await vi.waitFor(async () => {
      const answer = await client().listProviders({});
      expect(answer.providers.map(({ available }) => available)).toEqual([false, true, false]);
      return answer;
    }, 20_000);
    expect(providers.map(({ $typeName: _, available: __, ...provider }) => provider)).toEqual([
      {
        ...{ id: "google", name: "Google", preset: "google", issuer: unreachable },
        callbackUrl: `${app.publicUrl}/oidc/callback/google`,
      },
      {
        ...{ id: "github", name: "GitHub", preset: "github", issuer: "https://github.com" },
        callbackUrl: `${app.publicUrl}/oidc/callback/github`,
      },
      {
        ...{ id: "work", name: "Work", preset: "keycloak", issuer: `${unreachable}/realms/main` },
        callbackUrl: `${app.publicUrl}/oidc/callback/work`,
      },
    ]);
  });

  test("tries the mapping of a provider, and says what was left out", async () => {
    const { name: _, ...nameless } = claims;
    expect(await client().tryMapping({ providerId: "google", claims: nameless })).toMatchObject({
      traits: { email: "ada@example.com" },
      verifiedAddresses: ["ada@example.com"],
      publicMetadata: {},
      adminMetadata: {},
      account: "ada@example.com",
      problems: [],
      leftOut: [{ path: "traits.name", reason: "there is no `name`" }],
      ignoredClaims: [{ path: "long", reason: "it has more than 4096 characters" }],
    });
  });

  test("tries other expressions, and those alone", async () => {
    const expressions = {
      traits: { email: "claims.email.upperAscii()" },
      adminMetadata: { staff: "'staff' in claims.groups" },
    };
    expect(await client().tryMapping({ providerId: "google", claims, expressions })).toMatchObject({
      traits: { email: "ADA@EXAMPLE.COM" },
      verifiedAddresses: [],
      adminMetadata: { staff: true },
      account: "",
      problems: [],
      leftOut: [],
    });
  });

  test("says what is wrong with an expression, and where", async () => {
    const expressions = { traits: { a: "claim.email", n: 1 }, verifiedAddresses: "[claims.email]" };
    const answer = await client().tryMapping({ providerId: "work", claims, expressions });
    expect(answer).toMatchObject({
      verifiedAddresses: [],
      problems: [
        { path: "traits.a", message: "there is no `claim`; did you mean `claims`?", line: 1, column: 1 },
        { path: "traits.n", line: 0, column: 0 },
      ],
    });
    expect(answer.traits).toBeUndefined();
  });

  test("knows no other provider", async () => {
    expect(await refusal(client().tryMapping({ providerId: "nobody", claims }))).toEqual(
      expect.objectContaining({
        code: "NotFound",
        reason: "PROVIDER_NOT_FOUND",
        metadata: { providerId: "nobody" },
      }),
    );
  });

  test.each([
    ["no provider", { claims }, "providerId"],
    ["a long id", { providerId: "x".repeat(33), claims }, "providerId"],
    ["no claims", { providerId: "google" }, "claims"],
    [
      "a long expression",
      { providerId: "google", claims, expressions: { account: "x".repeat(1025) } },
      "expressions.account",
    ],
  ])("refuses %s", async (_, request, field) => {
    const refused = await refusal(client().tryMapping(request));
    expect(refused).toMatchObject({ code: "InvalidArgument", reason: "REQUEST_INVALID", fields: [field] });
  });

  test("is for keys with provider:read", async () => {
    const keyOf = async (scope: string) => {
      const { apiKey, secret } = await app
        .client(ApiKeyService)
        .createApiKey({ name: scope, scopes: [scope] });
      expect(apiKey).toBeDefined();
      return app.client(ProviderAdminService, { protocol, bearer: secret });
    };
    const allowed = await keyOf("provider:read");
    expect((await allowed.listProviders({})).providers).toHaveLength(3);
    expect(await allowed.tryMapping({ providerId: "google", claims })).toBeDefined();
    const other = await keyOf("identity:read");
    const missing = { code: "PermissionDenied", reason: "API_KEY_SCOPE_MISSING" };
    expect(await refusal(other.listProviders({}))).toMatchObject(missing);
    expect(await refusal(other.tryMapping({ providerId: "google", claims }))).toMatchObject(missing);
  });
});
