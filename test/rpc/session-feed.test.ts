import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { RemedySchema } from "../../gen/ostiary/error/v1/error_detail_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import {
  SessionChangeKind,
  SessionFeedService,
} from "../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { startDatabaseProxy } from "../support/database-proxy.ts";
import { refusal } from "../support/errors.ts";
import { administer } from "../support/postgres.ts";
import { ageOf, type Watch, watch, watchKey } from "../support/watch.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
  // As if old events had been removed.
  await administer(app.databaseUrl, (query) => query("UPDATE ostiary.event_epoch SET removed_through = '5'"));
});
afterAll(() => app.stop());

const reasonOf = (error: unknown) => ConnectError.from(error).findDetails(ErrorInfoSchema)[0]?.reason;
const revoke = (sessionId = "", of = app) => of.client(SessionAdminService).revokeSession({ sessionId });
const about =
  (sessionId = "") =>
  (change: { sessionId: string }) =>
    change.sessionId === sessionId;

describe.each(protocols)("over %s", (protocol) => {
  test("a watcher is told at once how the feed stands, and then of each change", async () => {
    const { session } = await register(app);
    const watching = await watch(app, { protocol });
    const [first] = watching.messages;
    expect(first?.event.case).toBe("heartbeat");
    expect(first?.position?.sequence).toBeGreaterThan(0n);
    expect(ageOf(first ?? expect.fail())).toBeLessThan(10_000);
    await revoke(session?.id);
    const change = await watching.untilChange(about(session?.id));
    expect(change).toMatchObject({
      kind: SessionChangeKind.REVOKED,
      sessionId: session?.id,
      identityId: session?.identityId,
    });
    // The position includes the change once no older transaction is open.
    const { position } = await watching.until(
      (message) => (message.position?.sequence ?? 0n) >= change.sequence,
    );
    expect(position?.epoch).toBe(first?.position?.epoch);
    await watching.stop();
  });

  // Security rule (SR-SESSION-5): what a method demands of its caller is looked at before its request is read.
  test("nobody watches without a key of the scope", async () => {
    const { secret } = await app
      .client(ApiKeyService)
      .createApiKey({ name: "other", scopes: ["session:read"] });
    const watching = (bearer?: string) =>
      refusal(
        app
          .client(SessionFeedService, { protocol, ...(bearer !== undefined && { bearer }) })
          .watchSessions({})
          [Symbol.asyncIterator]()
          .next(),
      );
    expect((await watching()).reason).toBe("API_KEY_MISSING");
    expect(await watching(secret)).toMatchObject({
      reason: "API_KEY_SCOPE_MISSING",
      metadata: { scope: "session:watch" },
    });
    const { sessionToken } = await register(app);
    expect((await watching(sessionToken)).reason).toBe("API_KEY_KIND_MISMATCH");
  });

  test("a watcher goes on after the position that it had", async () => {
    const [one, two] = [await register(app), await register(app)];
    const before = await watch(app, { protocol });
    await before.stop();
    await revoke(one.session?.id);
    const watching = await watch(app, { protocol, after: before.position });
    await watching.untilChange(about(one.session?.id));
    await revoke(two.session?.id);
    await watching.untilChange(about(two.session?.id));
    expect(watching.messages.map(({ event }) => event.case)).not.toContain("reset");
    await watching.stop();
  });

  test.each<[string, (of: Watch) => object]>([
    ["of another epoch", ({ position }) => ({ ...position, epoch: position.epoch + 1n })],
    ["that nothing is known of any more", ({ position }) => ({ ...position, sequence: 1n })],
    ["that was made up", ({ position }) => ({ ...position, sequence: 2n ** 62n })],
  ])("a watcher with a position %s begins anew", async (_name, forge) => {
    const { session } = await register(app);
    const watching = await watch(app, { protocol });
    const forged = await watch(app, { protocol, after: forge(watching) });
    const { position } = await forged.until(({ event }) => event.case === "reset");
    expect(position?.epoch).toBe(watching.position.epoch);
    await revoke(session?.id);
    await forged.untilChange(about(session?.id));
    await Promise.all([watching.stop(), forged.stop()]);
  });

  // Security rule (SR-ACCESS-6): a stream does not outlive what opened it.
  test("all streams of a key end when it is revoked, those of others go on", async () => {
    const key = await watchKey(app);
    const streams = await Promise.all([1, 2].map(() => watch(app, { protocol, key: key.secret })));
    const other = await watch(app, { protocol });
    await app.client(ApiKeyService).revokeApiKey({ apiKeyId: key.id });
    for (const { ended } of streams) expect(reasonOf(await ended)).toBe("API_KEY_REVOKED");
    const { session } = await register(app);
    await revoke(session?.id);
    await other.untilChange(about(session?.id));
    await other.stop();
  });

  test("streams end with their server, and go on at another one", async () => {
    const other = await startTestApp({ databaseUrl: app.databaseUrl, clock: app.clock });
    const key = (await watchKey(app)).secret;
    const watching = await watch(other, { protocol, key });
    const { session } = await register(app);
    await other.stop();
    const error = await watching.ended;
    expect([error.code, reasonOf(error)]).toEqual([Code.Unavailable, "SERVER_STOPPING"]);
    expect(error.findDetails(RemedySchema)[0]?.description).toContain("Begin the stream again");
    expect(error.findDetails(RetryInfoSchema)).toHaveLength(1);
    await revoke(session?.id);
    const next = await watch(app, { protocol, key, after: watching.position });
    await next.untilChange(about(session?.id));
    await next.stop();
  });

  test("a deadline of the caller ends the stream", async () => {
    const { secret: bearer } = await watchKey(app);
    const messages = app
      .client(SessionFeedService, { protocol, bearer })
      .watchSessions({}, { timeoutMs: 300 });
    const error = await (async () => {
      try {
        for await (const message of messages) expect(message.event.case).not.toBe("reset");
      } catch (thrown) {
        return thrown;
      }
      return undefined;
    })();
    expect(error).toMatchObject({ code: Code.DeadlineExceeded });
  });
});

test("each kind of change is told", async () => {
  const watching = await watch(app);
  const { session, sessionToken } = await register(app);
  const identityId = session?.identityId ?? "";
  const identities = app.client(IdentityService);
  const kinds = () =>
    watching.changes.filter((each) => each.identityId === identityId).map(({ kind }) => kind);
  const told = (kind: SessionChangeKind) =>
    vi.waitUntil(() => kinds().includes(kind), { timeout: 20_000, interval: 10 });
  app.clock.advance(60_000);
  await app.client(SessionService, { bearer: sessionToken }).extendCurrentSession({});
  await told(SessionChangeKind.EXTENDED);
  await identities.updateIdentity({ identityId, externalId: identityId });
  await told(SessionChangeKind.IDENTITY_CHANGED);
  await identities.setPassword({
    identityId,
    password: { value: { case: "password", value: "another horse battery" } },
  });
  await told(SessionChangeKind.FACTORS_CHANGED);
  await told(SessionChangeKind.REVOKED);
  await identities.deactivateIdentity({ identityId });
  await told(SessionChangeKind.IDENTITY_DISABLED);
  await identities.deleteIdentity({ identityId });
  await told(SessionChangeKind.IDENTITY_DELETED);
  await watching.stop();
});

test("a watcher with a filter is told of nothing else, and how the feed stands all the same", async () => {
  const [one, two] = [await register(app), await register(app)];
  const ofOne = await watch(app, { identityIds: [one.session?.identityId ?? ""] });
  const ofKind = await watch(app, { kinds: [SessionChangeKind.IDENTITY_DISABLED] });
  const begunAt = ofKind.position.sequence;
  await revoke(two.session?.id);
  await revoke(one.session?.id);
  await ofOne.untilChange(about(one.session?.id));
  expect(ofOne.changes.map(({ sessionId }) => sessionId)).toEqual([one.session?.id]);
  await app.client(IdentityService).deactivateIdentity({ identityId: one.session?.identityId ?? "" });
  await ofKind.untilChange(({ identityId }) => identityId === one.session?.identityId);
  expect(ofKind.changes.map(({ kind }) => kind)).toEqual([SessionChangeKind.IDENTITY_DISABLED]);
  await ofOne.until((message) => (message.position?.sequence ?? 0n) > begunAt);
  await Promise.all([ofOne.stop(), ofKind.stop()]);
});

test("changes of one server are told by another one", async () => {
  const other = await startTestApp({ databaseUrl: app.databaseUrl, clock: app.clock });
  try {
    const watching = await watch(other, { key: (await watchKey(app)).secret });
    const { session } = await register(app);
    await revoke(session?.id);
    await watching.untilChange(about(session?.id));
    await watching.stop();
  } finally {
    await other.stop();
  }
});

test("while the database is away streams stay open and say for how long, and nothing is missed", async () => {
  const proxy = await startDatabaseProxy(app.databaseUrl);
  const remote = await startTestApp({ databaseUrl: proxy.url, clock: app.clock });
  try {
    const key = (await watchKey(app)).secret;
    const watching = await watch(remote, { key });
    const { session } = await register(app);
    proxy.leadTo(undefined);
    proxy.cut();
    await watching.until((message) => (ageOf(message) ?? 0) > 2_000);
    await revoke(session?.id);
    const arriving = watch(remote, { key, after: watching.position }).catch((error: unknown) => error);
    proxy.leadTo(app.databaseUrl);
    proxy.cut();
    await watching.untilChange(about(session?.id));
    const count = watching.messages.length;
    await watching.until(
      (message) => watching.messages.indexOf(message) >= count && (ageOf(message) ?? 9_999) < 2_000,
    );
    // A stream that could not be let in meanwhile is refused with what says so.
    const arrived = await arriving;
    if (arrived instanceof Error) expect(reasonOf(arrived)).toBe("DATABASE_UNAVAILABLE");
    else await (arrived as Watch).stop();
    await watching.stop();
  } finally {
    await remote.stop();
    await proxy.close();
  }
});

test("uses that are reported keep a session from ending of idleness", async () => {
  const idle = await startTestApp({
    config: { tenant_defaults: { session: { idle_timeout: "30m" } } },
  });
  try {
    const { sessionToken, session } = await register(idle);
    const { secret: bearer } = await watchKey(idle);
    const feed = idle.client(SessionFeedService, { bearer });
    const isLive = () =>
      idle
        .client(SessionService)
        .checkSession({ token: sessionToken })
        .then(
          () => true,
          () => false,
        );
    idle.clock.advance(20 * 60_000);
    await feed.reportSessionUses({
      uses: [
        { sessionId: session?.id ?? "", age: durationFromMs(60_000) },
        { sessionId: crypto.randomUUID() },
      ],
    });
    await vi.waitUntil(() => idle.uses.length > 0, { timeout: 30_000, interval: 50 });
    idle.clock.advance(28 * 60_000);
    expect(await isLive()).toBe(true);
    await expect(idle.client(SessionFeedService).reportSessionUses({ uses: [{}] })).rejects.toMatchObject({
      code: Code.Unauthenticated,
    });
  } finally {
    await idle.stop();
  }
});
