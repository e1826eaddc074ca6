import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { ThrottleService } from "../../gen/ostiary/access/v1/throttle_service_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginPurpose, LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { retryAfterOf } from "../../sdk/typescript/src/errors.ts";
import { createTokens } from "../../src/crypto/tokens.ts";
import { freshEmail, goodPassword, register, sessionTokenOf } from "../support/accounts.ts";
import { protocols, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { attemptsWritten } from "../support/failed-attempts.ts";
import { administer } from "../support/postgres.ts";
import { freshAddress, guess, startThrottledApp } from "../support/throttled.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startThrottledApp();
});
afterAll(() => app.stop());

/** Uses up the ten tries that an unknown device has at once. */
async function useUp(identifier: string, password?: string): Promise<string[]> {
  const reasons: string[] = [];
  for (let count = 0; count < 10; count++) {
    const outcome = await guess(app, { identifier, from: freshAddress(), ...(password ? { password } : {}) });
    reasons.push(outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : String(outcome.case));
  }
  return reasons;
}

async function eventsOf(type: string): Promise<readonly { identity_id: string | null; data: object }[]> {
  return administer(app.databaseUrl, (query) =>
    query("SELECT identity_id, data FROM ostiary.event WHERE type = $1 ORDER BY position", [type]),
  );
}

/** Calls so many times, a hundred at once. */
async function inBatches(count: number, call: () => Promise<unknown>): Promise<void> {
  for (let first = 0; first < count; first += 100) {
    await Promise.all(Array.from({ length: Math.min(100, count - first) }, call));
  }
}

/** Keeps the table of sessions locked during the work; `waiting` says how many statements wait for it. */
async function withLockedSessions(
  { databaseUrl }: TestApp,
  work: (waiting: () => Promise<number>) => Promise<readonly Promise<unknown>[]>,
): Promise<void> {
  const begun = await administer(databaseUrl, async (query) => {
    await query("BEGIN");
    await query("LOCK TABLE ostiary.session IN ACCESS EXCLUSIVE MODE");
    const begun = await work(async () => {
      const [row] = await query<{ count: number }>(
        "SELECT count(*)::int AS count FROM pg_locks WHERE relation = 'ostiary.session'::regclass AND NOT granted",
      );
      return row?.count ?? 0;
    });
    await query("COMMIT");
    return begun;
  });
  await Promise.all(begun);
}

const tooMany = { code: "ResourceExhausted", reason: "RATE_LIMITED" };

describe.each(protocols)("over %s", (protocol) => {
  test("an account that is guessed is slowed down, with the time to wait", async () => {
    const { email } = await register(app);
    expect(new Set(await useUp(email))).toEqual(new Set(["CREDENTIALS_INVALID"]));
    // The right password as well: a refusal says nothing about it.
    const refused = guess(app, { identifier: email, password: goodPassword, protocol, from: freshAddress() });
    expect(await refusal(refused)).toMatchObject({
      ...tooMany,
      metadata: { scope: "account" },
      retryAfterSeconds: 60,
    });
    const error = await guess(app, { identifier: email, protocol, from: freshAddress() }).catch(
      ConnectError.from,
    );
    expect(retryAfterOf(error)).toBe(60_000);
  });

  test("creating flows is limited by address", async () => {
    const headers = { "x-forwarded-for": freshAddress() };
    const client = app.client(LoginService, { protocol, headers });
    const create = () => client.createLoginFlow({ client: ClientKind.NATIVE });
    await inBatches(300, create);
    expect(await refusal(create())).toMatchObject({ ...tooMany, metadata: { scope: "address" } });
    const elsewhere = app.client(LoginService, { protocol, headers: { "x-forwarded-for": freshAddress() } });
    expect((await elsewhere.createLoginFlow({ client: ClientKind.NATIVE })).flow?.id).toBeDefined();
  });
});

describe("guessing at an account", () => {
  // SR-ENUM-1 (ASVS V6.3.8).
  test("is answered and counted alike whether or not anybody has the identifier", async () => {
    const { email } = await register(app);
    const answers = await Promise.all(
      [email, freshEmail(), "nobody", "not@an@identifier"].map(async (identifier) => {
        const first = await useUp(identifier);
        const refused = await refusal(guess(app, { identifier, from: freshAddress() }));
        return { first, refused };
      }),
    );
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(answers[0]?.refused).toMatchObject(tooMany);
  });

  test("sends the same statements whether or not anybody has the identifier", async () => {
    const { email } = await register(app);
    const statementsOf = async (identifier: string) => {
      const from = freshAddress();
      await guess(app, { identifier, from });
      app.statements.length = 0;
      await guess(app, { identifier, from });
      return app.statements.filter((text) => text !== "SELECT 1");
    };
    const known = await statementsOf(email);
    expect(known).toHaveLength(2);
    expect(await statementsOf(freshEmail())).toEqual(known);
  });

  // SR-LIMIT-1 (ASVS V6.3.1, NIST SP 800-63B-4, section 3.2.2).
  test("gives one try a minute, and a hundred a day", async () => {
    const { email } = await register(app);
    await useUp(email);
    let tries = 10;
    for (let minute = 0; minute < 24 * 60; minute++) {
      app.clock.advance(60_000);
      const outcome = await guess(app, { identifier: email, from: freshAddress() }).catch(() => undefined);
      if (outcome !== undefined) tries++;
      if (tries >= 110) break;
    }
    // 100 at once over the day, and what is given back meanwhile: one in 14.4 minutes.
    app.clock.advance(60_000);
    const { retryAfterSeconds = 0 } = await refusal(guess(app, { identifier: email, from: freshAddress() }));
    expect(retryAfterSeconds).toBeGreaterThan(60);
    expect(retryAfterSeconds).toBeLessThanOrEqual(864);
  });

  test("is set back by a success, and by nothing else", async () => {
    const { email } = await register(app);
    for (let count = 0; count < 9; count++) await guess(app, { identifier: email, from: freshAddress() });
    const success = await guess(app, { identifier: email, password: goodPassword, from: freshAddress() });
    expect(success.case).toBe("completed");
    expect(await useUp(email)).toHaveLength(10);
    // Somebody's own success says nothing about another account.
    await guess(app, {
      identifier: (await register(app)).email,
      password: goodPassword,
      from: freshAddress(),
    });
    expect(await refusal(guess(app, { identifier: email, from: freshAddress() }))).toMatchObject(tooMany);
  });

  test("is recorded once an account and minute, and an unknown identifier is not named", async () => {
    const { email, identity } = await register(app);
    await attemptsWritten(app, identity?.id, { afterMinute: true });
    const before = (await eventsOf("login.throttled")).length;
    await useUp(email);
    const tryAgain = () => refusal(guess(app, { identifier: email, from: freshAddress() }));
    for (let count = 0; count < 5; count++) await tryAgain();
    await attemptsWritten(app, identity?.id);
    const first = (await eventsOf("login.throttled")).slice(before);
    expect(first).toEqual([{ identity_id: identity?.id, data: { scope: "account" } }]);
    app.clock.advance(60_000);
    await guess(app, { identifier: email, from: freshAddress() });
    await tryAgain();
    await attemptsWritten(app, identity?.id);
    expect(await eventsOf("login.throttled")).toHaveLength(before + 2);
    const unknown = freshEmail();
    await useUp(unknown);
    await refusal(guess(app, { identifier: unknown, from: freshAddress() }));
    await attemptsWritten(app, identity?.id, { afterMinute: true });
    expect((await eventsOf("login.throttled")).at(-1)).toEqual({
      identity_id: null,
      data: { scope: "account", attempts: 1, until: expect.any(String) },
    });
  });

  // CVE-2026-9798: a path to the same secret that nobody counted.
  test("through the admin API is counted in the same counters", async () => {
    const { email, identity } = await register(app);
    const check = (password: string) =>
      app.client(IdentityService).checkPassword({ identityId: identity?.id ?? "", password });
    for (let count = 0; count < 5; count++) await check("wrong");
    for (let count = 0; count < 5; count++) await guess(app, { identifier: email, from: freshAddress() });
    expect(await refusal(check(goodPassword))).toMatchObject({ ...tooMany, metadata: { scope: "account" } });
    expect(await refusal(guess(app, { identifier: email, from: freshAddress() }))).toMatchObject(tooMany);
    app.clock.advance(60_000);
    expect((await check(goodPassword)).matches).toBe(true);
    expect((await check("wrong")).matches).toBe(false);
    expect((await check("wrong")).matches).toBe(false);
  });
});

describe("guessing from an address", () => {
  const spray = async (from: () => string, count: number) => {
    const results: string[] = [];
    for (let index = 0; index < count; index++) {
      const outcome = await guess(app, { identifier: freshEmail(), from: from() }).catch(ConnectError.from);
      results.push(outcome instanceof ConnectError ? Code[outcome.code] : String(outcome.case));
    }
    return results;
  };

  // CVE-2026-45364: with each address of a /64 counted by itself, a customer had 2^64 times the tries.
  test("is one with guessing from all of its IPv6 /64", async () => {
    let host = 0;
    const within = () => `2001:db8:0:1::${(++host).toString(16)}`;
    expect(new Set(await spray(within, 100))).toEqual(new Set(["rejected"]));
    expect(await spray(within, 3)).toEqual(Array(3).fill("ResourceExhausted"));
    expect(await spray(() => "2001:db8:0:2::1", 1)).toEqual(["rejected"]);
  });

  // SR-LIMIT-3: calls that are refused by client IP do not use up accounts as well.
  test("does not use up accounts once the address is refused", async () => {
    const { email } = await register(app);
    const from = freshAddress();
    await spray(() => from, 30);
    for (let flow = 0; flow < 3; flow++) await spray(() => from, 30);
    for (let count = 0; count < 20; count++) {
      await refusal(guess(app, { identifier: email, from }));
    }
    const { counters } = await app.client(ThrottleService).explainThrottle({ identifier: email });
    expect(counters).toEqual([]);
  });

  test("does not count those who sign in", async () => {
    const { email } = await register(app);
    const from = freshAddress();
    for (let count = 0; count < 110; count++) {
      app.clock.advance(1);
      const outcome = await guess(app, { identifier: email, password: goodPassword, from });
      expect(outcome.case).toBe("completed");
    }
  });
});

// SR-LIMIT-9 (ASVS V2.4.1).
test("registrations are limited by address, also those that find the identifier taken", async () => {
  const silent = await startThrottledApp({}, { flows: { verification: { after_registration: false } } });
  try {
    const { email } = await register(silent);
    const attempt = registering(silent, () => email);
    // At once no more than an address may have passwords waiting.
    for (let round = 0; round < 5; round++) await Promise.all(Array.from({ length: 20 }, attempt));
    expect(await refusal(attempt())).toMatchObject({ ...tooMany, metadata: { scope: "address" } });
  } finally {
    await silent.stop();
  }
});

// SR-LIMIT-9: eighty-eight registrations were eighty-eight messages.
describe("the messages of registrations", () => {
  test("count among all that an address has sent", async () => {
    const attempt = registering(app, freshEmail);
    for (let count = 0; count < 60; count++) await attempt();
    expect(await refusal(attempt())).toMatchObject({ ...tooMany, metadata: { scope: "address" } });
  });

  test("to one mailbox are few, whatever stands behind its plus sign and wherever they come from", async () => {
    const [name, host] = freshEmail().split("@");
    for (let count = 0; count < 35; count++) {
      await registering(app, () => `${name}+${count}@${host}`)();
    }
    const sent = [];
    for (let count = 0; count < 35; count++) sent.push(...(await app.messages(`${name}+${count}@${host}`)));
    expect(sent.map(({ suppressed }) => suppressed).sort()).toEqual([
      ...Array(30).fill(false),
      ...Array(5).fill(true),
    ]);
    // The mailbox itself is not what they use up.
    await registering(app, () => `${name}@${host}`)();
    expect(await app.messages(`${name}@${host}`)).toMatchObject([{ suppressed: false }]);
  });
});

/** Registers from an address of its own. */
function registering(on: TestApp, email: () => string): () => Promise<unknown> {
  const headers = { "x-forwarded-for": freshAddress() };
  const client = on.client(RegistrationService, { headers });
  return async () => {
    const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
    return client.submitRegistrationFlow({
      flowId: flow?.id ?? "",
      traits: { email: email() },
      step: { case: "password", value: { password: goodPassword } },
    });
  };
}

describe("guessing tokens", () => {
  const unknownSession = () => createTokens().issue("session", "default").token.reveal();
  const guessFrom = (headers: Record<string, string>, bearer: string, on = few) =>
    on.client(SessionService, { bearer, headers }).getCurrentSession({});

  /** A server that allows a hundred where others allow a thousand: the rest of the rules does not depend on the number. */
  let few: TestApp;
  beforeAll(async () => {
    few = await startThrottledApp({ failed_authentication: { count: 100, period: "1m" } });
  });
  afterAll(() => few.stop());

  test("is limited by address, for sessions and for API keys apart", async () => {
    const headers = { "x-forwarded-for": freshAddress() };
    await inBatches(1000, () => guessFrom(headers, unknownSession(), app).catch(() => undefined));
    const refused = await refusal(guessFrom(headers, unknownSession(), app));
    expect(refused).toMatchObject({ ...tooMany, metadata: { scope: "address" } });
    // Nor the admin API from there.
    const admin = app.client(ThrottleService, { headers });
    expect((await admin.explainThrottle({ identifier: "x" })).loginAllowed).toBe(true);
  });

  // SR-LIMIT-7: offices, carriers and server-rendered apps share an address.
  test("leaves valid sessions of the same address alone, also those that were never shown before", async () => {
    const { email, sessionToken } = await register(few);
    const fresh = await sessionTokenOf(few, email);
    const headers = { "x-forwarded-for": freshAddress() };
    await inBatches(110, () => guessFrom(headers, unknownSession()).catch(() => undefined));
    // While guesses go on.
    const flood = Array.from({ length: 100 }, () => refusal(guessFrom(headers, unknownSession())));
    for (const token of [sessionToken, fresh]) {
      expect((await guessFrom(headers, token)).session).toBeDefined();
      const client = few.client(SessionService, { bearer: token, headers });
      expect((await client.listOwnSessions({})).sessions.length).toBeGreaterThan(0);
    }
    expect(new Set((await Promise.all(flood)).map(({ reason }) => reason))).toEqual(
      new Set(["RATE_LIMITED"]),
    );
    await few.client(SessionService, { bearer: fresh, headers }).logout({});
    expect(await refusal(guessFrom(headers, fresh))).toMatchObject({ reason: "SESSION_REVOKED" });
  });

  test("of API keys leaves valid ones of the same address alone", async () => {
    const headers = { "x-forwarded-for": freshAddress() };
    const unknown = () => createTokens().issue("api_key", "default").token.reveal();
    const explain = (bearer?: string) =>
      few
        .client(ThrottleService, { headers, ...(bearer === undefined ? {} : { bearer }) })
        .explainThrottle({ identifier: "x" });
    await inBatches(100, () => explain(unknown()).catch(() => undefined));
    expect(await refusal(explain(unknown()))).toMatchObject(tooMany);
    expect((await explain()).loginAllowed).toBe(true);
  });

  test("beyond the limit costs one query at a time", async () => {
    const headers = { "x-forwarded-for": freshAddress() };
    await inBatches(100, () => guessFrom(headers, unknownSession()).catch(() => undefined));
    await withLockedSessions(few, async (waiting) => {
      const flood = Array.from({ length: 50 }, () => refusal(guessFrom(headers, unknownSession())));
      await expect.poll(waiting).toBe(1);
      // From elsewhere they do not wait for each other.
      const elsewhere = { "x-forwarded-for": freshAddress() };
      const others = Array.from({ length: 2 }, () => refusal(guessFrom(elsewhere, unknownSession())));
      await expect.poll(waiting).toBe(3);
      return [...flood, ...others];
    });
  });

  test.each([
    ["malformed", () => "guess"],
    ["with a wrong checksum", () => `${unknownSession().slice(0, -6)}000000`],
    ["of another kind", () => createTokens().issue("api_key", "default").token.reveal()],
  ])("that are %s costs nothing, and counts for nobody", async (_what, token) => {
    const headers = { "x-forwarded-for": freshAddress() };
    few.statements.length = 0;
    await inBatches(110, () => guessFrom(headers, token()).catch(() => undefined));
    expect(few.statements.filter((text) => text !== "SELECT 1")).toEqual([]);
    expect((await refusal(guessFrom(headers, unknownSession()))).reason).toBe("SESSION_TOKEN_UNKNOWN");
  });

  test("of others, as a service checks them, is not limited: it costs nothing to ask", async () => {
    const headers = { "x-forwarded-for": freshAddress() };
    const client = few.client(SessionService, { headers });
    const check = () => client.checkSession({ token: "guess" });
    await Promise.all(Array.from({ length: 110 }, () => check().catch(() => undefined)));
    expect(await refusal(check())).toMatchObject({ reason: "SESSION_TOKEN_MALFORMED" });
  });
});

describe("an address that is flooded", () => {
  // SR-LIMIT-7: what others of the address do is counted apart from what somebody does in their session.
  test.each(["flow_create", "flow_submit"] as const)(
    "by %s serves those who show a session",
    async (limit) => {
      const flooded = await startThrottledApp({ [limit]: { count: 3, period: "1h" } });
      try {
        const { email, sessionToken } = await register(flooded);
        const headers = { "x-forwarded-for": "192.0.2.99" };
        const stranger = flooded.client(LoginService, { headers });
        const owner = flooded.client(LoginService, { headers, bearer: sessionToken });
        const settings = flooded.client(SettingsService, { headers, bearer: sessionToken });
        const submit = (client: typeof stranger) =>
          client.submitLoginFlow({
            flowId: "ost_flw_default_unknown",
            identifier: email,
            step: { case: "password", value: { password: "wrong" } },
          });
        const attempt = () =>
          limit === "flow_create"
            ? stranger.createLoginFlow({ client: ClientKind.NATIVE })
            : submit(stranger);
        for (let count = 0; count < 3; count++) await attempt().catch(() => undefined);
        expect(await refusal(attempt())).toMatchObject({ ...tooMany, metadata: { scope: "address" } });
        if (limit === "flow_create") {
          await settings.createSettingsFlow({ client: ClientKind.NATIVE });
          await owner.createLoginFlow({ client: ClientKind.NATIVE, purpose: LoginPurpose.REFRESH });
        } else {
          expect((await refusal(submit(owner))).reason).toBe("FLOW_NOT_FOUND");
        }
        // As often as one session may, and no made-up one.
        const unknown = createTokens().issue("session", "default").token.reveal();
        const liar = flooded.client(LoginService, { headers, bearer: unknown });
        const lie =
          limit === "flow_create" ? liar.createLoginFlow({ client: ClientKind.NATIVE }) : submit(liar);
        expect(await refusal(lie)).toMatchObject({ ...tooMany, metadata: { scope: "address" } });
      } finally {
        await flooded.stop();
      }
    },
  );

  test("by calls in one session serves the other ones", async () => {
    const flooded = await startThrottledApp({ self_service: { count: 5, period: "1h" } });
    try {
      const { email, sessionToken } = await register(flooded);
      const other = await sessionTokenOf(flooded, email);
      const list = (bearer: string) => flooded.client(SessionService, { bearer }).listOwnSessions({});
      for (let count = 0; count < 5; count++) await list(sessionToken);
      expect(await refusal(list(sessionToken))).toMatchObject({ ...tooMany, metadata: { scope: "device" } });
      expect((await list(other)).sessions).toHaveLength(2);
    } finally {
      await flooded.stop();
    }
  });
});

describe("an operator", () => {
  test("sees what is blocked and until when, and lets somebody in again", async () => {
    const { email, identity } = await register(app);
    const from = freshAddress();
    for (let count = 0; count < 10; count++) await guess(app, { identifier: email, from });
    const client = app.client(ThrottleService);
    const explained = await client.explainThrottle({
      identifier: ` ${email.toUpperCase()} `,
      ipAddress: from,
    });
    expect(
      explained.counters.map(({ limit, scope, usedCount, exhausted }) => [
        limit,
        scope,
        usedCount,
        exhausted,
      ]),
    ).toEqual([
      ["address", "address", 10, false],
      ["account", "account", 10, true],
      ["account_daily", "account", 10, false],
      ["identity_daily", "account", 10, false],
    ]);
    const account = explained.counters[1];
    const now = BigInt(Math.floor(app.clock.now().getTime() / 1000));
    expect(account).toMatchObject({ maxCount: 10, period: { seconds: 600n } });
    expect((account?.availableTime?.seconds ?? 0n) - now).toBe(60n);
    expect((account?.resetTime?.seconds ?? 0n) - now).toBe(600n);
    expect(explained.loginAllowed).toBe(false);
    expect(explained.retryTime).toEqual(account?.availableTime);

    expect((await client.resetThrottle({ identifier: email })).resetCount).toBe(3);
    expect((await client.resetThrottle({ identifier: email })).resetCount).toBe(0);
    expect((await client.explainThrottle({ identifier: email })).loginAllowed).toBe(true);
    const outcome = await guess(app, { identifier: email, password: goodPassword, from: freshAddress() });
    expect(outcome.case).toBe("completed");
    expect((await eventsOf("throttle.reset")).at(-1)).toEqual({
      identity_id: identity?.id,
      data: { by: ["identifier"] },
    });
    expect((await client.resetThrottle({ ipAddress: from })).resetCount).toBe(1);
    expect((await eventsOf("throttle.reset")).at(-1)).toMatchObject({ data: { by: ["ip_address"] } });
  });

  test("sees and resets the counters of the devices that an account knows", async () => {
    const { email, deviceToken } = await register(app);
    for (let count = 0; count < 10; count++) {
      await guess(app, { identifier: email, deviceToken, from: freshAddress() });
    }
    const client = app.client(ThrottleService);
    const { counters, loginAllowed } = await client.explainThrottle({ identifier: email });
    expect(counters.map(({ limit, exhausted }) => [limit, exhausted])).toEqual([
      ["device", true],
      ["device_daily", false],
    ]);
    expect(loginAllowed).toBe(true);
    await client.resetThrottle({ identifier: email });
    const outcome = await guess(app, { identifier: email, password: goodPassword, deviceToken });
    expect(outcome.case).toBe("completed");
  });

  test("has to name somebody or an address, and needs the scope", async () => {
    const client = app.client(ThrottleService);
    expect(await refusal(client.explainThrottle({}))).toMatchObject({
      code: "InvalidArgument",
      reason: "REQUEST_INVALID",
      fields: ["identifier"],
    });
    expect(await refusal(client.resetThrottle({ ipAddress: "not an address" }))).toMatchObject({
      reason: "REQUEST_INVALID",
      fields: ["ipAddress"],
    });
    const { secret } = await app
      .client(ApiKeyService)
      .createApiKey({ name: "reader", scopes: ["throttle:read"] });
    const reader = app.client(ThrottleService, { bearer: secret });
    expect((await reader.explainThrottle({ identifier: "x" })).counters).toEqual([]);
    expect(await refusal(reader.resetThrottle({ identifier: "x" }))).toMatchObject({
      code: "PermissionDenied",
      reason: "API_KEY_SCOPE_MISSING",
      metadata: { scope: "throttle:update" },
    });
  });
});

test("the table of counters names nobody", async () => {
  const { email } = await register(app);
  await guess(app, { identifier: email, from: "203.0.113.77" });
  const dump = await administer(app.databaseUrl, (query) =>
    query<{ text: string }>(
      "SELECT c::text AS text, encode(key, 'escape') AS key FROM ostiary.throttle_counter c",
    ),
  );
  expect(dump.length).toBeGreaterThan(0);
  expect(JSON.stringify(dump)).not.toMatch(/example\.com|203\.0\.113/);
});

test("switched off, nothing is counted and no device is named", async () => {
  const off = await startThrottledApp({ enabled: false });
  try {
    const { email, deviceToken } = await register(off);
    expect(deviceToken).toBe("");
    for (let count = 0; count < 15; count++) {
      expect((await guess(off, { identifier: email })).case).toBe("rejected");
    }
    expect(off.statements.filter((text) => text.includes("stage_1"))).toEqual([]);
  } finally {
    await off.stop();
  }
});
