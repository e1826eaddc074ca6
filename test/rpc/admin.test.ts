import { randomUUID } from "node:crypto";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { ValueSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ApiKeyService,
  type CreateApiKeyRequestSchema,
} from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { IdentifierKind, IdentityState } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentitySchemaService } from "../../gen/ostiary/identity/v1/identity_schema_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AddressKind } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionState } from "../../gen/ostiary/session/v1/session_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import {
  freshEmail,
  goodPassword,
  hashAlgorithmOf,
  logIn,
  register,
  sessionTokenOf,
} from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { passwordIdOf } from "../support/credentials.ts";
import { refusal } from "../support/errors.ts";

let app: TestApp;
const nobody = "01890000-0000-7000-8000-000000000000";

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

describe.each(protocols)("identities over %s", (protocol) => {
  const identities = () => app.client(IdentityService, { protocol });
  const create = async (email = freshEmail()) => {
    const { identity } = await identities().createIdentity({
      traits: { email },
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    return { email, id: identity?.id ?? "", identity };
  };

  test("are created, read, looked up, listed, updated and deleted", async () => {
    const { id, email } = await create();
    const client = identities();
    const { identity: read } = await client.getIdentity({ identityId: id });
    expect(read?.identifiers).toMatchObject([{ value: email, kind: IdentifierKind.EMAIL, path: "email" }]);
    expect(read?.addresses).toMatchObject([
      {
        value: email,
        kind: AddressKind.EMAIL,
        path: "email",
        ...{ verifiable: true, recovers: true, primary: false, pending: false },
      },
    ]);
    const byEmail = await client.lookUpIdentity({
      by: { case: "identifier", value: ` ${email.toUpperCase()} ` },
    });
    expect(byEmail.identity?.id).toBe(id);
    const updated = await client.updateIdentity({
      identityId: id,
      etag: byEmail.identity?.etag ?? "",
      traitsChange: { case: "traits", value: { email, name: "Ada" } },
      externalId: `crm-${id}`,
      publicMetadataChange: { case: "publicMetadata", value: { plan: "gold" } },
    });
    expect(updated.identity?.displayName).toBe("Ada");
    const byExternal = await client.lookUpIdentity({ by: { case: "externalId", value: `crm-${id}` } });
    expect(byExternal.identity?.publicMetadata).toEqual({ plan: "gold" });
    const stale = client.updateIdentity({
      identityId: id,
      etag: byEmail.identity?.etag ?? "",
      traitsChange: { case: "traits", value: { email } },
    });
    expect(await refusal(stale)).toMatchObject({ code: "Aborted", reason: "ETAG_MISMATCH" });

    const found = await client.listIdentities({ identifierPrefix: email.slice(0, -4) });
    expect(found.identities.map((identity) => identity.id)).toEqual([id]);
    const byTrait = await client.listIdentities({
      traits: [{ path: "email", value: { kind: { case: "stringValue", value: email } } }],
    });
    expect(byTrait.identities.map((identity) => identity.id)).toEqual([id]);

    await client.deleteIdentity({ identityId: id });
    expect(await refusal(client.getIdentity({ identityId: id }))).toMatchObject({
      code: "NotFound",
      reason: "IDENTITY_NOT_FOUND",
    });
  });

  test("are listed page by page, and a page token serves no other list", async () => {
    await create();
    await create();
    await create();
    const client = identities();
    const seen: string[] = [];
    let pageToken = "";
    do {
      const page = await client.listIdentities({ pageSize: 2, pageToken });
      expect(page.identities.length).toBeLessThanOrEqual(2);
      seen.push(...page.identities.map((identity) => identity.id));
      pageToken = page.nextPageToken;
      if (pageToken === "" || seen.length > 2) continue;
      const changed = client.listIdentities({ pageSize: 2, pageToken, state: IdentityState.INACTIVE });
      expect(await refusal(changed)).toMatchObject({ code: "InvalidArgument", reason: "PAGE_TOKEN_INVALID" });
      const elsewhere = app.client(ApiKeyService, { protocol }).listApiKeys({ pageToken });
      expect(await refusal(elsewhere)).toMatchObject({ reason: "PAGE_TOKEN_INVALID" });
    } while (pageToken !== "");
    expect(new Set(seen).size).toBe(seen.length);
    expect(seen).toEqual([...seen].sort().reverse());
  });

  test("are refused with the field where an identifier or external id is taken, or traits are wrong", async () => {
    const { email, id } = await create();
    const client = identities();
    expect(await refusal(client.createIdentity({ traits: { email } }))).toMatchObject({
      code: "AlreadyExists",
      reason: "IDENTIFIER_TAKEN",
      metadata: { field: "traits.email" },
    });
    await client.updateIdentity({ identityId: id, externalId: `x-${id}` });
    expect(
      await refusal(client.createIdentity({ traits: { email: freshEmail() }, externalId: `x-${id}` })),
    ).toMatchObject({ code: "AlreadyExists", reason: "EXTERNAL_ID_TAKEN" });
    expect(await refusal(client.createIdentity({ traits: { email: "nope", extra: 1 } }))).toMatchObject({
      code: "InvalidArgument",
      reason: "TRAITS_INVALID",
      fields: expect.arrayContaining(["traits.email"]),
    });
    expect(
      await refusal(
        client.createIdentity({
          traits: { email: freshEmail() },
          credentials: { password: { value: { case: "password", value: "short" } } },
        }),
      ),
    ).toMatchObject({
      code: "InvalidArgument",
      reason: "PASSWORD_REJECTED",
      metadata: { rule: "too_short" },
      fields: ["credentials.password.password"],
    });
    expect(await refusal(client.createIdentity({ schemaId: "nope", traits: {} }))).toMatchObject({
      code: "NotFound",
      reason: "SCHEMA_NOT_FOUND",
    });
  });

  test("are created once for one request id, and another request with it is refused", async () => {
    const client = identities();
    const request = { requestId: randomUUID(), traits: { email: freshEmail() } };
    const answers = await Promise.all([1, 2, 3, 4].map(() => client.createIdentity(request)));
    expect(new Set(answers.map((answer) => answer.identity?.id)).size).toBe(1);
    const other = client.createIdentity({ ...request, traits: { email: freshEmail() } });
    expect(await refusal(other)).toMatchObject({ code: "FailedPrecondition", reason: "REQUEST_ID_REUSED" });
  });

  // Protobuf leaves the order of a map open: Go, for one, writes the same traits in another order each time.
  test("are created once for one request id, in whatever order the traits come", async () => {
    const client = identities();
    const [requestId, email] = [randomUUID(), freshEmail()];
    const publicMetadata = { plan: "gold", limits: { a: 1, b: [2] } };
    const first = await client.createIdentity({ requestId, traits: { email, name: "Ada" }, publicMetadata });
    const again = await client.createIdentity({
      requestId,
      traits: { name: "Ada", email },
      publicMetadata: { limits: { b: [2], a: 1 }, plan: "gold" },
    });
    expect(again.identity?.id).toBe(first.identity?.id);
  });

  test("are not created in a batch whose parts have request ids of their own", async () => {
    const parts = [
      { traits: { email: freshEmail() } },
      { requestId: "own", traits: { email: freshEmail() } },
    ];
    expect(await refusal(identities().batchCreateIdentities({ requests: parts }))).toMatchObject({
      code: "InvalidArgument",
      reason: "REQUEST_INVALID",
      fields: ["requests.1"],
    });
  });

  // A client of JSON cannot even send these.
  if (protocol !== "Connect JSON")
    test("are not listed by a trait with a value that is none", async () => {
      const values: MessageInitShape<typeof ValueSchema>[] = [
        { kind: { case: "numberValue", value: Number.NaN } },
        {
          kind: {
            case: "structValue",
            value: { fields: { a: { kind: { case: "numberValue", value: Number.POSITIVE_INFINITY } } } },
          },
        },
      ];
      for (const value of values) {
        expect(
          await refusal(identities().listIdentities({ traits: [{ path: "age", value }] })),
        ).toMatchObject({
          code: "InvalidArgument",
          reason: "REQUEST_INVALID",
          fields: ["traits.0.value"],
        });
      }
    });

  test("are created in a batch, each on its own", async () => {
    const email = freshEmail();
    const { results } = await identities().batchCreateIdentities({
      requests: [
        { traits: { email } },
        { traits: { email } },
        { traits: {} },
        {
          traits: { email: freshEmail() },
          credentials: { password: { value: { case: "password", value: goodPassword } } },
        },
      ],
    });
    expect(
      results.map(({ result }) => (result.case === "error" ? result.value.errorInfo?.reason : result.case)),
    ).toEqual(["identity", "IDENTIFIER_TAKEN", "TRAITS_INVALID", "identity"]);
  });

  test("that are deactivated lose their sessions at once, and cannot log in (ASVS V7.4.2)", async () => {
    const { email, sessionToken, identity } = await register(app);
    const client = identities();
    const identityId = identity?.id ?? "";
    const deactivated = await client.deactivateIdentity({ identityId });
    expect(deactivated.identity?.state).toBe(IdentityState.INACTIVE);
    const checker = app.client(SessionService, { protocol });
    expect(await refusal(checker.checkSession({ token: sessionToken }))).toMatchObject({
      reason: "SESSION_REVOKED",
    });
    const refused = await logIn(app, email);
    if (refused.case !== "rejected") throw new Error(`the login was ${refused.case}`);
    // Nothing tells that the account exists (ASVS V6.3.8).
    expect(refused.value.reason).toBe(RejectionReason.CREDENTIALS_INVALID);
    await client.activateIdentity({ identityId });
    expect((await logIn(app, email)).case).toBe("completed");
  });

  test("have their password checked, set, imported and deleted", async () => {
    const { email, sessionToken, identity } = await register(app);
    const client = identities();
    const identityId = identity?.id ?? "";
    const matches = async (password: string) =>
      (await client.checkPassword({ identityId, password })).matches;
    expect([await matches(goodPassword), await matches("wrong")]).toEqual([true, false]);
    await client.setPassword({
      identityId,
      password: { value: { case: "password", value: "another fine password" } },
    });
    const checker = app.client(SessionService, { protocol });
    const ended = checker.checkSession({ token: sessionToken });
    expect(await refusal(ended)).toMatchObject({ reason: "SESSION_REVOKED" });
    expect(await matches("another fine password")).toBe(true);

    // bcrypt of "imported secret", cost 4, made with the reference algorithm at run time elsewhere would do as well.
    const bcrypt = await import("bcrypt");
    const hash = await bcrypt.default.hash("imported secret", 4);
    const imported = await client.setPassword({
      identityId,
      password: { value: { case: "hash", value: hash } },
    });
    expect(hashAlgorithmOf(imported.credential)).toBe("bcrypt");
    expect((await logIn(app, email, "imported secret")).case).toBe("completed");
    const { credentials } = await client.listCredentials({ identityId });
    expect(credentials.map(hashAlgorithmOf)).toEqual(["argon2id"]);
    expect((await logIn(app, email, "imported secret")).case).toBe("completed");

    const unknown = client.setPassword({
      identityId,
      password: { value: { case: "hash", value: "$nope$x" } },
    });
    expect(await refusal(unknown)).toMatchObject({ reason: "PASSWORD_HASH_UNSUPPORTED" });
    const credentialId = await passwordIdOf(client, identityId);
    await client.deleteCredential({ identityId, credentialId });
    expect((await logIn(app, email, "imported secret")).case).toBe("rejected");
    const again = client.deleteCredential({ identityId, credentialId });
    expect(await refusal(again)).toMatchObject({
      code: "NotFound",
      reason: "CREDENTIAL_NOT_FOUND",
      metadata: { credentialId },
    });
  });

  test("that do not exist are NOT_FOUND for every method", async () => {
    const client = identities();
    const password = { value: { case: "password", value: goodPassword } } as const;
    const calls = [
      () => client.getIdentity({ identityId: nobody }),
      () =>
        client.updateIdentity({
          identityId: nobody,
          traitsChange: { case: "traits", value: { email: freshEmail() } },
        }),
      () => client.activateIdentity({ identityId: nobody }),
      () => client.deactivateIdentity({ identityId: nobody }),
      () => client.deleteIdentity({ identityId: nobody }),
      () => client.listCredentials({ identityId: nobody }),
      () => client.setPassword({ identityId: nobody, password }),
      () => client.checkPassword({ identityId: nobody, password: "x" }),
      () => client.lookUpIdentity({ by: { case: "identifier", value: "nobody@example.com" } }),
      () => app.client(SessionAdminService, { protocol }).revokeIdentitySessions({ identityId: nobody }),
    ];
    for (const call of calls) {
      expect(await refusal(call())).toMatchObject({ code: "NotFound", reason: "IDENTITY_NOT_FOUND" });
    }
  });
});

describe.each(protocols)("sessions of others over %s", (protocol) => {
  test("are listed, read, extended and revoked", async () => {
    const { email, identity } = await register(app);
    const token = await sessionTokenOf(app, email);
    const client = app.client(SessionAdminService, { protocol });
    const identityId = identity?.id ?? "";
    const { sessions } = await client.listSessions({ identityId, active: true });
    expect(sessions.length).toBe(2);
    const newest = sessions[0]?.id ?? "";
    expect((await client.getSession({ sessionId: newest })).session?.identityId).toBe(identityId);
    app.clock.advance(5000);
    expect((await client.extendSession({ sessionId: newest })).session?.id).toBe(newest);
    const revoked = await client.revokeSession({ sessionId: newest });
    expect(revoked).toMatchObject({ session: { id: newest, identityId, state: SessionState.REVOKED } });
    expect(await client.revokeSession({ sessionId: newest })).toEqual(revoked);
    expect((await client.getSession({ sessionId: newest })).session).toEqual(revoked.session);
    const checker = app.client(SessionService, { protocol });
    const ended = checker.checkSession({ token: token });
    expect(await refusal(ended)).toMatchObject({ reason: "SESSION_REVOKED" });
    expect((await client.listSessions({ identityId, active: false })).sessions.map((one) => one.id)).toEqual([
      newest,
    ]);
    expect((await client.revokeIdentitySessions({ identityId })).revokedCount).toBe(1);
    expect(await refusal(client.getSession({ sessionId: nobody }))).toMatchObject({
      reason: "SESSION_NOT_FOUND",
    });
  });
});

describe.each(protocols)("API keys over %s", (protocol) => {
  test("are made with scopes, listed without secrets, and end when revoked", async () => {
    const client = app.client(ApiKeyService, { protocol });
    const { apiKey, secret } = await client.createApiKey({ name: "reader", scopes: ["identity:read"] });
    expect(secret).toMatch(/^ost_key_default_[0-9A-Za-z]{49}$/);
    const reader = app.client(IdentityService, { protocol, bearer: secret });
    expect((await reader.listIdentities({ pageSize: 1 })).identities.length).toBe(1);
    expect(await refusal(reader.createIdentity({ traits: { email: freshEmail() } }))).toMatchObject({
      code: "PermissionDenied",
      reason: "API_KEY_SCOPE_MISSING",
      metadata: { scope: "identity:create" },
    });
    const { apiKeys } = await client.listApiKeys({});
    expect(
      JSON.stringify(apiKeys, (_key, value) => (typeof value === "bigint" ? Number(value) : value)),
    ).not.toContain(secret);
    await client.revokeApiKey({ apiKeyId: apiKey?.id ?? "" });
    expect(await refusal(reader.listIdentities({}))).toMatchObject({
      code: "Unauthenticated",
      reason: "API_KEY_REVOKED",
    });
  });

  test("cannot make keys of more scopes or a longer life than their own (SR-ACCESS-2)", async () => {
    const client = app.client(ApiKeyService, { protocol });
    const expireTime = { seconds: BigInt(Math.floor(app.clock.now().getTime() / 1000) + 3600) };
    const { secret } = await client.createApiKey({
      name: "maker",
      scopes: ["api_key:create", "identity:read"],
      expiration: { case: "expireTime", value: expireTime },
    });
    const maker = app.client(ApiKeyService, { protocol, bearer: secret });
    for (const scope of ["*", "identity:*", "identity:create", "api_key:*"]) {
      const refused = await refusal(maker.createApiKey({ name: "wider", scopes: ["identity:read", scope] }));
      expect(refused).toMatchObject({
        code: "PermissionDenied",
        reason: "API_KEY_SCOPE_EXCEEDED",
        metadata: { scope },
      });
    }
    for (const expiration of [
      { case: "expireTime", value: { seconds: expireTime.seconds + 1n } },
      { case: "lifetime", value: { seconds: 3601n } },
    ] as const) {
      expect(
        await refusal(maker.createApiKey({ name: "longer", scopes: ["identity:read"], expiration })),
      ).toMatchObject({ code: "PermissionDenied", reason: "API_KEY_EXPIRY_EXCEEDED" });
    }
    const child = await maker.createApiKey({ name: "narrower", scopes: ["identity:read"] });
    expect(child.apiKey?.expireTime?.seconds).toBe(expireTime.seconds);
    app.clock.advance(3_600_000);
    const reader = app.client(IdentityService, { protocol, bearer: child.secret });
    expect(await refusal(reader.listIdentities({}))).toMatchObject({ reason: "API_KEY_EXPIRED" });
  });

  test("Security rule (SR-ACCESS-3): cannot revoke a key that may do more than themselves", async () => {
    const client = app.client(ApiKeyService, { protocol });
    const wide = await client.createApiKey({ name: "wide", scopes: ["*"] });
    const narrow = await client.createApiKey({ name: "narrow", scopes: ["api_key:read", "api_key:revoke"] });
    const other = await client.createApiKey({ name: "other", scopes: ["api_key:read"] });
    const revoker = app.client(ApiKeyService, { protocol, bearer: narrow.secret });
    expect(await refusal(revoker.revokeApiKey({ apiKeyId: wide.apiKey?.id ?? "" }))).toMatchObject({
      code: "PermissionDenied",
      reason: "API_KEY_SCOPE_EXCEEDED",
      metadata: { scope: "*" },
    });
    await app.client(ApiKeyService, { protocol, bearer: wide.secret }).listApiKeys({});
    // The controls: one of fewer scopes, and itself.
    await revoker.revokeApiKey({ apiKeyId: other.apiKey?.id ?? "" });
    const { apiKey } = await revoker.revokeApiKey({ apiKeyId: narrow.apiKey?.id ?? "" });
    expect(apiKey?.revokeTime).toBeDefined();
  });

  test("name their maker, and are revoked with their descendants where that is asked for", async () => {
    const client = app.client(ApiKeyService, { protocol });
    const scopes = ["api_key:create", "identity:read"];
    const make = (bearer: string) =>
      app.client(ApiKeyService, { protocol, bearer }).createApiKey({ name: "made", scopes });
    const leaked = await make(app.apiKey);
    const child = await make(leaked.secret);
    const grandchild = await make(child.secret);
    const sibling = await make(app.apiKey);
    const apiKeyId = leaked.apiKey?.id ?? "";
    expect(child.apiKey?.maker).toEqual({ case: "makerApiKeyId", value: apiKeyId });
    const { apiKeys } = await client.listApiKeys({ pageSize: 500, includeEnded: true });
    expect(apiKeys.find(({ id }) => id === child.apiKey?.id)?.maker).toEqual(child.apiKey?.maker);
    expect(apiKeys.find(({ bootstrap }) => bootstrap)?.maker.case).toBeUndefined();

    const use = ({ secret }: { readonly secret: string }) =>
      app.client(IdentityService, { protocol, bearer: secret }).listIdentities({ pageSize: 1 });
    const alone = await client.revokeApiKey({ apiKeyId });
    expect(alone.revokedDescendants).toEqual([]);
    await use(child);
    // A key that was revoked before still has descendants.
    const { apiKey, revokedDescendants } = await client.revokeApiKey({ apiKeyId, includeDescendants: true });
    expect(apiKey).toEqual(alone.apiKey);
    expect(revokedDescendants.map(({ id }) => id)).toEqual([child.apiKey?.id, grandchild.apiKey?.id]);
    for (const key of [child, grandchild]) {
      expect(await refusal(use(key))).toMatchObject({ reason: "API_KEY_REVOKED" });
    }
    await use(sibling);
  });

  // A time that no Date or no Timestamp can hold must neither pass for "not beyond the maker's end" nor break lists.
  test.skipIf(protocol === "Connect JSON")("end at a time that the calendar has", async () => {
    const client = app.client(ApiKeyService, { protocol });
    for (const seconds of [253_402_300_800n, 10n ** 15n, -1n]) {
      const expiration = { case: "expireTime", value: { seconds } } as const;
      const refused = await refusal(client.createApiKey({ name: "late", scopes: ["*"], expiration }));
      expect(refused).toMatchObject({ reason: "REQUEST_INVALID", fields: ["expireTime"] });
    }
  });

  test("end in the future by the server's clock, at a time or after a lifetime", async () => {
    const client = app.client(ApiKeyService, { protocol });
    const make = (expiration: MessageInitShape<typeof CreateApiKeyRequestSchema>["expiration"]) =>
      client.createApiKey({ name: "short", scopes: ["identity:read"], expiration });
    const now = BigInt(Math.floor(app.clock.now().getTime() / 1000));
    const past = make({ case: "expireTime", value: { seconds: now } });
    expect(await refusal(past)).toMatchObject({ reason: "REQUEST_INVALID", fields: ["expireTime"] });
    for (const seconds of [-60n, 0n, 59n, 3_155_760_001n]) {
      const refused = await refusal(make({ case: "lifetime", value: { seconds } }));
      expect(refused).toMatchObject({ reason: "REQUEST_INVALID", fields: ["lifetime"] });
    }
    const { apiKey, secret } = await make({ case: "lifetime", value: { seconds: 60n } });
    expect(apiKey?.expireTime?.seconds).toBe(now + 60n);
    const reader = app.client(IdentityService, { protocol, bearer: secret });
    await reader.listIdentities({ pageSize: 1 });
    app.clock.advance(60_000);
    expect(await refusal(reader.listIdentities({}))).toMatchObject({ reason: "API_KEY_EXPIRED" });
    // Never, where its maker does not end either.
    expect((await make({ case: undefined })).apiKey?.expireTime).toBeUndefined();
  });

  test("are read by their id, also after they have ended", async () => {
    const client = app.client(ApiKeyService, { protocol });
    const made = await client.createApiKey({ name: "one", scopes: ["identity:read"] });
    const apiKeyId = made.apiKey?.id ?? "";
    expect((await client.getApiKey({ apiKeyId })).apiKey).toEqual(made.apiKey);
    const { apiKey } = await client.revokeApiKey({ apiKeyId });
    expect((await client.getApiKey({ apiKeyId })).apiKey).toEqual(apiKey);
    expect(await refusal(client.getApiKey({ apiKeyId: nobody }))).toMatchObject({
      code: "NotFound",
      reason: "API_KEY_NOT_FOUND",
    });
    expect(await refusal(client.getApiKey({ apiKeyId: "x" }))).toMatchObject({ fields: ["apiKeyId"] });
    const blind = await client.createApiKey({ name: "blind", scopes: ["api_key:create"] });
    const refused = await refusal(
      app.client(ApiKeyService, { protocol, bearer: blind.secret }).getApiKey({ apiKeyId }),
    );
    expect(refused).toMatchObject({ reason: "API_KEY_SCOPE_MISSING", metadata: { scope: "api_key:read" } });
  });

  test("can be made with the scopes that the public listener knows", async () => {
    const scopes = ["session:watch", "client:forward"];
    const { apiKey } = await app.client(ApiKeyService, { protocol }).createApiKey({ name: "app", scopes });
    expect(apiKey?.scopes).toEqual(scopes);
  });

  test("of the wrong form or kind are named as such", async () => {
    const { sessionToken } = await register(app);
    const reasonOf = async (bearer: string) =>
      (await refusal(app.client(IdentityService, { protocol, bearer }).listIdentities({}))).reason;
    expect(await reasonOf("nonsense")).toBe("API_KEY_MALFORMED");
    expect(await reasonOf(sessionToken)).toBe("API_KEY_KIND_MISMATCH");
  });
});

describe("schemas", () => {
  test.each(protocols)("are listed with their versions over %s", async (protocol) => {
    const client = app.client(IdentitySchemaService, { protocol });
    const { versions } = await client.listIdentitySchemaVersions({});
    expect(versions.map(({ schemaId, version, current }) => [schemaId, version, current])).toEqual([
      ["default", 1, true],
    ]);
    const { version } = await client.getIdentitySchemaVersion({ schemaId: "default" });
    expect(version).toMatchObject({ schemaId: "default", version: 1, document: { type: "object" } });
    expect(await refusal(client.getIdentitySchemaVersion({ schemaId: "default", version: 9 }))).toMatchObject(
      {
        code: "NotFound",
        reason: "SCHEMA_NOT_FOUND",
      },
    );
  });
});

// Security rule (SR-INPUT-4): an address in a URL stands in the log of every proxy on the way.
describe("a question about somebody", () => {
  const paths = {
    ListMessages: ["courier.v1.CourierService", { recipient: "ada@example.com" }],
    ExplainThrottle: ["access.v1.ThrottleService", { identifier: "ada@example.com", ipAddress: "192.0.2.1" }],
    ListInvitations: ["identity.v1.InvitationService", { address: "ada@example.com" }],
    ListIdentities: ["identity.v1.IdentityService", { identifierPrefix: "ada@" }],
    LookUpIdentity: ["identity.v1.IdentityService", { identifier: "ada@example.com" }],
  } as const;

  test.each(Object.entries(paths))("%s cannot be asked by GET", async (method, [service, request]) => {
    const query = new URLSearchParams({ connect: "v1", encoding: "json", message: JSON.stringify(request) });
    const headers = { authorization: `Bearer ${app.apiKey}` };
    const url = `${app.adminUrl}/ostiary.${service}/${method}`;
    const answer = await fetch(`${url}?${query}`, { headers });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "POST"]);
    const body = JSON.stringify(request);
    const json = { ...headers, "content-type": "application/json" };
    expect([200, 404]).toContain((await fetch(url, { method: "POST", headers: json, body })).status);
  });

  test("while a list that names nobody can", async () => {
    const answer = await fetch(
      `${app.adminUrl}/ostiary.access.v1.ApiKeyService/ListApiKeys?connect=v1&encoding=json&message=%7B%7D`,
      { headers: { authorization: `Bearer ${app.apiKey}` } },
    );
    expect(answer.status).toBe(200);
  });
});

describe("the public listener", () => {
  test("does not know the admin services", async () => {
    const response = await fetch(`${app.localUrl}/ostiary.identity.v1.IdentityService/ListIdentities`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${app.apiKey}` },
      body: "{}",
    });
    const body = (await response.json()) as { code: string };
    expect(body.code).toBe(Code[Code.Unimplemented].toLowerCase());
  });

  test("and the admin listener does not know the public ones", async () => {
    const response = await fetch(`${app.adminUrl}/ostiary.session.v1.SessionService/CheckSession`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: "x" }),
    });
    expect(((await response.json()) as { code: string }).code).toBe("unimplemented");
  });
});
