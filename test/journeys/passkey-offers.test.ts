import { create } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind, type Flow, FlowState } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginPurpose, LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { type ContinueWith, RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import {
  SettingsService,
  SubmitSettingsFlowRequestSchema,
} from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { AssuranceLevel } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { goodPassword, logIn, register, sessionTokenOf } from "../support/accounts.ts";
import { type Protocol, protocols, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { codeSentTo, Settings, setUpSms, setUpTotp } from "../support/factors.ts";
import {
  addPasskey,
  credentialsOf,
  optionsOf,
  passkeyNodeOf,
  signedInBy,
  signInWith,
  startPasskeyApp,
} from "../support/passkeys.ts";
import { SoftwareAuthenticator } from "../support/software-authenticator.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startPasskeyApp();
});
afterAll(() => app.stop());

const minuteMs = 60_000;

/** The settings that an outcome names; undefined if it names none. */
function offeredBy(answer: { readonly value?: unknown }): Flow | undefined {
  const { continueWith = [] } = (answer.value ?? {}) as { readonly continueWith?: readonly ContinueWith[] };
  const [next] = continueWith;
  return next?.action.case === "settings" ? next.action.value.flow : undefined;
}

/** Signs in by password: the session, and the flow in which a passkey can be made. */
async function offerTo(email: string, { protocol = "Connect JSON" as Protocol, on = app } = {}) {
  const outcome = await logIn(on, email, goodPassword, protocol);
  const token = signedInBy({ outcome }).sessionToken;
  return { token, flow: offeredBy(outcome) };
}

async function offerToNew(protocol?: Protocol) {
  const { email } = await register(app);
  const { token, flow } = await offerTo(email, { ...(protocol && { protocol }) });
  if (flow === undefined) throw new Error("no passkey was offered");
  return { email, token, flow };
}

/** Submits one step of the settings. */
function submit(token: string, flowId: string, step: object, protocol: Protocol = "Connect JSON") {
  return app.client(SettingsService, { bearer: token, protocol }).submitSettingsFlow({
    flowId,
    step: step as never,
  });
}

const answered = (response: object) => ({ case: "passkey", value: { response } });

describe("a login by password of an account without a passkey", () => {
  test.each(protocols)(
    "offers to make one, which the browser may do by itself, over %s",
    async (protocol) => {
      const { email, token, flow } = await offerToNew(protocol);
      const node = passkeyNodeOf(flow);
      expect(node).toMatchObject({ conditional: true, options: { user: { name: email } } });
      expect(flow).toMatchObject({
        stage: { case: "createPasskey", value: { passkey: { options: node.options } } },
        account: { displayName: email },
      });
      expect(flow.form?.nodes.map(({ name }) => name)).toEqual(["passkey.response", "passkey"]);
      expect(Number((flow.expireTime?.seconds ?? 0n) - (flow.createTime?.seconds ?? 0n))).toBe(300);

      const device = new SoftwareAuthenticator({ userPresent: false, userVerified: false });
      const made = await submit(token, flow.id, answered(device.create(optionsOf(flow))), protocol);
      if (made.outcome.case !== "completed") throw new Error(`it was ${made.outcome.case}`);
      expect(made.outcome.value.signedIn).toBeUndefined();
      const settings = await new Settings(app, token, protocol).begin();
      expect(credentialsOf(settings)).toMatchObject([
        { kind: MethodKind.PASSWORD },
        { kind: MethodKind.PASSKEY, secondFactor: false },
      ]);
      // It is a first factor from now on.
      device.with({ userPresent: true, userVerified: true });
      expect(signedInBy(await signInWith(app, device, protocol)).session?.assuranceLevel).toBe(
        AssuranceLevel.AAL2,
      );
    },
  );

  test("goes on working by itself afterwards, offers none any more, and raises no session", async () => {
    const { email, token, flow } = await offerToNew();
    await submit(token, flow.id, answered(new SoftwareAuthenticator().create(optionsOf(flow))));
    const { session } = await app.client(SessionService, { bearer: token }).getCurrentSession({});
    expect(session?.assuranceLevel).toBe(AssuranceLevel.AAL1);
    expect((await offerTo(email)).flow).toBeUndefined();
  });

  test("tells the owner that a passkey was made", async () => {
    const account = await verifiedAccount(app);
    const { token, flow } = await offerTo(account.email);
    await submit(token, flow?.id ?? "", answered(new SoftwareAuthenticator().create(optionsOf(flow))));
    const { content } = (await app.messages(account.email)).at(-1) ?? {};
    expect(content).toMatchObject({ template: "credential_added", data: { kind: "passkey" } });
  });

  test("offers it once the second factor was shown, and not before", async () => {
    const account = await register(app);
    const { device } = await setUpTotp(app, account);
    app.clock.advance(minuteMs);
    const first = await logIn(app, account.email);
    expect(first).toMatchObject({ case: "nextStep" });
    const flowId = first.flow?.id ?? "";
    const { outcome } = await app.client(LoginService, { protocol: "Connect JSON" }).submitLoginFlow({
      flowId,
      step: { case: "totp", value: { code: device.code() } },
    });
    const flow = offeredBy(outcome);
    const response = new SoftwareAuthenticator({ userPresent: false }).create(optionsOf(flow));
    const made = await submit(signedInBy({ outcome }).sessionToken, flow?.id ?? "", answered(response));
    expect(made.outcome.case).toBe("completed");
  });

  test("offers it to a browser, which reads it again and sends its form", async () => {
    const { email } = await register(app);
    const browser = new Browser(app.publicUrl, app.localUrl);
    const origin = { origin: "https://id.example.com" };
    const call = (method: string, message: object) =>
      browser.post(`/ostiary.flow.v1.${method}`, message, origin);
    const begun = await call("LoginService/CreateLoginFlow", { client: "CLIENT_KIND_BROWSER" });
    const { id: flowId, csrfToken } = begun.body.flow;
    const completed = await call("LoginService/SubmitLoginFlow", {
      ...{ flowId, csrfToken, identifier: email, password: { password: goodPassword } },
    });
    const offered = completed.body.completed.continueWith[0].settings.flow;
    const again = await call("FlowService/GetFlow", { flowId: offered.id });
    expect(again.body.flow.createPasskey).toEqual(offered.createPasskey);
    const device = new SoftwareAuthenticator({ userPresent: false });
    const made = await call("FlowService/SubmitForm", {
      flowId: offered.id,
      ...{ csrfToken: offered.csrfToken, step: "passkey" },
      values: { "passkey.response": JSON.stringify(device.create(offered.createPasskey.passkey.options)) },
    });
    expect(made.body).toHaveProperty("completed");
  });

  test("gives the same offer again where its answer was lost, and it is good with the new token", async () => {
    const { email } = await register(app);
    const client = app.client(LoginService, { protocol: "Connect JSON" });
    const { flow: begun } = await client.createLoginFlow({ client: ClientKind.NATIVE });
    const request = {
      ...{ flowId: begun?.id ?? "", identifier: email, requestId: "once" },
      step: { case: "password" as const, value: { password: goodPassword } },
    };
    const lost = await client.submitLoginFlow(request);
    const { outcome } = await client.submitLoginFlow(request);
    const flow = offeredBy(outcome);
    expect(flow?.id).toBe(offeredBy(lost.outcome)?.id);
    const response = new SoftwareAuthenticator().create(optionsOf(flow));
    const made = await submit(signedInBy({ outcome }).sessionToken, flow?.id ?? "", answered(response));
    expect(made.outcome.case).toBe("completed");
  });
});

test("an offer costs a login no round trip, and to make the passkey costs at most six", async () => {
  const { email } = await register(app);
  app.statements.length = 0;
  const { token, flow } = await offerTo(email);
  // One creates the login, three sign in.
  expect(app.statements).toHaveLength(4);
  app.statements.length = 0;
  await submit(token, flow?.id ?? "", answered(new SoftwareAuthenticator().create(optionsOf(flow))));
  expect(app.statements.length).toBeLessThanOrEqual(6);
});

describe("the offer of a login", () => {
  // Security rule (SR-PASSKEY-8): one registration response, and nothing else.
  const others = SubmitSettingsFlowRequestSchema.oneofs
    .flatMap(({ fields }) => fields)
    .filter(({ localName }) => localName !== "passkey");

  test.each(others.map(({ localName, message }) => [localName, message] as const))(
    "takes no step %s (SR-PASSKEY-8)",
    async (name, message) => {
      const { token, flow } = await offerToNew();
      if (message === undefined) throw new Error("a step is a message");
      const given = message.fields.find(({ localName }) => localName === "credentialId")
        ? { credentialId: "01900000-0000-7000-8000-000000000000" }
        : message.fields.some(({ localName }) => localName === "actionId")
          ? { actionId: "01900000-0000-7000-8000-000000000000" }
          : {};
      const forged = submit(token, flow.id, { case: name, value: create(message, given as never) });
      expect(await refusal(forged)).toMatchObject({ reason: "STEP_NOT_OFFERED" });
    },
  );

  test("takes no step by its form either, and stays good for a right answer (SR-PASSKEY-8)", async () => {
    const { token, flow } = await offerToNew();
    const form = app.client(FlowService, { bearer: token });
    const forged = form.submitForm({ flowId: flow.id, step: "password", values: {} });
    expect((await refusal(forged)).reason).toMatch(/STEP_NOT_OFFERED|STEP_UNKNOWN/);
    const rejected = await submit(token, flow.id, { case: "passkey", value: {} });
    expect(rejected.outcome).toMatchObject({ value: { reason: RejectionReason.FORM_INCOMPLETE } });
    const made = await submit(token, flow.id, answered(new SoftwareAuthenticator().create(optionsOf(flow))));
    expect(made.outcome.case).toBe("completed");
  });

  test("is good once, also for 16 at the same moment (SR-PASSKEY-8)", async () => {
    const { token, flow } = await offerToNew();
    const tries = await Promise.allSettled(
      Array.from({ length: 16 }, () =>
        submit(token, flow.id, answered(new SoftwareAuthenticator().create(optionsOf(flow)))),
      ),
    );
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const again = submit(token, flow.id, answered(new SoftwareAuthenticator().create(optionsOf(flow))));
    expect((await refusal(again)).reason).toBe("FLOW_COMPLETED");
    expect(credentialsOf(await new Settings(app, token).begin())).toHaveLength(2);
  });

  test("is refused to every session but the one that the login gave (SR-PASSKEY-8)", async () => {
    const { email, sessionToken: former } = await register(app);
    const { token, flow } = await offerTo(email);
    const response = new SoftwareAuthenticator().create(optionsOf(flow));
    const later = await sessionTokenOf(app, email);
    const stranger = (await register(app)).sessionToken;
    for (const other of [former, later, stranger]) {
      expect((await refusal(submit(other, flow?.id ?? "", answered(response)))).reason).toBe(
        "FLOW_NOT_FOUND",
      );
      const read = app.client(FlowService, { bearer: other }).getFlow({ flowId: flow?.id ?? "" });
      expect((await refusal(read)).reason).toBe("FLOW_NOT_FOUND");
    }
    const made = await submit(token, flow?.id ?? "", answered(response));
    expect(made.outcome.case).toBe("completed");
  });

  test("is refused once its session is over (SR-PASSKEY-8)", async () => {
    const { token, flow } = await offerToNew();
    await app.client(SessionService, { bearer: token }).logout({});
    const late = submit(token, flow.id, answered(new SoftwareAuthenticator().create(optionsOf(flow))));
    expect((await refusal(late)).reason).toMatch(/^SESSION_/);
  });

  test("is over after five minutes: what follows are settings, which ask as always (SR-PASSKEY-8)", async () => {
    const { token, flow } = await offerToNew();
    app.clock.advance(5 * minuteMs);
    const late = await submit(token, flow.id, answered(new SoftwareAuthenticator().create(optionsOf(flow))));
    expect(late.outcome.case).toBe("expired");
    expect(late.flow?.stage.case).toBe("changeSettings");
    expect(credentialsOf(late.flow)).toMatchObject([{ kind: MethodKind.PASSWORD }]);
    app.clock.advance(11 * minuteMs);
    const asked = await submit(token, late.flow?.id ?? "", { case: "passkey", value: {} });
    expect(asked.outcome.case).toBe("loginRequired");
  });

  test("ends with a new password and a new second factor, as all that is on its way", async () => {
    const { email, token, flow } = await offerToNew();
    const settings = new Settings(app, await sessionTokenOf(app, email));
    await settings.submit("password", { password: "another horse battery", keepOtherSessions: true });
    const { flow: found } = await app.client(FlowService, { bearer: token }).getFlow({ flowId: flow.id });
    expect(found?.state).toBe(FlowState.COMPLETED);
    const other = await offerToNew();
    await setUpTotp(app, { sessionToken: await sessionTokenOf(app, other.email) });
    const late = submit(
      other.token,
      other.flow.id,
      answered(new SoftwareAuthenticator().create(optionsOf(other.flow))),
    );
    expect((await refusal(late)).reason).toBe("FLOW_COMPLETED");
  });

  // Security rule (SR-PASSKEY-9): a user who is not there is let pass in a conditional creation alone.
  test("lets pass a user who is not there, and the settings do not (SR-PASSKEY-9)", async () => {
    const { token, flow } = await offerToNew();
    const absent = new SoftwareAuthenticator({ userPresent: false });
    const settings = new Settings(app, token);
    const asked = await settings.submit("passkey");
    const refused = await settings.submit("passkey", { response: absent.create(optionsOf(asked.flow)) });
    expect(refused.outcome).toMatchObject({ value: { reason: RejectionReason.PASSKEY_INVALID } });
    const made = await submit(token, flow.id, answered(absent.create(optionsOf(flow))));
    expect(made.outcome.case).toBe("completed");
  });

  test.each([
    ["another challenge", (flow: Flow) => ({ ...optionsOf(flow), challenge: "AAAA" }), {}],
    ["another page", optionsOf, { origin: "https://id.example.com.evil.test" }],
    ["another algorithm", optionsOf, { claimedAlgorithm: -37 }],
  ] as const)("refuses an answer with %s", async (_name, asked, options) => {
    const { token, flow } = await offerToNew();
    const answer = new SoftwareAuthenticator({ userPresent: false, ...options }).create(asked(flow));
    const refused = await submit(token, flow.id, answered(answer));
    expect(refused.outcome).toMatchObject({ value: { reason: RejectionReason.PASSKEY_INVALID } });
  });
});

describe("no passkey is offered", () => {
  test("by a login of an account that has one, nor by the passkey itself", async () => {
    const { email, sessionToken } = await register(app);
    const device = new SoftwareAuthenticator();
    await addPasskey(new Settings(app, sessionToken), device);
    expect((await offerTo(email)).flow).toBeUndefined();
    expect(offeredBy((await signInWith(app, device)).outcome)).toBeUndefined();
  });

  test("by a login that only shows again who it is", async () => {
    const { token } = await offerToNew();
    const client = app.client(LoginService, { bearer: token, protocol: "Connect JSON" });
    const { flow } = await client.createLoginFlow({
      client: ClientKind.NATIVE,
      purpose: LoginPurpose.REFRESH,
    });
    const { outcome } = await client.submitLoginFlow({
      flowId: flow?.id ?? "",
      step: { case: "password", value: { password: goodPassword } },
    });
    expect(signedInBy({ outcome }).sessionToken).not.toBe("");
    expect(offeredBy(outcome)).toBeUndefined();
  });

  test("by a login that showed less than a change of the account asks for", async () => {
    const lenient = await startPasskeyApp({ second_factor: { policy: "optional" } });
    try {
      const { email, sessionToken } = await register(lenient);
      expect((await offerTo(email, { on: lenient })).flow).toBeDefined();
      await setUpTotp(lenient, { sessionToken });
      expect((await offerTo(email, { on: lenient })).flow).toBeUndefined();
    } finally {
      await lenient.stop();
    }
  });

  test("by a login whose second factor is weaker than another one of the account", async () => {
    const both = await startPasskeyApp({ sms_factor: { enabled: true } });
    try {
      const account = await register(both);
      const { settings } = await setUpTotp(both, account);
      const { number } = await setUpSms(both, { sessionToken: settings.token });
      const { flow } = await logIn(both, account.email);
      const client = both.client(LoginService);
      const show = (value: object) =>
        client.submitLoginFlow({ flowId: flow?.id ?? "", step: { case: "sms", value } as never });
      await show({});
      const { outcome } = await show({ code: await codeSentTo(both, number) });
      expect(signedInBy({ outcome }).sessionToken).not.toBe("");
      expect(offeredBy(outcome)).toBeUndefined();
    } finally {
      await both.stop();
    }
  });

  test.each([
    ["it is switched off", { passkey: { offer_after_login: false } }],
    ["passkeys are off", { passkey: { enabled: false } }],
    ["they only come second", { passkey: { use_as: "second" } }],
  ])("where %s", async (_name, settings) => {
    const other = await startPasskeyApp(settings);
    try {
      const { email } = await register(other);
      expect((await offerTo(email, { on: other })).flow).toBeUndefined();
    } finally {
      await other.stop();
    }
  });
});
