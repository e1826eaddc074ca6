// What somebody does who sends more passwords than can be hashed, or goes away: one place to hash in, which a slow hash holds.
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";

// An account that was imported with the most expensive hash that is taken: bcrypt of cost 15, seconds for each try.
const slowHash = "$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
const queueLimit = 8;
let app: TestApp;
let slow: string;
let known: string;

beforeAll(async () => {
  app = await startTestApp({
    config: {
      hashing: { concurrency: 1, queue_limit: queueLimit },
      server: { trusted_proxies: ["127.0.0.1"] },
    },
  });
  [slow, known] = [freshEmail(), freshEmail()];
  const operator = app.client(IdentityService, { bearer: app.apiKey });
  for (const [email, hash] of [
    [slow, slowHash],
    [known, "$2b$04$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"],
  ] as const) {
    await operator.createIdentity({
      traits: { email },
      credentials: { password: { value: { case: "hash", value: hash } } },
    });
  }
});
afterAll(() => app.stop());

const underWay: Promise<unknown>[] = [];
afterEach(async () => {
  await Promise.all(underWay.splice(0));
  await vi.waitUntil(async () => (await figures()).running === 0, 30_000);
});

/** The figures of a lane, as an operator sees them. */
async function figures(lane = "sign_in") {
  const page = await (await fetch(`${app.adminUrl}/metrics`)).text();
  const of = (name: string) =>
    Number(new RegExp(`^ostiary_hash_${name}\\{lane="${lane}"\\} (\\d+)`, "m").exec(page)?.[1]);
  return {
    running: of("running"),
    waiting: of("waiting"),
    refused: of("refused_total"),
    dropped: of("dropped_total"),
  };
}

interface Try {
  readonly email?: string;
  readonly from?: string;
  readonly protocol?: Protocol;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  readonly flowId?: string;
}

const clientFrom = (from: string, protocol: Protocol = "Connect JSON") =>
  app.client(LoginService, { protocol, headers: { "x-forwarded-for": from } });

async function begin(from: string): Promise<string> {
  return (await clientFrom(from).createLoginFlow({ client: ClientKind.NATIVE })).flow?.id ?? "";
}

/** Tries a password; gives the outcome, or the error. */
async function attempt({ email = freshEmail(), from = "192.0.2.1", protocol, flowId, ...options }: Try = {}) {
  const request = { flowId: flowId ?? (await begin(from)), identifier: email };
  const step = { case: "password", value: { password: "not the password" } } as const;
  const submit = clientFrom(from, protocol).submitLoginFlow({ ...request, step }, options);
  return submit.then(({ outcome }) => outcome.case ?? "", ConnectError.from);
}

/** Has the only place taken, for seconds. */
async function takePlace(): Promise<void> {
  underWay.push(attempt({ email: slow, from: "198.51.100.1" }));
  await vi.waitUntil(async () => (await figures()).running === 1, 30_000);
}

/** Sends tries that will wait, and waits until they do. */
async function fill(count: number, each: (index: number) => Try): Promise<void> {
  const before = (await figures()).waiting;
  for (let index = 0; index < count; index++) underWay.push(attempt(each(index)));
  await vi.waitUntil(async () => (await figures()).waiting === before + count, 30_000);
}

function reasonOf(result: unknown): string | undefined {
  return result instanceof ConnectError
    ? result.findDetails(ErrorInfoSchema).map(({ reason }) => reason)[0]
    : undefined;
}

describe("one address that sends more than its share", { timeout: 60_000 }, () => {
  test.each(protocols)(
    "is refused at once, with a time to wait, and others are not: %s",
    async (protocol) => {
      await takePlace();
      // As many as are left for others.
      await fill(queueLimit / 2, () => ({ from: "192.0.2.1" }));
      const refused = await attempt({ from: "192.0.2.1", protocol });
      // The place is still taken: nothing was waited for.
      expect((await figures()).waiting).toBe(queueLimit / 2);
      expect(reasonOf(refused)).toBe("SERVER_OVERLOADED");
      const error = ConnectError.from(refused);
      expect(error.code).toBe(Code.ResourceExhausted);
      const [retry] = error.findDetails(RetryInfoSchema);
      expect(Number(retry?.retryDelay?.seconds)).toBeGreaterThanOrEqual(1);
      // The control: another address gets in, and its password is compared.
      await fill(1, () => ({ from: "192.0.2.2", protocol }));
      expect(await Promise.all(underWay.slice(-1))).toEqual(["rejected"]);
    },
  );

  test("is one customer's /64 of IPv6, whatever its host part", async () => {
    await takePlace();
    await fill(queueLimit / 2, (index) => ({ from: `2001:db8:0:1::${index + 1}` }));
    expect(reasonOf(await attempt({ from: "2001:db8:0:1:ffff::9" }))).toBe("SERVER_OVERLOADED");
    await fill(1, () => ({ from: "2001:db8:0:2::1" }));
  });
});

// Security rule (SR-ENUM-3): the queue does not tell them apart.
describe.each([
  ["an account that exists", () => known],
  ["an account that does not", freshEmail],
])("of %s", { timeout: 60_000 }, (_name, account) => {
  test("a quarter of the free places is all that is tried at the same time, from wherever", async () => {
    await takePlace();
    const email = account();
    await fill(2, (index) => ({ email, from: `203.0.113.${index}` }));
    expect(reasonOf(await attempt({ email, from: "203.0.113.9" }))).toBe("SERVER_OVERLOADED");
    await fill(1, () => ({ from: "203.0.113.9" }));
  });

  // Security rule (SR-LIMIT-18)
  test("a try is dropped before it is hashed when its caller goes away, and the flow is as it was", async () => {
    await takePlace();
    const before = await figures();
    const controller = new AbortController();
    const [email, flowId] = [account(), await begin("192.0.2.1")];
    const gone = attempt({ email, flowId, signal: controller.signal });
    await vi.waitUntil(async () => (await figures()).waiting === 1, 30_000);
    controller.abort();
    expect(ConnectError.from(await gone).code).toBe(Code.Canceled);
    await vi.waitUntil(async () => (await figures()).waiting === 0, 30_000);
    expect(await figures()).toMatchObject({
      running: 1,
      dropped: before.dropped + 1,
      refused: before.refused,
    });
    expect(await attempt({ email, flowId })).toBe("rejected");
  });

  test.each(protocols)("a try is dropped when its deadline passes: %s", async (protocol) => {
    await takePlace();
    const before = await figures();
    const late = await attempt({ email: account(), protocol, timeoutMs: 300 });
    expect(ConnectError.from(late).code).toBe(Code.DeadlineExceeded);
    await vi.waitUntil(async () => (await figures()).dropped === before.dropped + 1, 30_000);
    expect(await figures()).toMatchObject({ running: 1, waiting: 0 });
  });
});

describe("operators' passwords", { timeout: 60_000 }, () => {
  const operator = (signal?: AbortSignal) => {
    const credentials = { password: { value: { case: "password", value: goodPassword } } } as const;
    return app
      .client(IdentityService, { bearer: app.apiKey })
      .createIdentity({ traits: { email: freshEmail() }, credentials }, { signal })
      .then(() => "created", ConnectError.from);
  };

  test("wait in a lane of their own: when that is full for the key, people still sign in and up", async () => {
    await takePlace();
    const imports = Array.from({ length: queueLimit / 2 }, () => operator());
    await vi.waitUntil(async () => (await figures("operator")).waiting === queueLimit / 2, 30_000);
    expect(reasonOf(await operator())).toBe("SERVER_OVERLOADED");
    expect(await figures()).toMatchObject({ waiting: 0 });
    const headers = { "x-forwarded-for": "192.0.2.7" };
    const registration = app.client(RegistrationService, { headers });
    const { flow } = await registration.createRegistrationFlow({ client: ClientKind.NATIVE });
    const signUp = registration.submitRegistrationFlow({
      flowId: flow?.id ?? "",
      traits: { email: freshEmail() },
      step: { case: "password", value: { password: goodPassword } },
    });
    await vi.waitUntil(async () => (await figures()).waiting === 1, 30_000);
    await fill(1, () => ({ from: "192.0.2.8" }));
    expect((await signUp).outcome.case).toBe("completed");
    expect(await Promise.all(imports)).toEqual(imports.map(() => "created"));
  });

  test("are not hashed for an import that was given up", async () => {
    await takePlace();
    const before = await figures("operator");
    const controller = new AbortController();
    const given = operator(controller.signal);
    await vi.waitUntil(async () => (await figures("operator")).waiting === 1, 30_000);
    controller.abort();
    expect(ConnectError.from(await given).code).toBe(Code.Canceled);
    await vi.waitUntil(async () => (await figures("operator")).waiting === 0, 30_000);
    expect((await figures("operator")).dropped).toBe(before.dropped + 1);
  });
});

// Security rule (SR-LIMIT-18): a caller that goes away before the answer has used up a try all the same.
test("a dropped try is counted: going away gives no guess for nothing", { timeout: 60_000 }, async () => {
  const strict = await startTestApp({
    config: {
      hashing: { concurrency: 1, queue_limit: queueLimit },
      server: { trusted_proxies: ["127.0.0.1"] },
      tenant_defaults: { throttle: { account: { count: 2, period: "24h" } } },
    },
  });
  const wide = app;
  app = strict;
  try {
    await app.client(IdentityService, { bearer: app.apiKey }).createIdentity({
      traits: { email: slow },
      credentials: { password: { value: { case: "hash", value: slowHash } } },
    });
    const email = freshEmail();
    await takePlace();
    for (let index = 0; index < 2; index++) {
      expect(ConnectError.from(await attempt({ email, timeoutMs: 300 })).code).toBe(Code.DeadlineExceeded);
    }
    expect(reasonOf(await attempt({ email }))).toBe("RATE_LIMITED");
    await Promise.all(underWay.splice(0));
  } finally {
    app = wide;
    await strict.stop();
  }
});
