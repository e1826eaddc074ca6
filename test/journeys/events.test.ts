import { fromJson, type JsonObject } from "@bufbuild/protobuf";
import { Client as Postgres } from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, logIn, register, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { deletePassword } from "../support/credentials.ts";
import { messageOf } from "../support/event-messages.ts";
import { attemptsWritten } from "../support/failed-attempts.ts";

interface Recorded {
  readonly type: string;
  readonly actor: string;
  readonly identity_id: string | null;
  readonly session_id: string | null;
  readonly request_id: string;
  readonly ip_address: string | null;
  readonly user_agent: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

let app: TestApp;
let database: Postgres;

beforeAll(async () => {
  app = await startTestApp({ config: { tenant_defaults: { session: { max_parallel: 2 } } } });
  database = new Postgres({ connectionString: app.databaseUrl });
  await database.connect();
});

afterAll(async () => {
  await database.end();
  await app.stop();
});

beforeEach(() => database.query("DELETE FROM ostiary.event"));

/**
 * The events since this was last asked, oldest first. Each says where it came from. Without those of the courier, which
 * come when a message was sent.
 */
async function recorded(): Promise<readonly Recorded[]> {
  const all = await database.query<{ type: string; data: JsonObject }>(
    "SELECT type, data FROM ostiary.event",
  );
  // Throws on what the message of its type does not have.
  for (const { type, data } of all.rows) fromJson(messageOf(type), data);
  const { rows } = await database.query<Recorded>(
    `SELECT type, actor ->> 'kind' AS actor, identity_id, session_id, request_id, ip_address, user_agent, data
     FROM ostiary.event WHERE type NOT LIKE 'message.%' ORDER BY position`,
  );
  await database.query("DELETE FROM ostiary.event");
  for (const event of rows) {
    expect(event.request_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(event.ip_address).toBe("127.0.0.1");
    expect(event.user_agent).toBeTruthy();
  }
  return rows;
}

/** As `recorded`, the types and who did it. */
async function told(): Promise<readonly string[]> {
  return (await recorded()).map((event) => `${event.type} by ${event.actor}`);
}

test("what somebody does with their account is recorded: each change once, with who and where", async () => {
  const { email, identity, session, sessionToken } = await register(app);
  const registration = await recorded();
  expect(registration.map((event) => event.type)).toEqual([
    "registration.succeeded",
    "identity.created",
    "credential.set",
    "session.created",
  ]);
  for (const event of registration) {
    expect([event.actor, event.identity_id]).toEqual(["identity", identity?.id]);
    expect(event.request_id).toBe(registration[0]?.request_id);
  }
  expect(registration[2]?.data).toEqual({ kind: "password", imported: false });
  expect(registration[3]?.session_id).toBe(session?.id);

  await logIn(app, email, "not the password");
  await logIn(app, freshEmail());
  await attemptsWritten(app, identity?.id, { afterMinute: true });
  const failures = await recorded();
  expect(failures.map((event) => [event.type, event.actor, event.identity_id])).toEqual([
    ["login.failed", "anonymous", identity?.id],
    ["login.failed", "anonymous", null],
  ]);

  await logIn(app, email);
  expect(await told()).toEqual(["login.succeeded by identity", "session.created by identity"]);
  app.clock.advance(1);
  const third = await sessionTokenOf(app, email);
  const withEviction = await recorded();
  // The parts of one statement write in no certain order.
  expect(withEviction.map((event) => event.type).sort()).toEqual([
    "login.succeeded",
    "session.created",
    "session.revoked",
  ]);
  expect(withEviction.find((event) => event.type === "session.revoked")).toMatchObject({
    identity_id: identity?.id,
    session_id: session?.id,
    data: { reason: "session_limit" },
  });

  const mine = app.client(SessionService, { bearer: third });
  app.clock.advance(60_000);
  await mine.extendCurrentSession({});
  await mine.revokeOtherSessions({});
  // Nothing is left to end, so nothing is told.
  await mine.revokeOtherSessions({});
  await mine.logout({});
  expect(await told()).toEqual([
    "session.extended by identity",
    "session.revoked by identity",
    "session.revoked by identity",
  ]);
  // Who is signed out already ends nothing.
  await app.client(SessionService, { bearer: sessionToken }).logout({});
  expect(await told()).toEqual([]);
});

test("what operators do is recorded: each change once, with the key that did it", async () => {
  const identities = app.client(IdentityService);
  const email = freshEmail();
  const { identity } = await identities.createIdentity({ traits: { email } });
  const identityId = identity?.id ?? "";
  expect(await told()).toEqual(["identity.created by api_key"]);

  const password = { value: { case: "password", value: goodPassword } } as const;
  await identities.setPassword({ identityId, password });
  await identities.checkPassword({ identityId, password: goodPassword });
  await sessionTokenOf(app, email);
  await identities.setPassword({ identityId, password, keepSessions: true });
  await identities.updateIdentity({
    identityId,
    traitsChange: { case: "traits", value: { email, name: "Ada" } },
  });
  // An update of nothing is none.
  await identities.updateIdentity({ identityId });
  expect(await told()).toEqual([
    "credential.set by api_key",
    "password.checked by api_key",
    "login.succeeded by identity",
    "session.created by identity",
    "credential.set by api_key",
    "identity.updated by api_key",
  ]);

  await deletePassword(identities, identityId);
  await identities.deactivateIdentity({ identityId });
  await identities.deactivateIdentity({ identityId });
  await identities.activateIdentity({ identityId });
  await identities.deleteIdentity({ identityId });
  expect(await told()).toEqual([
    "credential.deleted by api_key",
    "session.revoked by api_key",
    "identity.deactivated by api_key",
    "identity.activated by api_key",
    "identity.deleted by api_key",
  ]);

  const { session, identity: other } = await register(app);
  await recorded();
  const sessions = app.client(SessionAdminService);
  await sessions.revokeSession({ sessionId: session?.id ?? "" });
  await sessions.revokeSession({ sessionId: session?.id ?? "" });
  await sessions.revokeIdentitySessions({ identityId: other?.id ?? "" });
  const [revoked, ...more] = await recorded();
  expect(more).toEqual([]);
  expect(revoked).toMatchObject({ type: "session.revoked", identity_id: other?.id, session_id: session?.id });

  const keys = app.client(ApiKeyService);
  const { apiKey } = await keys.createApiKey({ name: "reader", scopes: ["identity:read"] });
  await keys.revokeApiKey({ apiKeyId: apiKey?.id ?? "" });
  await keys.revokeApiKey({ apiKeyId: apiKey?.id ?? "" });
  expect(await told()).toEqual(["api_key.created by api_key", "api_key.revoked by api_key"]);
});
