import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import {
  LoginPurpose,
  LoginService,
  type SubmitLoginFlowRequest,
} from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason, type SignedIn } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { RequiredActionKind, RequiredActionTiming } from "../../gen/ostiary/identity/v1/identity_pb.js";
import {
  IdentityService,
  LoginPolicyClient,
  LoginPolicyOutcome,
  LoginPolicyRule,
} from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AssuranceLevel } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import {
  codeSentTo,
  freshPhone,
  makeBackupCodes,
  Settings,
  setUpSms,
  setUpTotp,
} from "../support/factors.ts";

const document = {
  type: "object",
  properties: {
    email: {
      type: "string",
      format: "email",
      ostiary: { identifier: "email", verifiable: "email", recovery: "email" },
    },
    phone: {
      type: "string",
      format: "tel",
      ostiary: { identifier: "phone", verifiable: "phone", recovery: "phone" },
    },
  },
};
const identity = { default_schema: "person", schemas: [{ id: "person", document }] };
const sms_factor = { enabled: true };

let app: TestApp;
/** Where a code by text message is worth two factors. */
let counting: TestApp;
beforeAll(async () => {
  app = await startTestApp({ config: { tenant_defaults: { identity, sms_factor } } });
  counting = await startTestApp({
    config: { tenant_defaults: { identity, sms_factor: { enabled: true, counts_as_aal2: true } } },
  });
});
afterAll(() => Promise.all([app.stop(), counting.stop()]));
// Another code can be asked for by then.
beforeEach(() => app.clock.advance(60_000));

type Step = SubmitLoginFlowRequest["step"];

async function submit(
  flow: Pick<Flow, "id"> | undefined,
  step: Step["case"],
  value: object,
  { on = app, protocol = "Connect JSON" as Protocol, identifier = "" } = {},
) {
  const client = on.client(LoginService, { protocol });
  return client.submitLoginFlow({ flowId: flow?.id ?? "", identifier, step: { case: step, value } as Step });
}

/** The step of a code by text message, in a login or anywhere else. */
const showCode = (flow: Pick<Flow, "id"> | undefined, code: string, on?: TestApp) =>
  submit(flow, "sms", { code }, { ...(on && { on }) });

/** Signs in with the password, and has a code sent. */
async function askedForCode(email: string, on = app) {
  const { flow } = await logIn(on, email);
  const sent = await submit(flow, "sms", {}, { on });
  expect(sent.outcome.case).toBe("nextStep");
  return flow;
}

function sessionOf(answer: { outcome: { case?: string | undefined; value?: unknown } }): SignedIn {
  if (answer.outcome.case !== "completed") throw new Error(`it was ${answer.outcome.case}`);
  const { signedIn } = answer.outcome.value as { readonly signedIn?: SignedIn };
  if (signedIn === undefined) throw new Error("nobody was signed in");
  return signedIn;
}

const shownBy = ({ session }: SignedIn) => [
  session?.assuranceLevel,
  session?.authenticationMethods.map(({ kind }) => kind),
];
const rejectedAs = (reason: RejectionReason) => ({ outcome: { case: "rejected", value: { reason } } });
const twoKinds = [MethodKind.PASSWORD, MethodKind.SMS];

describe("a code by text message as second factor", () => {
  test.each(protocols)("is set up, and wanted at the next login, over %s", async (protocol) => {
    const account = await register(app, { protocol });
    const settings = new Settings(app, account.sessionToken, protocol);
    const number = freshPhone();
    const asked = await settings.submit("sms", { phoneNumber: ` ${number.slice(0, 6)} ${number.slice(6)}` });
    expect(asked.flow?.stage).toMatchObject({
      case: "changeSettings",
      value: {
        offers: [{ part: { case: "sms", value: { phoneNumber: number, resendTime: {}, expireTime: {} } } }],
      },
    });
    const [message] = await app.messages(number);
    expect(message).toMatchObject({ template: "verification_code", code: expect.stringMatching(/^\d{6}$/) });
    const saved = await settings.submit("sms", { code: message?.code ?? "" });
    expect(saved.outcome.case).toBe("saved");
    // What was shown belongs to the session, which has another token by now. It is worth no more than before.
    const sessions = app.client(SessionService, { bearer: settings.token });
    const { session } = await sessions.getCurrentSession({});
    expect(shownBy({ session } as SignedIn)).toEqual([AssuranceLevel.AAL1, twoKinds]);
    const { flow } = await logIn(app, account.email, goodPassword, protocol);
    const masked = `+49****${number.slice(-2)}`;
    expect(flow?.stage).toMatchObject({
      case: "chooseMethod",
      value: { secondFactor: true, offers: [{ method: { case: "sms", value: { phoneNumber: masked } } }] },
    });
    const sent = await submit(flow, "sms", {}, { protocol });
    const code = sent.flow?.form?.nodes.find(({ name }) => name === "sms.code");
    expect(code?.kind).toMatchObject({ case: "input", value: { autocomplete: "one-time-code" } });
    expect((await app.messages(number)).at(-1)?.template).toBe("login_code");
    const done = await submit(flow, "sms", { code: await codeSentTo(app, number) }, { protocol });
    expect(shownBy(sessionOf(done))).toEqual([AssuranceLevel.AAL1, twoKinds]);
  });

  test("is off by default, and asked for no more where it is switched off", async () => {
    const plain = await startTestApp({
      databaseUrl: app.databaseUrl,
      config: { tenant_defaults: { identity } },
    });
    try {
      const settings = new Settings(plain, (await register(plain)).sessionToken);
      const refused = await refusal(settings.submit("sms", { phoneNumber: freshPhone() }));
      expect(refused.reason).toBe("STEP_NOT_OFFERED");
      const account = await register(app);
      await setUpSms(app, account);
      sessionOf({ outcome: await logIn(plain, account.email) });
    } finally {
      await plain.stop();
    }
  });

  test("is listed with the number masked, replaced and removed", async () => {
    const account = await verifiedAccount(app);
    const first = await setUpSms(app, account);
    app.clock.advance(60_000);
    const second = await setUpSms(app, { sessionToken: first.settings.token });
    const own = await app.client(IdentityService).listCredentials({ identityId: account.id });
    const listed = own.credentials.filter(({ kind }) => kind === MethodKind.SMS);
    expect(listed).toMatchObject([
      {
        secondFactor: true,
        details: { case: "sms", value: { phoneNumber: `+49****${second.number.slice(-2)}` } },
      },
    ]);
    await askedForCode(account.email);
    expect(await codeSentTo(app, second.number)).not.toBe("");
    const { settings } = second;
    const removed = await settings.submit("removeCredential", { credentialId: listed[0]?.id });
    expect(removed.outcome.case).toBe("saved");
    sessionOf({ outcome: await logIn(app, account.email) });
    const told = (await app.messages(account.email)).map(({ content }) => content);
    expect(told).toContainEqual(
      expect.objectContaining({
        template: "credential_added",
        data: expect.objectContaining({ kind: "sms" }),
      }),
    );
    expect(told).toContainEqual(
      expect.objectContaining({
        template: "credential_removed",
        data: expect.objectContaining({ kind: "sms" }),
      }),
    );
  });

  test("asks for a number, and refuses what is none", async () => {
    const settings = new Settings(app, (await register(app)).sessionToken);
    for (const phoneNumber of ["", "0171 2345678", "+49 1"]) {
      expect(await settings.submit("sms", { phoneNumber })).toMatchObject(
        rejectedAs(RejectionReason.FORM_INCOMPLETE),
      );
    }
  });

  test("takes a number as it is dialled where a country is configured, and then asks for no country code", async () => {
    const swiss = await startTestApp({
      config: { tenant_defaults: { identity: { ...identity, default_country: "CH" }, sms_factor } },
    });
    try {
      const labels = [];
      for (const each of [app, swiss]) {
        const settings = new Settings(each, (await register(each)).sessionToken);
        const flow = await settings.begin();
        labels.push(flow?.form?.nodes.find(({ name }) => name === "sms.phoneNumber")?.label?.text);
      }
      expect(labels).toEqual(["Phone number with its country code", "Phone number"]);
      const own = new Settings(swiss, (await register(swiss)).sessionToken);
      const { outcome } = await own.submit("sms", { phoneNumber: "079 123 45 67" });
      expect(outcome.case).toBe("nextStep");
    } finally {
      await swiss.stop();
    }
  });

  test("stands beside other second factors and backup codes", async () => {
    const account = await register(app);
    const { settings } = await setUpSms(app, account);
    const [code = ""] = await makeBackupCodes(settings);
    const { flow } = await logIn(app, account.email);
    const offers = flow?.stage.case === "chooseMethod" ? flow.stage.value.offers : [];
    expect(offers.map(({ method }) => method.case)).toEqual(["sms", "backupCode"]);
    const done = await submit(flow, "backupCode", { code });
    expect(sessionOf(done).session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
  });
});

// Security rule (SR-SMS-1): a code is good for its flow, its number and its purpose alone, once.
describe("a code (SR-SMS-1)", () => {
  test("counts once under 16 parallel submits", async () => {
    const account = await register(app);
    const { number } = await setUpSms(app, account);
    const flow = await askedForCode(account.email);
    const code = await codeSentTo(app, number);
    const answers = await Promise.allSettled(Array.from({ length: 16 }, () => showCode(flow, code)));
    const done = answers.filter(
      (each) => each.status === "fulfilled" && each.value.outcome.case === "completed",
    );
    expect(done).toHaveLength(1);
  });

  test("is none of another login, of one that was sent again, or of the settings", async () => {
    const account = await register(app);
    const { number, settings } = await setUpSms(app, account);
    const flow = await askedForCode(account.email);
    const first = await codeSentTo(app, number);
    const other = await askedForCode(account.email);
    const second = await codeSentTo(app, number);
    const refused = rejectedAs(RejectionReason.CODE_INVALID);
    expect(await showCode(other, first)).toMatchObject(refused);
    expect(await showCode(flow, second)).toMatchObject(refused);
    app.clock.advance(60_000);
    await submit(other, "sms", { resend: true });
    const third = await codeSentTo(app, number);
    expect(await showCode(other, second)).toMatchObject(refused);
    await settings.submit("sms", { phoneNumber: number });
    const ofSettings = await codeSentTo(app, number);
    expect(await showCode(other, ofSettings)).toMatchObject(refused);
    expect(await settings.submit("sms", { code: third })).toMatchObject(refused);
    sessionOf(await showCode(other, third));
  });

  test("ends by itself, and with the number that it went to", async () => {
    const account = await register(app);
    const { number, settings } = await setUpSms(app, account);
    const flow = await askedForCode(account.email);
    const code = await codeSentTo(app, number);
    app.clock.advance(600_000);
    expect(await showCode(flow, code)).toMatchObject(rejectedAs(RejectionReason.CODE_INVALID));
    const next = await askedForCode(account.email);
    const before = await codeSentTo(app, number);
    await setUpSms(app, { sessionToken: settings.token });
    expect((await refusal(showCode(next, before))).reason).toBe("FLOW_COMPLETED");
  });

  test("that can be none costs no try, and another one is sent only after a while", async () => {
    const account = await register(app);
    const { number } = await setUpSms(app, account);
    const flow = await askedForCode(account.email);
    expect(await showCode(flow, "")).toMatchObject(rejectedAs(RejectionReason.FORM_INCOMPLETE));
    expect(await showCode(flow, "12345")).toMatchObject(rejectedAs(RejectionReason.CODE_MALFORMED));
    const early = await submit(flow, "sms", { resend: true });
    expect(early).toMatchObject(rejectedAs(RejectionReason.RESEND_TOO_EARLY));
    expect(await app.messages(number)).toHaveLength(2);
  });
});

test("wrong codes count as guesses at the account, and codes that are sent as messages", async () => {
  const strict = await startTestApp({
    defaultThrottle: true,
    config: {
      tenant_defaults: {
        ...{ identity, sms_factor },
        throttle: { account: { count: 3, period: "10m" }, recipient_daily: { count: 5, period: "24h" } },
      },
    },
  });
  try {
    const account = await register(strict);
    const { number } = await setUpSms(strict, account);
    const flow = await askedForCode(account.email, strict);
    const code = await codeSentTo(strict, number);
    const wrong = code === "000000" ? "000001" : "000000";
    for (let index = 0; index < 2; index++) {
      expect(await showCode(flow, wrong, strict)).toMatchObject(rejectedAs(RejectionReason.CODE_INVALID));
    }
    expect(await refusal(showCode(flow, code, strict))).toMatchObject({
      reason: "RATE_LIMITED",
      metadata: { scope: "account" },
    });
    const another = await register(strict);
    const own = await setUpSms(strict, another);
    const answers: string[] = [];
    const begun = (await logIn(strict, another.email)).flow;
    for (let index = 0; index < 8; index++) {
      strict.clock.advance(31_000);
      const sent = submit(begun, "sms", { resend: index > 0 }, { on: strict });
      const answer = await sent.then(
        ({ outcome }) => outcome.case ?? "",
        async (error) => String((await refusal(Promise.reject(error))).reason),
      );
      answers.push(answer);
    }
    expect(answers).toContain("RATE_LIMITED");
    expect(await strict.messages(own.number)).toHaveLength(
      1 + answers.filter((each) => each === "nextStep").length,
    );
  } finally {
    await strict.stop();
  }
});

describe("the messages of one account", () => {
  let few: TestApp;
  const day = (count: number) => ({ count, period: "24h" });
  beforeAll(async () => {
    const throttle = { recipient_daily: day(4), recipient_total: day(5), sending: day(1000) };
    few = await startTestApp({
      defaultThrottle: true,
      config: { tenant_defaults: { identity, sms_factor, throttle } },
    });
  });
  afterAll(() => few.stop());

  const outcomeOf = (answer: Promise<{ readonly outcome: { readonly case?: string | undefined } }>) =>
    answer.then(
      ({ outcome }) => outcome.case,
      async (error) => (await refusal(Promise.reject(error))).reason,
    );

  // Security rule (SR-LIMIT-15): another number each time is no way around the limits of a number.
  test("to numbers of the settings are few in a day, whichever they are (SR-LIMIT-15)", async () => {
    const { sessionToken } = await register(few);
    const answers = [];
    for (let index = 0; index < 6; index++) {
      const settings = new Settings(few, sessionToken);
      const phone = freshPhone();
      answers.push(
        await outcomeOf(
          index % 2 === 0
            ? settings.submit("sms", { phoneNumber: phone })
            : settings.submit("profile", {}, { traits: { phone } }),
        ),
      );
    }
    expect(answers).toEqual([...Array(4).fill("nextStep"), ...Array(2).fill("RATE_LIMITED")]);
    // Another account has its own.
    const another = new Settings(few, (await register(few)).sessionToken);
    expect(await outcomeOf(another.submit("sms", { phoneNumber: freshPhone() }))).toBe("nextStep");
  });

  // Security rule (SR-LIMIT-2): who knows the number does not use up what its owner needs.
  test("after a right first factor are not used up by strangers who know the number (SR-LIMIT-2)", async () => {
    const account = await register(few);
    const { number } = await setUpSms(few, account);
    const asStranger = async () => {
      const { flow } = await few.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
      return submit(flow, "sendCode", {}, { on: few, identifier: number });
    };
    const strangers = [];
    for (let index = 0; index < 6; index++) strangers.push(await outcomeOf(asStranger()));
    expect(strangers.at(-1)).toBe("RATE_LIMITED");
    // From a device that nobody knows.
    const own = [];
    for (let index = 0; index < 5; index++) {
      const { flow } = await logIn(few, account.email);
      own.push(await outcomeOf(submit(flow, "sms", {}, { on: few })));
    }
    expect(own).toEqual([...Array(4).fill("nextStep"), "RATE_LIMITED"]);
  });
});

// Security rule (SR-SMS-2): a session that somebody found open or stole sends nothing to a number.
test("an old session sends nothing before a fresh login (SR-SMS-2)", async () => {
  const account = await register(app);
  app.clock.advance(3_600_000);
  const settings = new Settings(app, account.sessionToken);
  const number = freshPhone();
  const asked = await settings.submit("sms", { phoneNumber: number });
  expect(asked.outcome.case).toBe("loginRequired");
  expect(await app.messages(number)).toEqual([]);
  const login = asked.flow;
  const fresh = sessionOf(await submit(login, "password", { password: goodPassword }));
  settings.token = fresh.sessionToken;
  await settings.submit("resume");
  expect(await app.messages(number)).toEqual([]);
  expect((await settings.submit("sms", {})).outcome.case).toBe("nextStep");
  const kept = await settings.submit("sms", { code: await codeSentTo(app, number) });
  expect(kept.outcome.case).toBe("saved");
});

test("an old session uses up nothing that a fresh one needs (SR-SMS-2)", async () => {
  const strict = await startTestApp({
    defaultThrottle: true,
    config: { tenant_defaults: { identity, sms_factor } },
  });
  try {
    const account = await register(strict);
    strict.clock.advance(3_600_000);
    const settings = new Settings(strict, account.sessionToken);
    const phoneNumber = freshPhone();
    for (let index = 0; index < 8; index++) {
      expect((await settings.submit("sms", { phoneNumber })).outcome.case).toBe("loginRequired");
    }
    const fresh = sessionOf({ outcome: await logIn(strict, account.email) });
    const own = new Settings(strict, fresh.sessionToken);
    expect((await own.submit("sms", { phoneNumber })).outcome.case).toBe("nextStep");
  } finally {
    await strict.stop();
  }
});

// Security rule (SR-SMS-3): no text message goes to a country that is not named, and no more than its budget.
describe("the countries and budgets of text messages (SR-SMS-3)", () => {
  let limited: TestApp;
  beforeAll(async () => {
    const courier = { sms: { countries: ["DE", "AT", "CH"], daily_budget: 2 } };
    limited = await startTestApp({ config: { tenant_defaults: { identity, sms_factor, courier } } });
  });
  afterAll(() => limited.stop());

  const unavailable = rejectedAs(RejectionReason.SMS_UNAVAILABLE);
  const sendCode = async (identifier: string) => {
    const { flow } = await limited.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
    return submit(flow, "sendCode", {}, { on: limited, identifier });
  };

  test("a number elsewhere gets none, with an account or without", async () => {
    const settings = new Settings(limited, (await register(limited)).sessionToken);
    expect(await settings.submit("sms", { phoneNumber: "+1 650 253 0000" })).toMatchObject(unavailable);
    const phone = "+16502530001";
    await limited.client(IdentityService).createIdentity({
      traits: { phone },
      verifiedAddresses: [{ value: phone }],
    });
    for (const identifier of [phone, "+16502530002"]) {
      expect(await sendCode(identifier)).toMatchObject(unavailable);
    }
    expect(await limited.messages(phone)).toEqual([]);
  });

  test("a number is looked at after the same statements, with an account or without", async () => {
    const phone = freshPhone();
    await app.client(IdentityService).createIdentity({
      traits: { phone },
      verifiedAddresses: [{ value: phone }],
    });
    const statements = [];
    for (const number of [phone, freshPhone()]) {
      const { flow } = await app.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
      app.statements.length = 0;
      const sent = await submit(flow, "sendCode", {}, { identifier: number });
      expect(sent.outcome.case).toBe("nextStep");
      statements.push([...app.statements]);
    }
    expect(statements[1]).toEqual(statements[0]);
  });

  test("a login says so as well, and leaves the other ways to go on", async () => {
    const account = await register(limited);
    const { settings } = await setUpSms(limited, account, { number: "+41791234567" });
    const [backup = ""] = await makeBackupCodes(settings);
    await askedForCode(account.email, limited);
    const { flow } = await logIn(limited, account.email);
    // The messages are counted when they are handed on.
    const asked = async () => {
      limited.clock.advance(31_000);
      return (await submit(flow, "sms", { resend: true }, { on: limited })).outcome;
    };
    await expect.poll(asked).toMatchObject({ case: "rejected", value: unavailable.outcome.value });
    const { flow: other } = await logIn(limited, account.email);
    sessionOf(await submit(other, "backupCode", { code: backup }, { on: limited }));
  });

  test("once the messages of the day are used up, nobody gets one there, and the log says so", async () => {
    const phone = freshPhone();
    await limited.client(IdentityService).createIdentity({
      traits: { phone },
      verifiedAddresses: [{ value: phone }],
    });
    for (let index = 0; index < 2; index++) expect((await sendCode(phone)).outcome.case).toBe("nextStep");
    // The messages are counted when they are handed on.
    await expect.poll(async () => (await sendCode(freshPhone())).outcome.case).toBe("rejected");
    for (const identifier of [phone, freshPhone()]) {
      expect(await sendCode(identifier)).toMatchObject(unavailable);
    }
    const account = await register(limited);
    const settings = new Settings(limited, account.sessionToken);
    expect(await settings.submit("sms", { phoneNumber: freshPhone() })).toMatchObject(unavailable);
    // Another country has a budget of its own.
    expect((await settings.submit("sms", { phoneNumber: "+43 664 1234567" })).outcome.case).toBe("nextStep");
    expect(limited.log).toContainEqual(expect.objectContaining({ level: "warn", fields: { country: "DE" } }));
  });
});

// Security rule (SR-SMS-4): two text messages are one kind of proof.
describe("what a code by text message is worth (SR-SMS-4)", () => {
  const stepUp = (on: TestApp, bearer: string) =>
    on.client(LoginService, { bearer }).createLoginFlow({
      client: ClientKind.NATIVE,
      purpose: LoginPurpose.STEP_UP,
      demands: [{ demand: { case: "assuranceLevel", value: AssuranceLevel.AAL2 } }],
    });

  test("aal2 only where the configuration says so, at set-up, in a login and in a step-up", async () => {
    const account = await register(counting);
    const { number, settings } = await setUpSms(counting, account);
    const { session } = await counting
      .client(SessionService, { bearer: settings.token })
      .getCurrentSession({});
    expect(shownBy({ session } as SignedIn)).toEqual([AssuranceLevel.AAL2, twoKinds]);
    const flow = await askedForCode(account.email, counting);
    const done = sessionOf(await showCode(flow, await codeSentTo(counting, number), counting));
    expect(shownBy(done)).toEqual([AssuranceLevel.AAL2, twoKinds]);

    const plain = await register(app);
    const own = await setUpSms(app, plain);
    expect((await refusal(stepUp(app, own.settings.token))).reason).toBe("STEP_UP_IMPOSSIBLE");
    // A stronger one is asked for alone.
    const { settings: strong } = await setUpTotp(app, { sessionToken: own.settings.token });
    const weak = await askedForCode(plain.email);
    const aal1 = sessionOf(await showCode(weak, await codeSentTo(app, own.number)));
    expect(aal1.session?.assuranceLevel).toBe(AssuranceLevel.AAL1);
    const { flow: step } = await stepUp(app, aal1.sessionToken);
    const offers = step?.stage.case === "chooseMethod" ? step.stage.value.offers : [];
    expect(offers.map(({ method }) => method.case)).toEqual(["totp"]);
    expect(strong.token).not.toBe("");
  });

  test("in a step-up of a session from before, where it counts", async () => {
    const account = await register(counting);
    const before = sessionOf({ outcome: await logIn(counting, account.email) });
    const { number } = await setUpSms(counting, account);
    counting.clock.advance(60_000);
    const { flow } = await stepUp(counting, before.sessionToken);
    await submit(flow, "sms", {}, { on: counting });
    const done = sessionOf(await showCode(flow, await codeSentTo(counting, number), counting));
    expect(shownBy(done)).toEqual([AssuranceLevel.AAL2, twoKinds]);
  });

  /** An account with these verified addresses, with codes by text message. */
  async function reached(
    on: TestApp,
    traits: { readonly email?: string; readonly phone: string },
    isByPassword = true,
  ) {
    const values = Object.values(traits);
    await on.client(IdentityService).createIdentity({
      traits,
      verifiedAddresses: values.map((value) => ({ value })),
      ...(isByPassword && {
        credentials: { password: { value: { case: "password" as const, value: goodPassword } } },
      }),
    });
    const first = isByPassword
      ? sessionOf({ outcome: await logIn(on, traits.phone) })
      : sessionOf(await signInByCode(on, traits.phone));
    on.clock.advance(60_000);
    return setUpSms(on, first);
  }

  async function signInByCode(on: TestApp, phone: string) {
    const { flow } = await on.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
    await submit(flow, "sendCode", {}, { on, identifier: phone });
    on.clock.advance(1);
    return submit(flow, "code", { code: await codeSentTo(on, phone) }, { on });
  }

  test.each([
    ["where it does not count", () => app],
    ["where it counts", () => counting],
  ])("nothing beside a first code by text message, %s", async (_name, on) => {
    const phone = freshPhone();
    await reached(on(), { phone });
    expect(await signInByCode(on(), phone)).toMatchObject(
      rejectedAs(RejectionReason.SECOND_FACTOR_SAME_KIND),
    );
    // An account that begins with nothing else is not locked out, and no stronger by it.
    const only = freshPhone();
    const { settings } = await reached(on(), { phone: only }, false);
    const { session } = await on().client(SessionService, { bearer: settings.token }).getCurrentSession({});
    expect(session?.assuranceLevel).toBe(AssuranceLevel.AAL1);
    const done = sessionOf(await signInByCode(on(), only));
    expect(shownBy(done)).toEqual([AssuranceLevel.AAL1, [MethodKind.CODE]]);
  });

  test("nothing beside a first code by text message, where it is set up before the session", async () => {
    const phone = freshPhone();
    const action = { case: "kind", value: RequiredActionKind.ENROL_FACTOR } as const;
    await counting.client(IdentityService).createIdentity({
      traits: { phone },
      verifiedAddresses: [{ value: phone }],
      requiredActions: [{ action, timing: RequiredActionTiming.BEFORE_SESSION }],
    });
    const { flow } = await signInByCode(counting, phone);
    expect(flow?.stage.case).toBe("requiredAction");
    counting.clock.advance(60_000);
    const asked = await submit(flow, "sms", { phoneNumber: phone }, { on: counting });
    expect(asked.outcome.case).toBe("nextStep");
    const done = sessionOf(await showCode(flow, await codeSentTo(counting, phone), counting));
    expect(shownBy(done)).toEqual([AssuranceLevel.AAL1, [MethodKind.CODE]]);
  });

  test("nothing beside a first code, which is explained so", async () => {
    const phone = freshPhone();
    await reached(app, { phone });
    const client = app.client(IdentityService);
    const { identity: found } = await client.lookUpIdentity({ by: { case: "identifier", value: phone } });
    const { proofs } = await client.explainLoginPolicy({
      identityId: found?.id ?? "",
      client: LoginPolicyClient.NATIVE,
    });
    expect(proofs.find(({ method }) => method === MethodKind.CODE)).toMatchObject({
      outcome: LoginPolicyOutcome.REFUSED,
      rule: LoginPolicyRule.SMS_COMES_SECOND,
    });
    expect(proofs.find(({ method }) => method === MethodKind.PASSWORD)).toMatchObject({
      outcome: LoginPolicyOutcome.SECOND_FACTOR,
      secondFactors: [{ method: MethodKind.SMS }],
    });
    expect(await signInByCode(app, phone)).toMatchObject(rejectedAs(RejectionReason.SECOND_FACTOR_SAME_KIND));
  });

  /** The recovery by an address, up to its code. */
  async function recover(on: TestApp, address: string) {
    const client = on.client(RecoveryService);
    const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    await client.submitRecoveryFlow({ flowId, address, step: { case: "sendCode", value: {} } });
    const code = (await on.messages(address)).filter((each) => each.code !== "").at(-1)?.code ?? "";
    return client.submitRecoveryFlow({ flowId, step: { case: "code", value: { code } } });
  }

  test("nothing beside a recovery by text message, and a second factor beside one by mail", async () => {
    const traits = { email: freshEmail(), phone: freshPhone() };
    const { number } = await reached(app, traits);
    app.clock.advance(60_000);
    expect(await recover(app, traits.phone)).toMatchObject(
      rejectedAs(RejectionReason.SECOND_FACTOR_SAME_KIND),
    );

    const { outcome } = await recover(app, traits.email);
    if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
    const next = outcome.value.continueWith.flatMap(({ action }) =>
      action.case === "settings" ? [action.value.flow] : [],
    );
    const flowId = next[0]?.id ?? "";
    const step = { case: "password", value: { password: "another correct horse" } } as const;
    const settings = app.client(SettingsService);
    const asked = await settings.submitSettingsFlow({ flowId, step });
    expect(asked.outcome.case).toBe("loginRequired");
    await submit(asked.flow, "sms", {});
    const shown = sessionOf(await showCode(asked.flow, await codeSentTo(app, number)));
    const resumed = await app
      .client(SettingsService, { bearer: shown.sessionToken })
      .submitSettingsFlow({ flowId, step: { case: "resume", value: {} } });
    expect(resumed.outcome.case).toBe("completed");
  });

  // Security rule (SR-FACTOR-7): what protects an account is changed at its highest level.
  test("too little to remove a stronger second factor (SR-FACTOR-7)", async () => {
    const account = await register(app);
    const { number, settings } = await setUpSms(app, account);
    await setUpTotp(app, { sessionToken: settings.token });
    const flow = await askedForCode(account.email);
    const weak = sessionOf(await showCode(flow, await codeSentTo(app, number)));
    const thief = new Settings(app, weak.sessionToken);
    const begun = await thief.begin();
    const credentials = begun?.stage.case === "changeSettings" ? begun.stage.value.credentials : [];
    const totp = credentials.find(({ kind }) => kind === MethodKind.TOTP);
    const answer = await thief.submit("removeCredential", { credentialId: totp?.id });
    expect(answer.outcome.case).toBe("loginRequired");
    const again = await submit(answer.flow, "password", { password: goodPassword });
    const offers = again.flow?.stage.case === "chooseMethod" ? again.flow.stage.value.offers : [];
    expect(offers.map(({ method }) => method.case)).toEqual(["totp"]);
  });
});

describe("a provider of text messages", () => {
  test("gets the code with the line that binds it to the pages", async () => {
    const received: { readonly recipient: string; readonly text: string }[] = [];
    const provider = createServer(async (request, response) => {
      let body = "";
      for await (const chunk of request) body += chunk;
      received.push(JSON.parse(body).data);
      response.writeHead(204).end();
    });
    await once(provider.listen(0, "127.0.0.1"), "listening");
    const host = `127.0.0.1:${(provider.address() as AddressInfo).port}`;
    const http = {
      url: `http://${host}/`,
      signing_secrets: [`whsec_${Buffer.alloc(32, 1).toString("base64")}`],
    };
    const sending = await startTestApp({
      config: {
        server: { outbound: { allowed_private_hosts: [host] } },
        tenant_defaults: {
          ...{ identity, sms_factor },
          public_url: "https://id.example.com",
          courier: { sms: { http, countries: ["DE"] } },
        },
      },
    });
    try {
      const settings = new Settings(sending, (await register(sending)).sessionToken);
      const number = freshPhone();
      await settings.submit("sms", { phoneNumber: number });
      await expect.poll(() => received.length).toBe(1);
      const [{ recipient, text } = { recipient: "", text: "" }] = received;
      expect(recipient).toBe(number);
      const [, code = ""] = /^(\d{6}) is/.exec(text) ?? [];
      expect(text.split("\n").at(-1)).toBe(`@id.example.com #${code}`);
      expect((await settings.submit("sms", { code })).outcome.case).toBe("saved");
    } finally {
      await sending.stop();
      provider.close();
    }
  });
});
