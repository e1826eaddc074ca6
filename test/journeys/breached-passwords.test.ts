import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import {
  RecoveryService,
  type SubmitRecoveryFlowRequest,
} from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { RequiredActionKind, RequiredActionTiming } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { Settings } from "../support/factors.ts";
import { digestOf, type RangeServer, startRangeServer } from "../support/range-server.ts";
import { TotpDevice } from "../support/totp-device.ts";

const breachedPassword = "hunter2 is everywhere";
const totpKey = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
/** The same as another system has kept it. */
const cheapHash = "$2b$04$qvoifTTO8vXfPeNwPBe9Sey298AwA0FsvSPsOXMqe6j919kxcezhi";

let ranges: RangeServer;
let app: TestApp;
/** The same, but nobody gets past it while the service is away. */
let strict: TestApp;

beforeAll(async () => {
  ranges = await startRangeServer({ [breachedPassword]: 42, "seen three times": 3 });
  const start = (breachCheck: object) =>
    startTestApp({
      config: {
        server: {
          outbound: {
            allowed_private_hosts: [`127.0.0.1:${ranges.port}`],
            breached_passwords: { url: ranges.url, timeout: "5s" },
          },
        },
        tenant_defaults: { password: { breach_check: { enabled: true, ...breachCheck } } },
      },
    });
  app = await start({});
  strict = await start({ when_unavailable: "refuse", min_count: 4 });
});

afterEach(() => {
  ranges.recover();
  // Whatever an outage left behind is over by then.
  for (const each of [app, strict]) each.clock.advance(7_200_000);
});

afterAll(async () => {
  await app.stop();
  await strict.stop();
  await ranges.stop();
});

async function submitRegistration(server: TestApp, password: string, protocol: Protocol = "Connect JSON") {
  const client = server.client(RegistrationService, { protocol });
  const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
  const email = freshEmail();
  const submit = async (text: string) => {
    const step = { case: "password", value: { password: text } } as const;
    const request = { flowId: flow?.id ?? "", traits: { email }, step };
    const answer = await client.submitRegistrationFlow(request);
    return { ...answer.outcome, flow: answer.flow };
  };
  return { email, submit, outcome: await submit(password) };
}

const plain = (value: string) => ({ password: { value: { case: "password", value } } }) as const;

describe.each(protocols)("a breached password (SR-PASSWORD-2, ASVS V6.2.12) over %s", (protocol) => {
  test("is refused by a form message at registration, and the flow goes on with another", async () => {
    const { email, submit, outcome } = await submitRegistration(app, breachedPassword, protocol);
    if (outcome.case !== "rejected") throw new Error(`the registration was ${outcome.case}`);
    expect(RejectionReason[outcome.value.reason]).toBe("PASSWORD_REJECTED");
    const nodes = outcome.flow?.form?.nodes ?? [];
    const [message] = nodes.find((node) => node.name === "password.password")?.messages ?? [];
    expect([message?.id, message?.context]).toEqual([4000034, { breaches: 42 }]);
    expect((await submit(goodPassword)).case).toBe("completed");
    expect((await logIn(app, email, goodPassword, protocol)).case).toBe("completed");
  });

  test("is refused to operators with the rule and the field", async () => {
    const client = app.client(IdentityService, { protocol });
    const { identity } = await client.createIdentity({ traits: { email: freshEmail() } });
    const expected = {
      code: "InvalidArgument",
      reason: "PASSWORD_REJECTED",
      metadata: { rule: "breached" },
    };
    const set = client.setPassword({
      identityId: identity?.id ?? "",
      ...plain(breachedPassword),
    });
    expect(await refusal(set)).toMatchObject({ ...expected, fields: ["password.password"] });
    const create = client.createIdentity({
      traits: { email: freshEmail() },
      credentials: plain(breachedPassword),
    });
    expect(await refusal(create)).toMatchObject({ ...expected, fields: ["credentials.password.password"] });
  });

  test("cannot be told from others while the service is away: refused with a remedy, where configured so", async () => {
    ranges.answer((_request, response) => response.writeHead(503).end());
    const expected = { code: "Unavailable", reason: "BREACH_CHECK_UNAVAILABLE", retryAfterSeconds: 10 };
    const registration = await refusal(submitRegistration(strict, goodPassword, protocol));
    expect(registration).toMatchObject(expected);
    expect(registration.remedy).toContain("breach_check.when_unavailable");
    const create = strict.client(IdentityService, { protocol }).createIdentity({
      traits: { email: freshEmail() },
      credentials: plain(goodPassword),
    });
    expect(await refusal(create)).toMatchObject(expected);
    // The control: the default lets the other rules decide.
    expect((await submitRegistration(app, goodPassword, protocol)).outcome.case).toBe("completed");
  });
});

describe("the check", () => {
  test("refuses from the configured number on", async () => {
    expect((await submitRegistration(strict, "seen three times")).outcome.case).toBe("completed");
    expect((await submitRegistration(app, "seen three times")).outcome.case).toBe("rejected");
  });

  test("is not made at login: a breach that came to light later locks nobody out", async () => {
    const { email } = await register(app);
    const rest = digestOf(goodPassword).slice(5);
    app.clock.advance(7_200_000);
    ranges.answer((_request, response) => response.end(`${rest}:1`));
    const before = ranges.requests.length;
    expect((await logIn(app, email)).case).toBe("completed");
    expect(ranges.requests.length).toBe(before);
    // The control: at registration it is known.
    expect((await submitRegistration(app, goodPassword)).outcome.case).toBe("rejected");
  });

  test("is not made of imported hashes, nor of a password that breaks another rule", async () => {
    const before = ranges.requests.length;
    const hash = "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy";
    await app.client(IdentityService).createIdentity({
      traits: { email: freshEmail() },
      credentials: { password: { value: { case: "hash", value: hash } } },
    });
    expect((await submitRegistration(app, "short")).outcome.case).toBe("rejected");
    expect(ranges.requests.length).toBe(before);
  });

  test("security rule (SR-PASSWORD-2): no transaction is open while it is made", async () => {
    const client = app.client(IdentityService);
    const { identity } = await client.createIdentity({ traits: { email: freshEmail() } });
    const seen: string[][] = [];
    ranges.answer((_request, response) => {
      seen.push([...app.statements]);
      response.end(`${"0".repeat(35)}:1`);
    });
    const requestId = randomUUID();
    const calls = [
      () => submitRegistration(app, "a password of its own"),
      () =>
        client.createIdentity({
          requestId,
          traits: { email: freshEmail() },
          credentials: plain("another of its own"),
        }),
      () => client.setPassword({ identityId: identity?.id ?? "", ...plain("and a third one") }),
    ];
    const begins = (statements: readonly string[]) =>
      statements.filter((text) => /^begin/i.test(text)).length;
    let transactions = 0;
    for (const call of calls) {
      app.statements.splice(0);
      await call();
      const [before, ...more] = seen.splice(0);
      expect([before === undefined, more.length, begins(before ?? [])]).toEqual([false, 0, 0]);
      transactions += begins(app.statements);
    }
    // The control: there were transactions to be seen, afterwards.
    expect(transactions).toBeGreaterThanOrEqual(2);
  });

  test("of a batch that cannot be made fails the batch before anything is stored", async () => {
    ranges.answer((_request, response) => response.writeHead(503).end());
    const client = strict.client(IdentityService);
    const emails = [freshEmail(), freshEmail()];
    const requests = [
      { traits: { email: emails[0] ?? "" } },
      { traits: { email: emails[1] ?? "" }, credentials: plain(goodPassword) },
    ];
    expect(await refusal(client.batchCreateIdentities({ requests }))).toMatchObject({
      reason: "BREACH_CHECK_UNAVAILABLE",
    });
    for (const identifier of emails) {
      const lookUp = client.lookUpIdentity({ by: { case: "identifier", value: identifier } });
      expect(await refusal(lookUp)).toMatchObject({ reason: "IDENTITY_NOT_FOUND" });
    }
  });

  test("security rule (SR-PASSWORD-2): neither the password nor its digest is in the log, also in an outage", async () => {
    const password = "hunter2 in an outage";
    ranges.answer((request) => request.socket.destroy());
    await submitRegistration(app, password);
    await refusal(submitRegistration(strict, password));
    const lines = inspect([...app.log, ...strict.log], { depth: 10, maxArrayLength: null });
    expect(lines).toContain("cannot be looked up");
    expect(lines).not.toContain("hunter2");
    expect(lines.toUpperCase()).not.toContain(digestOf(password).slice(0, 5));
  });

  test("makes no request in development mode, unless configured", async () => {
    const trial = await startTestApp({
      config: {
        server: {
          outbound: {
            allowed_private_hosts: [`127.0.0.1:${ranges.port}`],
            breached_passwords: { url: ranges.url },
          },
        },
      },
    });
    try {
      const before = ranges.connections();
      expect((await submitRegistration(trial, breachedPassword)).outcome.case).toBe("completed");
      expect(ranges.connections()).toBe(before);
    } finally {
      await trial.stop();
    }
  });
});

/** A recovery of somebody, up to the settings in which they set a new password. */
async function recover(email: string): Promise<Settings> {
  const client = app.client(RecoveryService);
  const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
  const submit = (step: SubmitRecoveryFlowRequest["step"]) =>
    client.submitRecoveryFlow({ flowId: flow?.id ?? "", address: email, step });
  await submit({ case: "sendCode", value: {} as never });
  const { code = "" } = (await app.messages(email)).at(-1) ?? {};
  const { outcome } = await submit({ case: "code", value: { code } as never });
  const action = outcome.case === "completed" ? outcome.value.continueWith[0]?.action : undefined;
  if (action?.case !== "settings") throw new Error(`the recovery was ${outcome.case}`);
  const settings = new Settings(app, "");
  settings.flowId = action.value.flow?.id ?? "";
  return settings;
}

// Security rule (SR-ACTION-1): what was looked for before the check is out of date after it.
test("a recovery gives no session past what is asked for while its password is checked (SR-ACTION-1)", async () => {
  const email = freshEmail();
  const identities = app.client(IdentityService);
  const { identity } = await identities.createIdentity({
    traits: { email },
    verifiedAddresses: [{ value: email }],
  });
  const identityId = identity?.id ?? "";
  const settings = await recover(email);
  const answered = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  ranges.answer(async (_request, response) => {
    asked.resolve();
    await answered.promise;
    response.setHeader("content-type", "text/plain").end(`${"0".repeat(35)}:1`);
  });
  const late = refusal(settings.submit("password", { password: "looked up for a while" }));
  await asked.promise;
  const action = { case: "kind", value: RequiredActionKind.ENROL_FACTOR } as const;
  const requiredActions = [{ action, timing: RequiredActionTiming.BEFORE_SESSION }];
  await identities.setRequiredActions({ identityId, requiredActions, endSessions: true });
  answered.resolve();
  expect((await late).reason).toBe("FLOW_CHANGED");
  const { sessions } = await app.client(SessionAdminService).listSessions({ identityId });
  expect(sessions).toEqual([]);
  // Its owner is at no dead end: sent again, it leads to what is asked for.
  const again = await settings.submit("password", { password: "looked up for a while" });
  expect(again.outcome.case).toBe("loginRequired");
  expect(again.flow?.stage.case).toBe("requiredAction");
});

describe("a password that turns out to be breached once it is used", () => {
  /** Without the look-up: passwords of before. */
  let lax: TestApp;
  beforeAll(async () => {
    lax = await startTestApp({ databaseUrl: app.databaseUrl });
  });
  afterAll(() => lax.stop());

  const actionsOf = async (identityId: string) => {
    const { identity } = await app.client(IdentityService).getIdentity({ identityId });
    return identity?.requiredActions ?? [];
  };

  test("is asked to be changed before the next session, and the login that found it goes on", async () => {
    const { email, identity } = await register(lax, { password: breachedPassword });
    const first = await logIn(app, email, breachedPassword);
    expect(first.case).toBe("completed");
    await expect.poll(() => actionsOf(identity?.id ?? "")).toHaveLength(1);
    expect(await actionsOf(identity?.id ?? "")).toMatchObject([
      {
        kind: RequiredActionKind.SET_PASSWORD,
        timing: RequiredActionTiming.BEFORE_SESSION,
        setBy: { case: undefined },
      },
    ]);
    const second = await logIn(app, email, breachedPassword);
    expect(second.flow?.stage).toMatchObject({ case: "requiredAction" });
    const submit = (password: string) =>
      app.client(LoginService).submitLoginFlow({
        flowId: second.flow?.id ?? "",
        step: { case: "password", value: { password } },
      });
    expect((await submit(breachedPassword)).outcome.case).toBe("rejected");
    expect((await submit(goodPassword)).outcome.case).toBe("completed");
    expect(await actionsOf(identity?.id ?? "")).toEqual([]);
  });

  // Security rule (SR-PASSWORD-5): a guesser learns nothing from it.
  test("is looked up only where it was right, and never twice a day (SR-PASSWORD-5)", async () => {
    const { email } = await register(lax, { password: breachedPassword });
    const before = ranges.prefixes().length;
    expect((await logIn(app, email, "a wrong password")).case).toBe("rejected");
    expect((await logIn(app, freshEmail(), breachedPassword)).case).toBe("rejected");
    const right = await register(lax, { password: goodPassword });
    await logIn(app, right.email, goodPassword);
    await expect.poll(() => ranges.prefixes().length).toBeGreaterThan(before);
    const prefix = digestOf(goodPassword).slice(0, 5);
    expect(ranges.prefixes().slice(before)).toEqual([prefix]);
    // The answer is forgotten by then, and the password is not looked up again.
    app.clock.advance(7_200_000);
    await logIn(app, right.email, goodPassword);
    const other = await register(lax, { password: "another good password" });
    await logIn(app, other.email, "another good password");
    const last = digestOf("another good password").slice(0, 5);
    await expect.poll(() => ranges.prefixes().slice(before)).toEqual([prefix, last]);
  });

  // The second one as another system has kept it: a login by it alone would write another hash.
  test.each([
    ["", "password", breachedPassword] as const,
    [" of another system", "hash", cheapHash] as const,
  ])(
    "a password%s is asked to be changed where a second factor follows, whose holder is asked at once (SR-PASSWORD-5)",
    async (_, form, value) => {
      const email = freshEmail();
      const { identity } = await app.client(IdentityService).createIdentity({
        traits: { email },
        verifiedAddresses: [{ value: email }],
        credentials: { totp: { key: { case: "base32", value: totpKey } } },
      });
      const identityId = identity?.id ?? "";
      const password = { value: { case: form, value } };
      await lax.client(IdentityService, { bearer: app.apiKey }).setPassword({ identityId, password });
      // Nothing of the answer to the password depends on it.
      const first = await logIn(app, email, breachedPassword);
      expect(first.flow?.stage).toMatchObject({ case: "chooseMethod", value: { secondFactor: true } });
      await expect.poll(() => actionsOf(identityId)).toHaveLength(1);
      const code = TotpDevice.from(totpKey, () => app.clock.now()).code();
      const second = await app.client(LoginService).submitLoginFlow({
        flowId: first.flow?.id ?? "",
        step: { case: "totp", value: { code } },
      });
      expect(second.flow?.stage).toMatchObject({
        case: "requiredAction",
        value: { action: { kind: RequiredActionKind.SET_PASSWORD } },
      });
    },
  );

  test("is asked to be changed before the next session, though an operator asks for it some time", async () => {
    const { email, identity } = await register(lax, { password: breachedPassword });
    const identityId = identity?.id ?? "";
    const action = { case: "kind", value: RequiredActionKind.SET_PASSWORD } as const;
    const requiredActions = [{ action, timing: RequiredActionTiming.WHEN_CONVENIENT }];
    await app.client(IdentityService).setRequiredActions({ identityId, requiredActions });
    expect((await logIn(app, email, breachedPassword)).case).toBe("completed");
    await expect.poll(() => actionsOf(identityId)).toHaveLength(2);
    const second = await logIn(app, email, breachedPassword);
    expect(second.flow?.stage).toMatchObject({ case: "requiredAction" });
    const done = await app.client(LoginService).submitLoginFlow({
      flowId: second.flow?.id ?? "",
      step: { case: "password", value: { password: goodPassword } },
    });
    expect(done.outcome.case).toBe("completed");
    // A new password is all that both asked for.
    expect(await actionsOf(identityId)).toEqual([]);
  });

  test("is left alone where it was changed by the time of the answer", async () => {
    const { email, identity } = await register(lax, { password: breachedPassword });
    const answered = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    ranges.answer(async (_request, response) => {
      asked.resolve();
      await answered.promise;
      response.setHeader("content-type", "text/plain").end(`${digestOf(breachedPassword).slice(5)}:42`);
    });
    expect((await logIn(app, email, breachedPassword)).case).toBe("completed");
    await asked.promise;
    const client = lax.client(IdentityService, { bearer: app.apiKey });
    await client.setPassword({ identityId: identity?.id ?? "", ...plain(goodPassword) });
    answered.resolve();
    // What comes after it in the queue was answered as well.
    ranges.recover();
    const other = await register(lax, { password: "seen three times" });
    await logIn(app, other.email, "seen three times");
    await expect.poll(() => actionsOf(other.identity?.id ?? "")).toHaveLength(1);
    expect(await actionsOf(identity?.id ?? "")).toEqual([]);
  });
});
