// What strangers tried with API keys: security/f14_api_keys, mail/tdsk and mail/tds1.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { CourierService } from "../../gen/ostiary/courier/v1/courier_service_pb.js";
import { IdentitySchemaService } from "../../gen/ostiary/identity/v1/identity_schema_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, register, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

let app: TestApp;

beforeAll(async () => {
  const page = "https://app.example.com/recover";
  app = await startTestApp({ config: { tenant_defaults: { flows: { recovery: { ui_url: page } } } } });
});

afterAll(() => app.stop());

const keysOf = (bearer: string = app.apiKey) => app.client(ApiKeyService, { bearer });
const make = (scopes: string[], bearer?: string, requestId = "") =>
  keysOf(bearer).createApiKey({ name: "trial", scopes, requestId });

describe("Security rule (SR-ACCESS-2): a key hands on no more than it has", () => {
  test.each([
    ["*"],
    ["identity:read"],
    ["api_key:*"],
    ["*:*"],
    ["api_key:create "],
    [" api_key:create"],
    ["API_KEY:CREATE"],
    ["__proto__:x"],
    ["constructor:name"],
    [""],
  ])("not even as %j", async (scope) => {
    const { secret } = await make(["api_key:create"]);
    for (const scopes of [[scope], ["api_key:create", scope]]) {
      const { code, reason } = await refusal(make(scopes, secret));
      expect([
        ["PermissionDenied", "API_KEY_SCOPE_EXCEEDED"],
        ["InvalidArgument", "REQUEST_INVALID"],
      ]).toContainEqual([code, reason]);
    }
    // The control: what it has.
    expect((await make(["api_key:create"], secret)).apiKey?.scopes).toEqual(["api_key:create"]);
  });

  test("and a wildcard of a service hands on itself", async () => {
    const { secret } = await make(["api_key:*"]);
    expect((await make(["api_key:*"], secret)).apiKey?.scopes).toEqual(["api_key:*"]);
  });
});

describe("Security rule (SR-ACCESS-3): a narrow key ends no wider one", () => {
  test("nor the bootstrap key", async () => {
    const { secret } = await make(["api_key:revoke", "api_key:read"]);
    const wide = await make(["*"]);
    const { apiKeys } = await keysOf(secret).listApiKeys({ pageSize: 500 });
    const bootstrap = apiKeys.find((key) => key.bootstrap);
    for (const key of [wide.apiKey, bootstrap]) {
      for (const includeDescendants of [false, true]) {
        const call = keysOf(secret).revokeApiKey({ apiKeyId: key?.id ?? "", includeDescendants });
        expect(await refusal(call)).toMatchObject({ reason: "API_KEY_SCOPE_EXCEEDED" });
      }
    }
    await keysOf(wide.secret).listApiKeys({});
    await keysOf().listApiKeys({});
  });
});

describe("a key that was revoked", () => {
  test("opens nothing, on no service, and deletes nobody", async () => {
    const scopes = ["identity:delete", "schema:read", "session:revoke", "identity:read", "api_key:*"];
    const { apiKey, secret } = await make(scopes);
    const { identity } = await app
      .client(IdentityService)
      .createIdentity({ traits: { email: freshEmail() }, requestId: randomUUID() });
    const identityId = identity?.id ?? "";
    await keysOf().revokeApiKey({ apiKeyId: apiKey?.id ?? "" });
    const calls = [
      () => app.client(IdentitySchemaService, { bearer: secret }).listIdentitySchemaVersions({}),
      () => app.client(IdentityService, { bearer: secret }).deleteIdentity({ identityId }),
      () => keysOf(secret).getApiKey({ apiKeyId: apiKey?.id ?? "" }),
      () => make(["identity:read"], secret),
    ];
    for (const call of calls) expect(await refusal(call())).toMatchObject({ reason: "API_KEY_REVOKED" });
    expect((await app.client(IdentityService).getIdentity({ identityId })).identity?.id).toBe(identityId);
  });

  test("leaves its descendants alive, unless they are to end with it", async () => {
    const parent = await make(["api_key:create", "identity:read"]);
    const child = await make(["identity:read"], parent.secret);
    const apiKeyId = parent.apiKey?.id ?? "";
    const read = () => app.client(IdentityService, { bearer: child.secret }).listIdentities({ pageSize: 1 });
    await keysOf().revokeApiKey({ apiKeyId });
    await read();
    await keysOf().revokeApiKey({ apiKeyId, includeDescendants: true });
    expect(await refusal(read())).toMatchObject({ reason: "API_KEY_REVOKED" });
  });
});

test("a key opens nothing from the moment at which it ends", async () => {
  const { secret } = await keysOf().createApiKey({
    name: "short",
    scopes: ["identity:read"],
    expiration: { case: "lifetime", value: { seconds: 60n } },
  });
  const read = () => app.client(IdentityService, { bearer: secret }).listIdentities({ pageSize: 1 });
  app.clock.advance(59_999);
  await read();
  app.clock.advance(1);
  expect(await refusal(read())).toMatchObject({ reason: "API_KEY_EXPIRED" });
});

describe("a request id", () => {
  // Security rule (SR-FLOW-11): the answer of a call belongs to who made it; another caller who says the same id makes something new.
  test("of another key gets nothing of what was made under it", async () => {
    const requestId = randomUUID();
    const first = await make(["identity:read"], app.apiKey, requestId);
    const other = await make(["api_key:create", "identity:read"]);
    const second = await make(["identity:read"], other.secret, requestId);
    expect(second.secret).not.toBe(first.secret);
    expect(["", undefined, first.apiKey?.id]).not.toContain(second.apiKey?.id);
    expect(second.apiKey?.maker).toEqual({ case: "makerApiKeyId", value: other.apiKey?.id });
  });

  test("of another method is another one", async () => {
    const requestId = randomUUID();
    await make(["identity:read"], app.apiKey, requestId);
    const made = await app
      .client(IdentityService)
      .createIdentity({ requestId, traits: { email: freshEmail() } });
    expect(made.identity?.id).toBeDefined();
  });

  test("brings no key back to life that was revoked meanwhile", async () => {
    const requestId = randomUUID();
    const first = await make(["identity:read"], app.apiKey, requestId);
    await keysOf().revokeApiKey({ apiKeyId: first.apiKey?.id ?? "" });
    const again = await make(["identity:read"], app.apiKey, requestId);
    expect(again.apiKey?.id).toBe(first.apiKey?.id);
    const read = app.client(IdentityService, { bearer: again.secret }).listIdentities({});
    expect(await refusal(read)).toMatchObject({ reason: "API_KEY_REVOKED" });
  });
});

describe("Security rule (SR-ACCESS-2): a key gets into no account by a scope that is not for that", () => {
  test.each(["identity:read", "identity:update", "session:*", "courier:*", "throttle:*"])(
    "%s makes no link into it and tries no password",
    async (scope) => {
      const { email } = await register(app);
      const found = await app
        .client(IdentityService)
        .lookUpIdentity({ by: { case: "identifier", value: email } });
      const identityId = found.identity?.id ?? "";
      const client = app.client(IdentityService, { bearer: (await make([scope])).secret });
      expect(await refusal(client.createRecoveryLink({ identityId }))).toMatchObject({
        code: "PermissionDenied",
        reason: "API_KEY_SCOPE_MISSING",
        metadata: { scope: "identity:recover" },
      });
      expect(await refusal(client.checkPassword({ identityId, password: goodPassword }))).toMatchObject({
        reason: "API_KEY_SCOPE_MISSING",
        metadata: { scope: "identity:check_password" },
      });
    },
  );

  test("and what it may read of messages holds no code and no link", async () => {
    await register(app);
    const { messages } = await app
      .client(CourierService, { bearer: (await make(["courier:read"])).secret })
      .listMessages({ pageSize: 5 });
    expect(messages.length).toBeGreaterThan(0);
    const sent = (await app.messages()).flatMap(({ code, url }) => [code, url]).filter((text) => text !== "");
    expect(sent).not.toEqual([]);
    for (const secret of sent) expect(JSON.stringify(messages, plain)).not.toContain(secret);
    const wrong = app.client(CourierService, { bearer: (await make(["message:read"])).secret });
    expect(await refusal(wrong.listMessages({}))).toMatchObject({ reason: "API_KEY_SCOPE_MISSING" });
  });
});

test("a session that has ended, and one of an account that was deactivated, are told from one that lives", async () => {
  const { email, sessionToken: alive } = await register(app);
  const dead = await sessionTokenOf(app, email);
  await app.client(SessionService, { bearer: dead }).logout({});
  const other = await register(app);
  const identityId = other.session?.identityId ?? "";
  await app.client(IdentityService).deactivateIdentity({ identityId });
  const ask = (bearer: string) => app.client(SessionService, { bearer }).getCurrentSession({});
  expect((await ask(alive)).session).toBeDefined();
  for (const token of [dead, other.sessionToken]) {
    expect(await refusal(ask(token))).toMatchObject({ code: "Unauthenticated" });
  }
});

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
