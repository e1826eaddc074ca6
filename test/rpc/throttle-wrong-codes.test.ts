import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ThrottleService } from "../../gen/ostiary/access/v1/throttle_service_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { readMessages, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { attemptsWritten } from "../support/failed-attempts.ts";
import { createPerson, personSchemas } from "../support/person.ts";
import { administer } from "../support/postgres.ts";
import { freshAddress, guess, sealingSecret, startThrottledApp } from "../support/throttled.ts";

const wide = ["recipient", "recipient_daily", "recipient_total", "sending", "account"];

let app: TestApp;
beforeAll(async () => {
  // As it is by default, but for what would make it take a day.
  app = await startThrottledApp(
    Object.fromEntries(wide.map((name) => [name, { count: 1_000_000, period: "24h" }])),
    { identity: { schemas: personSchemas } },
  );
});
afterAll(() => app.stop());

interface Shown {
  readonly deviceToken?: string;
  readonly bearer?: string;
}

/** A native login that waits for the code that it had sent. */
async function waitingLogin(identifier: string, { deviceToken = "", bearer }: Shown = {}) {
  app.clock.advance(1);
  const headers = { "x-forwarded-for": freshAddress() };
  const client = app.client(LoginService, { headers, ...(bearer === undefined ? {} : { bearer }) });
  const flowId = (await client.createLoginFlow({ client: ClientKind.NATIVE })).flow?.id ?? "";
  const asked = await client.submitLoginFlow({
    flowId,
    identifier,
    deviceToken,
    step: { case: "sendCode", value: {} },
  });
  const enter = async (code: string) => {
    const step = { case: "code", value: { code } } as const;
    const { outcome } = await client.submitLoginFlow({ flowId, deviceToken, step });
    return outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : String(outcome.case);
  };
  return { enter, flow: asked.outcome.case === "nextStep" ? asked.flow : undefined };
}

const messagesTo = (email: string) => readMessages(app.databaseUrl, sealingSecret, email);
const codeFor = async (email: string) =>
  (await messagesTo(email)).filter(({ code }) => code !== "").at(-1)?.code ?? "";

/** Enters wrong codes, five a flow. */
async function enterWrongCodes(identifier: string, count: number, shown: Shown = {}): Promise<string[]> {
  const reasons: string[] = [];
  for (let entered = 0; entered < count; entered += 5) {
    const { enter } = await waitingLogin(identifier, shown);
    for (let each = 0; each < Math.min(5, count - entered); each++) reasons.push(await enter("000000"));
  }
  return reasons;
}

/** One digit off. */
const nearly = (code: string) => code.slice(0, -1) + ((Number(code.at(-1)) + 1) % 10);

// Security rule (SR-LIMIT-1): at most 100 wrong codes in a row for one account, and its owner is not locked out (NIST SP 800-63B-4,
// section 3.2.2).
describe("wrong codes for an account", () => {
  test("make its codes long from fifty on, by whichever name, and its owner is told once a day", async () => {
    const { name, email, id } = await createPerson(app);
    await enterWrongCodes(email, 25);
    await enterWrongCodes(name, 24);
    await waitingLogin(email);
    expect(await codeFor(email)).toMatch(/^\d{6}$/);
    const notices = async () =>
      (await messagesTo(email)).filter(({ template }) => template === "wrong_codes");
    expect(await notices()).toEqual([]);
    await enterWrongCodes(name, 10);
    // With the time and the device of the last one.
    const data = { time: expect.any(Date), device: expect.stringMatching(/^203\.0\./) };
    expect(await notices()).toMatchObject([{ suppressed: false, content: { data } }]);
    app.clock.advance(86_400_000);
    await enterWrongCodes(name, 1);
    expect(await notices()).toHaveLength(2);
    await attemptsWritten(app, id);
    const events = await administer(app.databaseUrl, (query) =>
      query<{ data: object }>(
        "SELECT data FROM ostiary.event WHERE type = 'login.throttled' AND identity_id = $1 ORDER BY position",
        [id],
      ),
    );
    expect(events.map(({ data }) => data)).toMatchObject([{ scope: "account", wrongCodes: 50 }, {}]);

    // The owner gets in on a new device, by a code that cannot be guessed, and codes are short again.
    const { enter } = await waitingLogin(name);
    const code = await codeFor(email);
    expect(code).toMatch(/^\d{20}$/);
    expect(await enter(nearly(code))).toBe("CODE_INVALID");
    expect(await enter(` ${code.replace(/\d{5}/g, "$& ")}`)).toBe("completed");
    await waitingLogin(name);
    expect(await codeFor(email)).toMatch(/^\d{6}$/);
  });

  test("beyond a hundred leave codes of six digits worthless, and a longer one lets its owner in", async () => {
    const { name, email } = await createPerson(app);
    const early = await waitingLogin(email);
    const short = await codeFor(email);
    await enterWrongCodes(name, 50);
    await enterWrongCodes(email, 50);
    expect(await early.enter(short)).toBe("CODE_INVALID");
    const { enter } = await waitingLogin(email);
    expect(await enter(await codeFor(email))).toBe("completed");
  });

  test("are counted exactly, also when a hundred are entered at once", async () => {
    const { email } = await createPerson(app);
    const flows = [];
    for (let count = 0; count < 10; count++) flows.push(await waitingLogin(email));
    await Promise.all(flows.flatMap(({ enter }) => Array.from({ length: 10 }, () => enter("000000"))));
    const { counters } = await app.client(ThrottleService).explainThrottle({ identifier: email });
    // Of each flow five are compared; what is tried beyond that at the same moment counts as well.
    const { usedCount = 0 } = counters.find(({ limit }) => limit === "wrong_codes") ?? {};
    expect(usedCount).toBeGreaterThanOrEqual(50);
    expect(usedCount).toBeLessThanOrEqual(100);
  });

  test("are not those of its owner's devices and sessions, which have as many of their own", async () => {
    const { email } = await createPerson(app);
    const login = await guess(app, { identifier: email, password: goodPassword, from: freshAddress() });
    const signedIn = login.case === "completed" ? login.value.signedIn : undefined;
    const { deviceToken = "", sessionToken: bearer = "" } = signedIn ?? {};
    await enterWrongCodes(email, 105);
    for (const shown of [{ deviceToken }, { bearer }]) {
      const { enter } = await waitingLogin(email, shown);
      const code = await codeFor(email);
      expect(code).toMatch(/^\d{6}$/);
      expect(await enter(code)).toBe("completed");
    }
    // That says nothing about those who guess elsewhere.
    await waitingLogin(email);
    expect(await codeFor(email)).toMatch(/^\d{20}$/);
    await enterWrongCodes(email, 55, { deviceToken });
    await waitingLogin(email, { deviceToken });
    expect(await codeFor(email)).toMatch(/^\d{20}$/);
  });

  test("show in no answer, and cost the same for an account that nobody has", async () => {
    const { email, name } = await createPerson(app);
    const answers = [];
    for (const identifier of [email, freshEmail(), name]) {
      const flowIds = /ost_\w+|\d{4}-[\d:TZ.-]+/g;
      await enterWrongCodes(identifier, 45);
      app.statements.length = 0;
      const reasons = await enterWrongCodes(identifier, 60);
      const statements = app.statements.filter((text) => text !== "SELECT 1").length;
      const { flow } = await waitingLogin(identifier);
      const form = JSON.stringify(flow?.form, (_key, value) =>
        typeof value === "bigint" ? `${value}` : value,
      );
      answers.push({ reasons, statements, form: form.replaceAll(identifier, "").replace(flowIds, "") });
    }
    expect(answers[1]).toEqual(answers[0]);
    // The second name of the first account: it had used up all there is, and nothing shows it.
    expect({ ...answers[2], statements: 0 }).toEqual({ ...answers[0], statements: 0 });
    // Nothing in the form says how long the code is that was sent.
    expect(answers[0]?.form).not.toContain("[0-9]{");
  });
});

// openbao#1632 (CVE-2025-6004), identity-idp#13087: three names were three times the tries.
describe("wrong passwords", () => {
  const daily = async (identifier: string) => {
    const { counters } = await app.client(ThrottleService).explainThrottle({ identifier });
    return counters.find(({ limit }) => limit === "identity_daily");
  };

  test("by all names of an account are a hundred a day, and no answer tells that they belong together", async () => {
    const { name, email, work } = await createPerson(app);
    const attempt = async (identifier: string, password: string) => {
      const outcome = await guess(app, { identifier, password, from: freshAddress() });
      return outcome.case === "rejected" ? RejectionReason[outcome.value.reason] : outcome.case;
    };
    for (const identifier of [name, email]) {
      for (let count = 0; count < 50; count++) {
        expect(await attempt(identifier, "wrong")).toBe("CREDENTIALS_INVALID");
      }
    }
    expect(await daily(work)).toMatchObject({ usedCount: 100, exhausted: true });
    app.statements.length = 0;
    // The right one as well; by the third name, of which nothing was tried.
    expect(await attempt(work, goodPassword)).toBe("CREDENTIALS_INVALID");
    const worthless = app.statements.filter((text) => text !== "SELECT 1");
    app.statements.length = 0;
    expect(await attempt(freshEmail(), goodPassword)).toBe("CREDENTIALS_INVALID");
    expect(app.statements.filter((text) => text !== "SELECT 1")).toEqual(worthless);
    // A name that nobody has is refused after as many as one that somebody has.
    for (const identifier of [freshEmail(), work]) {
      const left = identifier === work ? 99 : 100;
      for (let count = 0; count < left; count++) await attempt(identifier, "wrong");
      expect(await refusal(attempt(identifier, "wrong"))).toMatchObject({ metadata: { scope: "account" } });
    }

    // The owner gets in by a code, and by the password once an operator says so.
    const { enter } = await waitingLogin(email);
    expect(await enter(await codeFor(email))).toBe("completed");
    await app.client(ThrottleService).resetThrottle({ identifier: work });
    expect(await attempt(work, goodPassword)).toBe("completed");
  });

  test("of an account on its owner's device are not counted with those of strangers", async () => {
    const { name, email, work } = await createPerson(app);
    const login = await guess(app, { identifier: email, password: goodPassword, from: freshAddress() });
    const deviceToken = login.case === "completed" ? login.value.signedIn?.deviceToken : "";
    for (const identifier of [name, email]) {
      for (let count = 0; count < 50; count++) await guess(app, { identifier, from: freshAddress() });
    }
    for (const identifier of [name, email, work]) {
      const from = freshAddress();
      const outcome = await guess(app, { identifier, password: goodPassword, deviceToken, from });
      expect(outcome.case).toBe("completed");
    }
  });
});
