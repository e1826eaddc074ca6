import { timestampDate } from "@bufbuild/protobuf/wkt";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Position } from "../../gen/ostiary/common/v1/position_pb.js";
import { RequiredActionKind, RequiredActionTiming } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { Consistency, SessionService, SessionView } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { services } from "../../src/app-services.ts";
import { createTokens } from "../../src/crypto/tokens.ts";
import { accessRuleOf } from "../../src/transport/rpc/access-rule.ts";
import { register, sessionTokenOf } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { administer } from "../support/postgres.ts";
import { untilHeard } from "../support/sessions.ts";

let app: TestApp;
let calm: TestApp;

beforeAll(async () => {
  app = await startTestApp({ config: { tenant_defaults: { session: { idle_timeout: "10m" } } } });
});
afterAll(() => app.stop());

/** Somebody whose session is kept by the server: no event of them is still on its way. */
async function signedIn(at = app) {
  const person = await register(at);
  const token = person.sessionToken;
  await untilHeard(at);
  await at.client(SessionService).checkSession({ token });
  return { ...person, token, identityId: person.session?.identityId ?? "" };
}

/** How many statements a call sends, and its answer. */
async function counted<Answer>(call: () => Promise<Answer>): Promise<[number, Answer]> {
  // Else nothing that is kept may be used.
  await untilHeard(app);
  app.statements.length = 0;
  const answer = await call();
  return [app.statements.length, answer];
}

/** A token that is well-formed, and of no session. */
const madeUp = () => createTokens().issue("session", "default").token.reveal();

describe.each(protocols)("over %s", (protocol: Protocol) => {
  const service = () => app.client(SessionService, { protocol });

  test("a check costs one round trip cold and strong, and none warm", async () => {
    const { sessionToken: token } = await register(app);
    const checks: readonly (() => Promise<unknown>)[] = [
      () => service().checkSession({ token }),
      () => service().checkSession({ token, view: SessionView.FULL }),
      () => service().checkSession({ token, consistency: Consistency.BOUNDED }),
      () => service().checkSession({ token, consistency: Consistency.STRONG }),
      () => app.client(SessionService, { protocol, bearer: token }).getCurrentSession({}),
      () =>
        app
          .client(SessionService, { protocol, bearer: token })
          .getCurrentSession({ consistency: Consistency.STRONG }),
    ];
    const costs: number[] = [];
    for (const check of checks) costs.push((await counted(check))[0]);
    expect(costs).toEqual([1, 0, 0, 1, 0, 1]);
  });

  test("a warm answer is the same as a cold one, but for how fresh it is", async () => {
    const { sessionToken: token } = await register(app);
    const [cold, first] = await counted(() => service().checkSession({ token, view: SessionView.FULL }));
    const [warm, second] = await counted(() => service().checkSession({ token, view: SessionView.FULL }));
    expect([cold, warm]).toEqual([1, 0]);
    expect({ ...second, position: first.position }).toEqual(first);
    expect(second.identity?.traits).toEqual(first.identity?.traits);
    expect(second.position?.epoch).toBe(first.position?.epoch);
    expect(second.position?.epoch).toBeGreaterThan(0n);
  });

  test("a token that is of no session is looked up once in a while", async () => {
    const token = madeUp();
    const check = () => refusal(service().checkSession({ token }));
    expect(await counted(check)).toMatchObject([1, { reason: "SESSION_TOKEN_UNKNOWN" }]);
    expect(await counted(check)).toMatchObject([0, { reason: "SESSION_TOKEN_UNKNOWN" }]);
  });

  test("an answer includes the position that is asked for, or is refused", async () => {
    const { token } = await signedIn();
    const check = (atLeast: Pick<Position, "epoch" | "sequence">) =>
      counted(() => service().checkSession({ token, atLeast }));
    const [, { position }] = await counted(() => service().checkSession({ token }));
    const { epoch, sequence } = position ?? { epoch: 0n, sequence: 0n };
    expect((await check({ epoch, sequence }))[0]).toBe(0);
    const strong = await service().checkSession({ token, consistency: Consistency.STRONG });
    expect(strong.position?.sequence).toBeGreaterThanOrEqual(sequence);
    const holder = app.client(SessionService, { protocol, bearer: token });
    for (const atLeast of [
      { epoch: epoch + 1n, sequence },
      { epoch, sequence: sequence + 1_000_000n },
      { epoch, sequence: 2n ** 63n - 1n },
    ]) {
      for (const call of [
        () => service().checkSession({ token, atLeast }),
        () => holder.getCurrentSession({ atLeast }),
      ]) {
        expect(await refusal(call())).toMatchObject({
          code: "FailedPrecondition",
          reason: "POSITION_NOT_INCLUDED",
          metadata: { epoch: String(epoch) },
        });
      }
    }
  });
});

test("an answer may be kept until the session ends, a demand is not met any more, or ten minutes are over", async () => {
  const { token } = await signedIn();
  const keptFor = async (...maxAges: readonly bigint[]) => {
    const demands = maxAges.map((seconds) => ({
      demand: {
        case: "freshness" as const,
        value: { within: { case: "maxAge" as const, value: { seconds } } },
      },
    }));
    await untilHeard(app);
    const { cacheUntilTime } = await app.client(SessionService).checkSession({ token, demands });
    return cacheUntilTime && timestampDate(cacheUntilTime).getTime();
  };
  // To the second.
  const inMs = (ms: number) => Math.floor((app.clock.now().getTime() + ms) / 1000) * 1000;
  expect(await keptFor()).toBe(inMs(600_000));
  expect(await keptFor(30n)).toBe(inMs(30_000));
  expect(await keptFor(3_600n)).toBe(inMs(600_000));
  app.clock.advance(9 * 60_000 + 30_000);
  // The use that is noted now is shown by the next check.
  expect(await keptFor()).toBe(inMs(30_000));
  expect(await keptFor()).toBe(inMs(600_000));
});

test("a session that is in use does not become idle, though nothing is read", async () => {
  const { token } = await signedIn();
  for (let minute = 0; minute < 25; minute += 5) {
    app.clock.advance(5 * 60_000);
    const [count, { session }] = await counted(() => app.client(SessionService).checkSession({ token }));
    // Each time shows the use before.
    expect([count, session?.lastUseTime && timestampDate(session.lastUseTime)]).toEqual([
      0,
      new Date(app.clock.now().getTime() - 5 * 60_000),
    ]);
  }
  app.clock.advance(10 * 60_000);
  const check = () => refusal(app.client(SessionService).checkSession({ token }));
  expect((await check()).reason).toBe("SESSION_EXPIRED");
});

test("a session that has reached its end is refused by the clock", async () => {
  const { token } = await signedIn();
  const holder = app.client(SessionService, { bearer: token });
  for (let hour = 0; hour < 23; hour++) {
    for (let step = 0; step < 7; step++) {
      app.clock.advance((60 * 60_000) / 7);
      await holder.getCurrentSession({});
    }
  }
  await holder.checkSession({ token });
  app.clock.advance(60 * 60_000);
  expect((await refusal(holder.checkSession({ token }))).reason).toBe("SESSION_EXPIRED");
  expect((await refusal(holder.getCurrentSession({}))).reason).toBe("SESSION_EXPIRED");
});

type Person = Awaited<ReturnType<typeof signedIn>>;

/** What ends a session in its own process. */
const endings: Readonly<Record<string, (person: Person) => Promise<unknown>>> = {
  "an operator ends it": ({ session }) =>
    calm.client(SessionAdminService).revokeSession({ sessionId: session?.id ?? "" }),
  "an operator ends all of the identity": ({ identityId }) =>
    calm.client(SessionAdminService).revokeIdentitySessions({ identityId }),
  "its holder signs out": ({ token }) => calm.client(SessionService, { bearer: token }).logout({}),
  "its holder ends it": ({ token, session }) =>
    calm.client(SessionService, { bearer: token }).revokeOwnSession({ sessionId: session?.id ?? "" }),
  "its holder ends all others": async ({ email }) =>
    calm.client(SessionService, { bearer: await sessionTokenOf(calm, email) }).revokeOtherSessions({}),
  "the identity is deactivated": ({ identityId }) =>
    calm.client(IdentityService).deactivateIdentity({ identityId }),
  "the identity is deleted": ({ identityId }) => calm.client(IdentityService).deleteIdentity({ identityId }),
  "an operator sets the password": ({ identityId }) =>
    calm.client(IdentityService).setPassword({
      identityId,
      password: { value: { case: "password", value: "another horse battery" } },
    }),
};

describe("no check passes, in the process itself, once it was answered that", () => {
  // Its feed tells of nothing meanwhile, and what is kept is used for long.
  beforeAll(async () => {
    calm = await startTestApp({ config: { tenant_defaults: { session: { max_staleness: "60s" } } } });
  });
  afterAll(() => calm.stop());

  test.each(Object.entries(endings))("%s (SR-CACHE-4)", async (_what, end) => {
    const person = await signedIn(calm);
    const { token } = person;
    const service = calm.client(SessionService);
    const holder = calm.client(SessionService, { bearer: token });
    calm.statements.length = 0;
    await service.checkSession({ token });
    expect(calm.statements).toEqual([]);
    const feed = await feedOf(calm);
    process.kill(feed, "SIGSTOP");
    try {
      await end(person);
      for (const call of [() => service.checkSession({ token }), () => holder.getCurrentSession({})]) {
        expect((await refusal(call())).code).toBe("Unauthenticated");
      }
    } finally {
      process.kill(feed, "SIGCONT");
    }
  });
});

/** The process of the database by which a server reads the event log. */
async function feedOf({ databaseUrl }: TestApp): Promise<number> {
  const [row] = await administer(databaseUrl, (query) =>
    query<{ pid: number }>(
      `SELECT pid FROM pg_stat_activity WHERE application_name = 'ostiary feed' AND datname = current_database()`,
    ),
  );
  if (row === undefined) throw new Error("nothing reads the event log");
  return row.pid;
}

/** The methods that only sessions may call. */
const methodsForSessions = services
  .flatMap(({ methods }) => methods)
  .filter((method) => accessRuleOf(method).kind === "session");

test("every method for sessions but the check reads the database (SR-CACHE-6)", async () => {
  const { token } = await signedIn();
  const costs = new Map<string, number>();
  for (const method of methodsForSessions) {
    const url = `${app.localUrl}/${method.parent.typeName}/${method.name}`;
    const headers = { "content-type": "application/json", authorization: `Bearer ${token}` };
    // It is refused once it is known who calls.
    const call = () => fetch(url, { method: "POST", headers, body: '{"unknown":1}' });
    const [count, { status }] = await counted(call);
    expect([method.name, status]).toEqual([method.name, 400]);
    costs.set(method.name, count);
  }
  expect(costs.size).toBeGreaterThan(5);
  expect([...costs].filter(([, count]) => count === 0)).toEqual([["GetCurrentSession", 0]]);
});

/** Asks an identity for a new password, or for nothing. */
function ask(identityId: string, ...kinds: readonly RequiredActionKind[]) {
  const timing = RequiredActionTiming.WHEN_CONVENIENT;
  return app.client(IdentityService).setRequiredActions({
    identityId,
    requiredActions: kinds.map((value) => ({ action: { case: "kind", value }, timing })),
  });
}

test("what is changed in the process itself is seen by the next check", async () => {
  const { token, identityId, email } = await signedIn();
  const admin = app.client(IdentityService);
  const look = async () => {
    const call = () => app.client(SessionService).checkSession({ token, view: SessionView.FULL });
    const [, { session, identity }] = await counted(call);
    const verified = identity?.addresses.map(({ verifyTime }) => verifyTime !== undefined);
    return { pending: session?.pendingActions, verified, name: identity?.traits?.name };
  };
  const { SET_PASSWORD } = RequiredActionKind;
  expect(await look()).toEqual({ pending: [], verified: [false], name: undefined });
  await admin.verifyAddress({ identityId, address: email });
  expect(await look()).toEqual({ pending: [], verified: [true], name: undefined });
  await ask(identityId, SET_PASSWORD);
  expect(await look()).toEqual({ pending: [SET_PASSWORD], verified: [true], name: undefined });
  const traitsChange = { case: "traitsPatch", value: { name: "Ada" } } as const;
  await admin.updateIdentity({ identityId, traitsChange });
  expect(await look()).toEqual({ pending: [SET_PASSWORD], verified: [true], name: "Ada" });
  await ask(identityId);
  expect(await look()).toEqual({ pending: [], verified: [true], name: "Ada" });
});

test("demands are met by what is so now", async () => {
  const { token, identityId } = await signedIn();
  const demands = [{ demand: { case: "noPendingActions" as const, value: {} } }];
  const check = () => app.client(SessionService).checkSession({ token, demands });
  await check();
  await ask(identityId, RequiredActionKind.SET_PASSWORD);
  expect((await refusal(check())).reason).toBe("SESSION_ACTIONS_PENDING");
  await ask(identityId);
  await check();
});

test("those who ask for the same session at the same time share a look-up", async () => {
  const { sessionToken: token } = await register(app);
  const service = app.client(SessionService);
  const [count] = await counted(() =>
    Promise.all(Array.from({ length: 20 }, () => service.checkSession({ token }))),
  );
  // Connections are made one by one, so that some calls come when the look-up of others is done.
  expect(count).toBe(1);
});

test("a flood of made-up tokens evicts nobody (SR-CACHE-5)", async () => {
  const small = await startTestApp({ config: { server: { session_cache: { max_entries: 2 } } } });
  try {
    const { sessionToken: token } = await register(small);
    await untilHeard(small);
    const service = small.client(SessionService);
    await service.checkSession({ token });
    for (let round = 0; round < 20; round++) {
      const calls = Array.from({ length: 25 }, () => refusal(service.checkSession({ token: madeUp() })));
      for (const { reason } of await Promise.all(calls)) expect(reason).toBe("SESSION_TOKEN_UNKNOWN");
    }
    await untilHeard(small);
    small.statements.length = 0;
    await service.checkSession({ token });
    expect(small.statements).toEqual([]);
  } finally {
    await small.stop();
  }
});

test("with no entries allowed each check is a look-up, and is as right", async () => {
  const off = await startTestApp({ config: { server: { session_cache: { max_entries: 0 } } } });
  try {
    const { sessionToken: token, session } = await register(off);
    await untilHeard(off);
    const service = off.client(SessionService);
    off.statements.length = 0;
    for (let count = 0; count < 3; count++) await service.checkSession({ token });
    expect(off.statements).toHaveLength(3);
    expect((await service.checkSession({ token })).cacheUntilTime).toBeDefined();
    await off.client(SessionAdminService).revokeSession({ sessionId: session?.id ?? "" });
    expect((await refusal(service.checkSession({ token }))).reason).toBe("SESSION_REVOKED");
  } finally {
    await off.stop();
  }
});

test("the token of a login passes at once, and leaves those of other devices", async () => {
  const { email, token } = await signedIn();
  const service = app.client(SessionService);
  for (let count = 0; count < 5; count++) {
    await service.checkSession({ token: await sessionTokenOf(app, email) });
    await service.checkSession({ token });
  }
});
