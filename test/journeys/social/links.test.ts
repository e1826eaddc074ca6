import { randomUUID } from "node:crypto";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MethodKind } from "../../../gen/ostiary/common/v1/method_kind_pb.js";
import { IdentityService } from "../../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail } from "../../support/accounts.ts";
import { protocols } from "../../support/app.ts";
import { refusal } from "../../support/errors.ts";
import { type SocialApp, somebody, startSocialApp, Visitor } from "../../support/social.ts";

/* Links between identities and accounts at providers, as operators make, list and remove them. */

let app: SocialApp;

beforeAll(async () => {
  app = await startSocialApp({ providers: { first: { name: "Acme" }, second: { name: "Bolt" } } });
});
afterAll(() => app.stop());

const admin = () => app.client(IdentityService);

async function identityWith(...oidcAccounts: object[]) {
  const email = freshEmail();
  const { identity } = await admin().createIdentity({ traits: { email }, credentials: { oidcAccounts } });
  return { id: identity?.id ?? "", email };
}

async function signedInBy(as: ReturnType<typeof somebody>) {
  const visitor = new Visitor(app);
  await visitor.by("first", as);
  return (await visitor.session())?.identityId;
}

describe.each(protocols)("an account at a provider over %s", (protocol) => {
  const client = () => app.client(IdentityService, { protocol });

  test("is imported with an identity, and signs it in", async () => {
    const ada = somebody();
    const linkedAt = new Date("2024-05-06T07:08:09Z");
    const { identity } = await client().createIdentity({
      traits: { email: freshEmail() },
      credentials: {
        oidcAccounts: [
          {
            ...{ provider: "first", subject: ada.subject, account: "ada@example.com" },
            createTime: timestampFromDate(linkedAt),
          },
        ],
      },
    });
    const { credentials } = await client().listCredentials({ identityId: identity?.id ?? "" });
    expect(credentials).toMatchObject([
      {
        kind: MethodKind.OIDC,
        label: "Acme: ada@example.com",
        createTime: timestampFromDate(linkedAt),
        details: {
          case: "oidc",
          value: {
            ...{ provider: "first", providerName: "Acme", issuer: app.providers.first.url },
            ...{ subject: ada.subject, account: "ada@example.com" },
          },
        },
      },
    ]);
    expect(await signedInBy(ada)).toBe(identity?.id);
  });

  test("is linked with an identity that is there, and unlinked", async () => {
    const ada = somebody();
    const { id: identityId } = await identityWith();
    const { credentials } = await client().importCredentials({
      identityId,
      oidcAccounts: [
        { provider: "first", subject: ada.subject },
        { provider: "second", subject: randomUUID() },
      ],
    });
    expect(credentials.map(({ label }) => label)).toEqual(["Acme", "Bolt"]);
    expect(await signedInBy(ada)).toBe(identityId);
    await client().deleteCredential({ identityId, credentialId: credentials[0]?.id ?? "" });
    expect(await signedInBy(ada)).not.toBe(identityId);
  });
});

describe("an import of accounts at providers", () => {
  test("is refused for one that is linked already, of this identity or another one", async () => {
    const subject = randomUUID();
    const account = { provider: "first", subject };
    const { id } = await identityWith(account);
    const { id: other } = await identityWith();
    const taken = { code: "AlreadyExists", reason: "CREDENTIAL_TAKEN" };
    for (const identityId of [id, other]) {
      expect(await refusal(admin().importCredentials({ identityId, oidcAccounts: [account] }))).toMatchObject(
        taken,
      );
    }
    expect(await refusal(identityWith(account))).toMatchObject(taken);
    const { results } = await admin().batchCreateIdentities({
      requests: [subject, randomUUID()].map((each) => ({
        traits: { email: freshEmail() },
        credentials: { oidcAccounts: [{ provider: "first", subject: each }] },
      })),
    });
    expect(results.map(({ result }) => result.case)).toEqual(["error", "identity"]);
    // The same subject is somebody else at another issuer.
    await identityWith({ provider: "second", subject });
  });

  test.each<[string, object, object]>([
    ["of no provider", { provider: "nobody" }, { field: "provider", reason: "VALUE" }],
    ["of another issuer", { issuer: "https://evil.example" }, { field: "issuer", reason: "FORMAT" }],
    ["without a subject", { subject: "" }, { field: "subject", reason: "TOO_SHORT" }],
    ["with a long subject", { subject: "x".repeat(256) }, { field: "subject", reason: "TOO_LONG" }],
    [
      "of the future",
      { createTime: timestampFromDate(new Date("2100-01-01T00:00:00Z")) },
      { field: "createTime", reason: "RANGE" },
    ],
  ])("%s is refused (SR-LINK-10)", async (_name, change, violation) => {
    const account = { provider: "first", subject: randomUUID(), ...change };
    const { field, ...rest } = violation as { field: string; reason: string };
    expect((await refusal(identityWith(account))).violations).toEqual([
      { field: `credentials.oidcAccounts.0.${field}`, ...rest },
    ]);
    const { id: identityId } = await identityWith();
    const call = admin().importCredentials({ identityId, oidcAccounts: [account] });
    expect((await refusal(call)).violations).toEqual([{ field: `oidcAccounts.0.${field}`, ...rest }]);
    const { credentials } = await admin().listCredentials({ identityId });
    expect(credentials).toEqual([]);
  });

  test("has each account once, and leaves an identity with at most 32", async () => {
    const account = () => ({ provider: "first", subject: randomUUID() });
    const one = account();
    expect((await refusal(identityWith(one, one))).violations).toEqual([
      { field: "credentials.oidcAccounts.1.subject", reason: "NOT_UNIQUE" },
    ]);
    const { id: identityId } = await identityWith(...Array.from({ length: 31 }, account));
    const call = admin().importCredentials({ identityId, oidcAccounts: [account(), account()] });
    expect(await refusal(call)).toMatchObject({
      ...{ reason: "CREDENTIALS_TOO_MANY", metadata: { kind: "oidc", limit: "32" } },
    });
  });
});
