import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ApiKeyService } from "../../gen/ostiary/access/v1/api_key_service_pb.js";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import {
  LoginPurpose,
  LoginService,
  type SubmitLoginFlowRequest,
} from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { PasswordRule, RejectionReason, type SignedIn } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import {
  type SubmitVerificationFlowRequest,
  VerificationService,
} from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { RequiredActionKind, RequiredActionTiming } from "../../gen/ostiary/identity/v1/identity_pb.js";
import {
  IdentityService,
  LoginPolicyClient,
  LoginPolicyRule,
} from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AssuranceLevel } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { toValue } from "../../src/transport/rpc/convert/value.ts";
import { freshEmail, goodPassword, logIn, register, sessionTokenOf } from "../support/accounts.ts";
import { type Protocol, protocols, startTestApp, type TestApp } from "../support/app.ts";
import { stepsOf, verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { Settings, setUpSms, setUpTotp } from "../support/factors.ts";
import { addPasskey, registerPasskey, signInWith, startPasskeyApp } from "../support/passkeys.ts";
import { administer } from "../support/postgres.ts";
import { SoftwareAuthenticator } from "../support/software-authenticator.ts";
import { TotpDevice } from "../support/totp-device.ts";

type Step = SubmitLoginFlowRequest["step"];

const { SET_PASSWORD, VERIFY_ADDRESS, COMPLETE_TRAITS, ENROL_FACTOR, ACCEPT_TERMS } = RequiredActionKind;
const { BEFORE_SESSION, WHEN_CONVENIENT } = RequiredActionTiming;
const another = "another long password";
const terms = { id: "terms-of-service", version: "2026-11", title: "Terms of service", url: "/terms" };

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ config: { tenant_defaults: { terms: [terms] } } });
});
afterAll(() => app.stop());
beforeEach(() => app.clock.advance(60_000));

/** What an operator asks for, by the kind alone or as it is given. */
type Asked =
  | RequiredActionKind
  | { readonly kind: RequiredActionKind; readonly timing: RequiredActionTiming };

function toNew(asked: Asked) {
  const { kind, timing } = typeof asked === "object" ? asked : { kind: asked, timing: BEFORE_SESSION };
  const action =
    kind === ACCEPT_TERMS
      ? { case: "acceptTerms" as const, value: { document: terms.id } }
      : { case: "kind" as const, value: kind };
  return { action, timing };
}

async function ask(identityId: string, ...asked: readonly Asked[]) {
  const { identity } = await app
    .client(IdentityService)
    .setRequiredActions({ identityId, requiredActions: asked.map(toNew) });
  return identity?.requiredActions ?? [];
}

/** A step of the login that goes on. */
async function take(
  flow: Flow | undefined,
  name: NonNullable<Step["case"]>,
  value: object = {},
  { protocol = "Connect JSON", ...more }: { readonly protocol?: Protocol; readonly traits?: object } = {},
  on: TestApp = app,
) {
  on.clock.advance(1);
  const step = { case: name, value } as Step;
  const client = on.client(LoginService, { protocol });
  return client.submitLoginFlow({ flowId: flow?.id ?? "", step, ...(more as object) });
}

function waiting(flow: Flow | undefined) {
  if (flow?.stage.case !== "requiredAction") throw new Error(`the stage is ${flow?.stage.case}`);
  return flow.stage.value;
}

function signedIn(answer: { outcome: { case?: string | undefined; value?: unknown } }): SignedIn {
  if (answer.outcome.case !== "completed") throw new Error(`it was ${answer.outcome.case}`);
  const { signedIn: given } = answer.outcome.value as { readonly signedIn?: SignedIn };
  if (given === undefined) throw new Error("nobody was signed in");
  return given;
}

async function actionsOf(identityId: string) {
  const { identity } = await app.client(IdentityService).getIdentity({ identityId });
  return (identity?.requiredActions ?? []).map(({ kind }) => kind);
}

/** The events of an identity about what it is asked to do, oldest first. */
function eventsOf(identityId: string, on = app) {
  return administer(
    on.databaseUrl,
    (query) =>
      query(
        `SELECT type, data ->> 'kind' AS kind, data ->> 'version' AS version, data ->> 'actionId' AS action, actor ->> 'kind' AS actor FROM ostiary.event
          WHERE identity_id = $1 AND type LIKE 'identity.required%' ORDER BY created_at, id`,
        [identityId],
      ) as Promise<readonly { readonly type: string; readonly kind: string | null }[]>,
  );
}

/** The device for the key that a stage shows. */
function deviceOf(flow: Flow | undefined, on: TestApp = app) {
  const [offer] = waiting(flow).offers;
  if (offer?.part.case !== "totp") throw new Error("no key was shown");
  return TotpDevice.from(offer.part.value.key, () => on.clock.now());
}

async function person() {
  const { email, id, sessionToken } = await verifiedAccount(app);
  return { email, id, sessionToken };
}

describe("what an operator asks for", () => {
  test.each(protocols)("is kept with the identity until it is set again, over %s", async (protocol) => {
    const { id } = await person();
    const client = app.client(IdentityService, { protocol });
    const set = (...asked: readonly Asked[]) =>
      client.setRequiredActions({ identityId: id, requiredActions: asked.map(toNew) });
    const { identity } = await set(SET_PASSWORD, { kind: ACCEPT_TERMS, timing: WHEN_CONVENIENT });
    expect(identity?.requiredActions).toMatchObject([
      {
        kind: SET_PASSWORD,
        timing: BEFORE_SESSION,
        setBy: { case: "apiKeyId" },
        details: { case: undefined },
      },
      {
        kind: ACCEPT_TERMS,
        timing: WHEN_CONVENIENT,
        details: { case: "acceptTerms", value: { document: terms.id, version: terms.version } },
      },
    ]);
    expect(await actionsOf(id)).toEqual([SET_PASSWORD, ACCEPT_TERMS]);
    await set(ENROL_FACTOR);
    expect(await actionsOf(id)).toEqual([ENROL_FACTOR]);
    await set();
    expect(await actionsOf(id)).toEqual([]);
    expect((await eventsOf(id)).map(({ type }) => type)).toEqual(
      Array.from({ length: 3 }, () => "identity.required_actions_set"),
    );
  });

  test("is refused where it means nothing, and says where", async () => {
    const { id } = await person();
    const client = app.client(IdentityService);
    const set = (requiredActions: object[]) => client.setRequiredActions({ identityId: id, requiredActions });
    const unknown = { case: "acceptTerms", value: { document: "other" } };
    expect(await refusal(set([{ action: unknown }]))).toMatchObject({
      reason: "REQUEST_INVALID",
      violations: [{ field: "requiredActions[0].acceptTerms.document" }],
    });
    expect(await refusal(set([toNew(SET_PASSWORD), toNew(SET_PASSWORD)]))).toMatchObject({
      reason: "REQUEST_INVALID",
      violations: [{ field: "requiredActions[1]" }],
    });
    const unspecified = { action: { case: "kind", value: RequiredActionKind.UNSPECIFIED } };
    expect((await refusal(set([unspecified]))).reason).toBe("REQUEST_INVALID");
    const { secret } = await app
      .client(ApiKeyService)
      .createApiKey({ name: "narrow", scopes: ["identity:read"] });
    const narrow = app.client(IdentityService, { bearer: secret });
    const forbidden = narrow.setRequiredActions({ identityId: id, requiredActions: [] });
    expect((await refusal(forbidden)).reason).toBe("API_KEY_SCOPE_MISSING");
    const nobody = "01900000-0000-7000-8000-000000000000";
    const missing = client.setRequiredActions({ identityId: nobody, requiredActions: [] });
    expect((await refusal(missing)).reason).toBe("IDENTITY_NOT_FOUND");
  });

  test("can be asked of many at once, and ends their sessions only where that is said", async () => {
    const [one, other] = [await person(), await person()];
    const nobody = "01900000-0000-7000-8000-000000000000";
    const client = app.client(IdentityService);
    const batch = (endSessions: boolean) =>
      client.batchSetRequiredActions({
        identityIds: [one.id, nobody, other.id],
        requiredActions: [toNew(SET_PASSWORD)],
        endSessions,
      });
    expect((await batch(false)).results).toMatchObject([
      { identityId: one.id },
      { identityId: nobody, error: { errorInfo: { reason: "IDENTITY_NOT_FOUND" } } },
      { identityId: other.id },
    ]);
    const current = () => app.client(SessionService, { bearer: one.sessionToken }).getCurrentSession({});
    expect((await current()).session?.pendingActions).toEqual([SET_PASSWORD]);
    await batch(true);
    expect((await refusal(current())).reason).toBe("SESSION_REVOKED");
  });

  test("comes with an identity that is made, and is seen by a session that is checked", async () => {
    const email = freshEmail();
    const client = app.client(IdentityService);
    const { identity } = await client.createIdentity({
      traits: { email },
      credentials: { password: { value: { case: "password", value: goodPassword } } },
      requiredActions: [toNew({ kind: SET_PASSWORD, timing: WHEN_CONVENIENT })],
    });
    expect(identity?.requiredActions).toMatchObject([{ kind: SET_PASSWORD }]);
    const outcome = await logIn(app, email);
    expect(outcome.value).toMatchObject({
      continueWith: [{ action: { case: "requiredAction", value: { kind: SET_PASSWORD } } }],
    });
    const { sessionToken, session } = signedIn({ outcome });
    expect(session?.pendingActions).toEqual([SET_PASSWORD]);
    const checks = app.client(SessionService);
    expect((await checks.checkSession({ token: sessionToken })).session?.pendingActions).toEqual([
      SET_PASSWORD,
    ]);
    const demands = [{ demand: { case: "noPendingActions" as const, value: {} } }];
    const refused = checks.checkSession({ token: sessionToken, demands });
    expect((await refusal(refused)).reason).toBe("SESSION_ACTIONS_PENDING");

    // A login that steps up to none does all of them.
    const logins = app.client(LoginService, { bearer: sessionToken });
    const { flow } = await logins.createLoginFlow({
      client: ClientKind.NATIVE,
      purpose: LoginPurpose.STEP_UP,
      demands,
    });
    const stepping = await take(flow, "password", { password: goodPassword });
    expect(waiting(stepping.flow).action?.kind).toBe(SET_PASSWORD);
    const done = signedIn(await take(stepping.flow, "password", { password: another }));
    expect(done.session?.pendingActions).toEqual([]);
    expect((await checks.checkSession({ token: done.sessionToken, demands })).session?.id).toBe(
      done.session?.id,
    );
  });
});

// Security rule (SR-ACTION-1): until what comes before a session is done there is none.
describe("a login of somebody who has something to do first (SR-ACTION-1)", () => {
  test.each(protocols)("sets a new password, and has a session only then, over %s", async (protocol) => {
    const { email, id } = await person();
    await ask(id, SET_PASSWORD);
    const { case: outcome, flow } = await logIn(app, email, goodPassword, protocol);
    expect(outcome).toBe("nextStep");
    expect(waiting(flow)).toMatchObject({
      action: { kind: SET_PASSWORD },
      offers: [{ part: { case: "password" } }],
    });
    expect(stepsOf(flow)).toEqual(["password", "back"]);
    const short = await take(flow, "password", { password: "short" }, { protocol });
    expect(short.outcome.case).toBe("rejected");
    // Security rule (SR-ACTION-2): the password that it has is no new one.
    const same = await take(short.flow, "password", { password: goodPassword }, { protocol });
    expect(same.outcome).toMatchObject({
      case: "rejected",
      value: {
        reason: RejectionReason.PASSWORD_REJECTED,
        detail: { case: "password", value: { rule: PasswordRule.UNCHANGED } },
      },
    });
    const { session } = signedIn(await take(same.flow, "password", { password: another }, { protocol }));
    expect(session?.pendingActions).toEqual([]);
    expect(await actionsOf(id)).toEqual([]);
    expect(await eventsOf(id)).toMatchObject([
      { type: "identity.required_actions_set", actor: "api_key" },
      { type: "identity.required_action_completed", kind: "set_password", actor: "identity" },
    ]);
    expect((await logIn(app, email)).case).toBe("rejected");
    expect((await logIn(app, email, another)).case).toBe("completed");
  });

  test.each(protocols)("sets up a second factor, which the session is worth, over %s", async (protocol) => {
    const { email, id } = await person();
    await ask(id, ENROL_FACTOR);
    const { flow } = await logIn(app, email, goodPassword, protocol);
    expect(waiting(flow).offers.map(({ part }) => part.case)).toContain("totp");
    const shown = await take(flow, "totp", {}, { protocol });
    const device = deviceOf(shown.flow);
    const wrong = await take(shown.flow, "totp", { code: "000000" }, { protocol });
    expect(wrong.outcome.case).toBe("rejected");
    const done = signedIn(await take(wrong.flow, "totp", { code: device.code() }, { protocol }));
    expect(done.session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    // From now on it is asked for, and nothing more is to be done.
    app.clock.advance(60_000);
    const again = await logIn(app, email);
    expect(again.flow?.stage).toMatchObject({ case: "chooseMethod", value: { secondFactor: true } });
    const second = await take(again.flow, "totp", { code: device.code() });
    expect(signedIn(second).session?.pendingActions).toEqual([]);
  });

  test.each(protocols)("verifies an address, by a code that is sent there, over %s", async (protocol) => {
    const { email, identity } = await register(app);
    await ask(identity?.id ?? "", VERIFY_ADDRESS);
    const { flow } = await logIn(app, email, goodPassword, protocol);
    expect(waiting(flow)).toMatchObject({
      action: { kind: VERIFY_ADDRESS },
      address: expect.stringMatching(/^p/),
    });
    const sent = await take(flow, "sendCode", {}, { protocol });
    expect(sent.flow?.stage.case).toBe("enterCode");
    const wrong = await take(sent.flow, "code", { code: "000000" }, { protocol });
    expect(wrong.outcome.case).toBe("rejected");
    app.clock.advance(60_000);
    const resent = await take(wrong.flow, "resend", {}, { protocol });
    const message = (await app.messages(email)).at(-1);
    expect(message?.template).toBe("verification_code");
    const done = signedIn(await take(resent.flow, "code", { code: message?.code ?? "" }, { protocol }));
    expect(done.identity?.addresses[0]?.verifyTime).toBeDefined();
    expect(await actionsOf(identity?.id ?? "")).toEqual([]);
    expect((await eventsOf(identity?.id ?? "")).at(-1)).toMatchObject({ kind: "verify_address" });
  });

  test.each(protocols)("accepts a document, in the version that it was shown, over %s", async (protocol) => {
    const { email, id } = await person();
    await ask(id, ACCEPT_TERMS);
    const { flow } = await logIn(app, email, goodPassword, protocol);
    const { action, termsTitle, termsUrl } = waiting(flow);
    expect([termsTitle, termsUrl]).toEqual([terms.title, `${app.publicUrl}/terms`]);
    const other = take(
      flow,
      "acceptTerms",
      { actionId: "01900000-0000-7000-8000-000000000000" },
      { protocol },
    );
    expect((await refusal(other)).reason).toBe("FLOW_CHANGED");
    signedIn(await take(flow, "acceptTerms", { actionId: action?.id }, { protocol }));
    expect((await eventsOf(id)).at(-1)).toMatchObject({ kind: "accept_terms", version: terms.version });
  });

  test("is drawn as a form, by which all of it can be done", async () => {
    const { email, id } = await person();
    const [action] = await ask(id, ACCEPT_TERMS, SET_PASSWORD);
    const { flow } = await logIn(app, email);
    const forms = app.client(FlowService);
    const press = (current: Flow | undefined, step: string, values: Record<string, string>) =>
      forms.submitForm({
        flowId: current?.id ?? "",
        step,
        values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toValue(value)])),
      });
    expect(flow?.form?.nodes.map(({ name, kind }) => [name, kind.case])).toEqual([
      ["acceptTerms.document", "anchor"],
      ["acceptTerms.actionId", "button"],
      ["back", "button"],
    ]);
    const accepted = await press(flow, "acceptTerms", { "acceptTerms.actionId": action?.id ?? "" });
    expect(waiting(accepted.flow).action?.kind).toBe(SET_PASSWORD);
    const done = await press(accepted.flow, "password", { "password.password": another });
    expect(done.outcome.case).toBe("completed");
  });

  test("does one after the other, and gives the proofs up by going back", async () => {
    const { email, id } = await person();
    // A factor comes last: it would have to be shown before what follows.
    const [, , document] = await ask(id, ENROL_FACTOR, SET_PASSWORD, ACCEPT_TERMS);
    const first = await logIn(app, email);
    const second = await take(first.flow, "password", { password: another });
    expect(waiting(second.flow).action?.kind).toBe(ACCEPT_TERMS);
    const third = await take(second.flow, "acceptTerms", { actionId: document?.id });
    expect(waiting(third.flow).action?.kind).toBe(ENROL_FACTOR);
    const shown = await take(third.flow, "totp");
    const chosen = await take(shown.flow, "back");
    expect(waiting(chosen.flow).action?.kind).toBe(ENROL_FACTOR);
    const back = await take(chosen.flow, "back");
    expect(back.flow?.stage.case).toBe("chooseMethod");
    expect((await refusal(take(back.flow, "totp", { code: "123456" }))).reason).toBe("STEP_NOT_OFFERED");
    // What is done is done.
    expect(await actionsOf(id)).toEqual([ENROL_FACTOR]);
  });

  test("shows a second factor before it comes to that, and the same code again serves nobody", async () => {
    const { email, id, sessionToken } = await person();
    const { device } = await setUpTotp(app, { sessionToken });
    await ask(id, SET_PASSWORD);
    app.clock.advance(60_000);
    const code = device.code();
    const { flow } = await logIn(app, email);
    expect(flow?.stage.case).toBe("chooseMethod");
    const proved = await take(flow, "totp", { code });
    expect(waiting(proved.flow).action?.kind).toBe(SET_PASSWORD);
    const again = await logIn(app, email);
    expect((await take(again.flow, "totp", { code })).outcome.case).toBe("rejected");
    const done = signedIn(await take(proved.flow, "password", { password: another }));
    expect(done.session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    expect(done.session?.authenticationMethods).toHaveLength(2);
  });

  test("ends with whatever ends the account's flows, and asks for what is asked for meanwhile", async () => {
    const { email, id } = await person();
    await ask(id, SET_PASSWORD);
    const ended = await logIn(app, email);
    const password = { value: { case: "password" as const, value: another } };
    await app.client(IdentityService).setPassword({ identityId: id, password });
    const late = take(ended.flow, "password", { password: "a third long password" });
    expect((await refusal(late)).reason).toBe("FLOW_COMPLETED");
    const { flow } = await logIn(app, email, another);
    await ask(id, SET_PASSWORD, ACCEPT_TERMS);
    const more = await take(flow, "password", { password: "a third long password" });
    expect(waiting(more.flow).action?.kind).toBe(ACCEPT_TERMS);
    await app.client(IdentityService).deactivateIdentity({ identityId: id });
    const { action } = waiting(more.flow);
    const gone = take(more.flow, "acceptTerms", { actionId: action?.id });
    expect((await refusal(gone)).reason).toBe("FLOW_COMPLETED");
  });

  test("ends with a new password also while it waits for the code of an address", async () => {
    const { email, identity } = await register(app);
    const id = identity?.id ?? "";
    await ask(id, VERIFY_ADDRESS);
    const { flow } = await logIn(app, email);
    const sent = await take(flow, "sendCode");
    const { code = "" } = (await app.messages(email)).at(-1) ?? {};
    const password = { value: { case: "password" as const, value: another } };
    await app.client(IdentityService).setPassword({ identityId: id, password });
    expect((await refusal(take(sent.flow, "code", { code }))).reason).toBe("FLOW_COMPLETED");
    expect((await refusal(take(sent.flow, "resend"))).reason).toBe("FLOW_COMPLETED");
  });

  test("is not kept waiting for what nobody asks for any more", async () => {
    const { email, id } = await person();
    await ask(id, ACCEPT_TERMS);
    const { flow } = await logIn(app, email);
    const { action } = waiting(flow);
    await ask(id);
    signedIn(await take(flow, "acceptTerms", { actionId: action?.id }));
  });

  test("gives one session to sixteen submits at once", async () => {
    const { email, id } = await person();
    await ask(id, ACCEPT_TERMS);
    const { flow } = await logIn(app, email);
    const { action } = waiting(flow);
    const all = await Promise.allSettled(
      Array.from({ length: 16 }, () => take(flow, "acceptTerms", { actionId: action?.id })),
    );
    const completed = all.filter(
      (each) => each.status === "fulfilled" && each.value.outcome.case === "completed",
    );
    expect(completed).toHaveLength(1);
    const done = (await eventsOf(id)).filter(({ type }) => type.endsWith("completed"));
    expect(done).toHaveLength(1);
  });
});

// Security rule (SR-ACTION-3): an action changes the account with no less proof than the settings ask for.
describe("a second factor and what changes the account before the session (SR-ACTION-3)", () => {
  let lax: TestApp;
  let usual: TestApp;
  beforeAll(async () => {
    lax = await startPasskeyApp({ second_factor: { policy: "optional" } });
    usual = await startPasskeyApp();
  });
  afterAll(async () => {
    await lax.stop();
    await usual.stop();
  });

  async function account(on = lax) {
    const { email, identity, sessionToken } = await register(on);
    const asks = (...asked: readonly Asked[]) =>
      on
        .client(IdentityService)
        .setRequiredActions({ identityId: identity?.id ?? "", requiredActions: asked.map(toNew) });
    return { email, settings: new Settings(on, sessionToken), sessionToken, asks };
  }

  test("is asked for, also where the policy leaves it out of logins", async () => {
    const { email, sessionToken, asks } = await account();
    const { device } = await setUpTotp(lax, { sessionToken });
    expect((await logIn(lax, email)).case).toBe("completed");
    await asks(SET_PASSWORD);
    lax.clock.advance(60_000);
    const { flow } = await logIn(lax, email);
    expect(flow?.stage).toMatchObject({ case: "chooseMethod", value: { secondFactor: true } });
    const shown = await take(flow, "totp", { code: device.code() }, {}, lax);
    expect(waiting(shown.flow).action?.kind).toBe(SET_PASSWORD);
    const done = signedIn(await take(shown.flow, "password", { password: another }, {}, lax));
    expect(done.session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    // What changes nothing asks for no more than other logins.
    await asks(VERIFY_ADDRESS);
    expect(waiting((await logIn(lax, email, another)).flow).action?.kind).toBe(VERIFY_ADDRESS);
  });

  test("is explained by the action", async () => {
    const { sessionToken, asks } = await account();
    await setUpTotp(lax, { sessionToken });
    const { identity } = await asks(SET_PASSWORD);
    const { proofs } = await lax.client(IdentityService).explainLoginPolicy({
      identityId: identity?.id ?? "",
      client: LoginPolicyClient.NATIVE,
    });
    expect(proofs.find(({ method }) => method === MethodKind.PASSWORD)).toMatchObject({
      rule: LoginPolicyRule.REQUIRED_ACTION,
      secondFactors: [{ method: MethodKind.TOTP }],
    });
  });

  test.each<
    ["optional" | "required_if_enrolled", RequiredActionKind, NonNullable<Step["case"]>, object, string]
  >([
    ["optional", SET_PASSWORD, "password", { password: another }, "chooseMethod"],
    ["required_if_enrolled", SET_PASSWORD, "password", { password: another }, "chooseMethod"],
    ["required_if_enrolled", ENROL_FACTOR, "totp", {}, "chooseMethod"],
    // It is done by then, and other logins ask for no second factor either.
    ["optional", ENROL_FACTOR, "totp", {}, "completed"],
  ])("begins a login again that waited, policy %s, action %s", async (policy, kind, step, value, end) => {
    const on = policy === "optional" ? lax : usual;
    const { email, settings, asks } = await account(on);
    const { id: credentialId } = await addPasskey(settings, new SoftwareAuthenticator());
    await asks(kind);
    const { flow } = await logIn(on, email);
    expect(waiting(flow).action?.kind).toBe(kind);
    const switched = await settings.submit("secondFactor", { credentialId, enabled: true });
    expect(switched.outcome.case).toBe("saved");
    const { outcome, flow: after } = await take(flow, step, value, {}, on);
    expect(outcome.case === "completed" ? "completed" : after?.stage.case).toBe(end);
    expect((await logIn(on, email)).case).toBe(end === "completed" ? "completed" : "nextStep");
  });
});

describe("an address that is to be verified", () => {
  type Step = SubmitVerificationFlowRequest["step"];

  /** A verification by somebody who shows a session or not, up to the answer to the code. */
  async function prove(email: string, bearer = "") {
    app.clock.advance(1);
    const client = app.client(VerificationService, bearer === "" ? {} : { bearer });
    const { flow } = await client.createVerificationFlow({ client: ClientKind.NATIVE });
    const submit = (name: NonNullable<Step["case"]>, value: object = {}) =>
      client.submitVerificationFlow({
        flowId: flow?.id ?? "",
        address: email,
        step: { case: name, value } as Step,
      });
    await submit("sendCode");
    const { code } = (await app.messages(email)).at(-1) ?? {};
    return { submit, proved: await submit("code", { code }) };
  }

  const ways: Readonly<Record<string, (account: SignedIn & { readonly email: string }) => Promise<unknown>>> =
    {
      "a verification in a session": async ({ email, sessionToken }) => {
        const { proved } = await prove(email, sessionToken);
        expect(proved.outcome.case).toBe("completed");
      },
      "an operator": ({ email, identity }) =>
        app.client(IdentityService).verifyAddress({ identityId: identity?.id ?? "", address: email }),
      "a claim": async ({ email, sessionToken }) => {
        const { proved, submit } = await prove(email);
        expect(proved.flow?.stage.case).toBe("claimAccount");
        const client = app.client(VerificationService, { bearer: sessionToken });
        const step = { case: "resume", value: {} } as const;
        const kept = await client.submitVerificationFlow({ flowId: proved.flow?.id ?? "", step });
        expect(kept.outcome.case).toBe("completed");
        expect((await refusal(submit("resume"))).reason).toBe("FLOW_COMPLETED");
      },
      "somebody who disowns what was set up": async ({ email }) => {
        const { submit } = await prove(email);
        expect((await submit("disown")).outcome.case).toBe("completed");
      },
    };

  test.each(Object.entries(ways))(
    "by %s is, and does not come back where that is taken back",
    async (_, by) => {
      const registered = await register(app);
      const { email } = registered;
      const identityId = registered.identity?.id ?? "";
      const [action] = await ask(identityId, VERIFY_ADDRESS, ACCEPT_TERMS);
      app.clock.advance(1);
      await by(registered);
      expect(await actionsOf(identityId)).toEqual([ACCEPT_TERMS]);
      await app.client(IdentityService).unverifyAddress({ identityId, address: email });
      expect(await actionsOf(identityId)).toEqual([ACCEPT_TERMS]);
      expect(await eventsOf(identityId)).toMatchObject([
        { type: "identity.required_actions_set" },
        { type: "identity.required_action_completed", kind: "verify_address", action: action?.id },
      ]);
    },
  );
});

describe("what can be done at any time", () => {
  test("is done in the settings, where the password of before is no new one (SR-ACTION-2)", async () => {
    const { id, sessionToken } = await person();
    const asked = [SET_PASSWORD, ENROL_FACTOR, ACCEPT_TERMS].map((kind) => ({
      kind,
      timing: WHEN_CONVENIENT,
    }));
    const [, , document] = await ask(id, ...asked);
    const settings = new Settings(app, sessionToken);
    const flow = await settings.begin();
    const stage = flow?.stage.case === "changeSettings" ? flow.stage.value : undefined;
    expect(stage?.requiredActions.map(({ kind }) => kind)).toEqual([
      SET_PASSWORD,
      ENROL_FACTOR,
      ACCEPT_TERMS,
    ]);
    expect(flow?.form?.messages.map(({ text }) => text)).toEqual([
      "Please choose a new password.",
      "Please set up a second factor.",
      "Please read and accept the document below.",
    ]);
    expect((await settings.submit("acceptTerms", { actionId: document?.id })).outcome.case).toBe("saved");
    expect(await actionsOf(id)).toEqual([SET_PASSWORD, ENROL_FACTOR]);
    const { outcome } = await settings.submit("password", { password: goodPassword });
    expect(outcome).toMatchObject({
      case: "rejected",
      value: { detail: { value: { rule: PasswordRule.UNCHANGED } } },
    });
    await settings.submit("password", { password: another, keepOtherSessions: true });
    expect(await actionsOf(id)).toEqual([ENROL_FACTOR]);
    // Where no new one is asked for, nobody is told which it is.
    const again = await settings.submit("password", { password: another, keepOtherSessions: true });
    expect(again.outcome.case).toBe("saved");
    await setUpTotp(app, { sessionToken });
    expect(await actionsOf(id)).toEqual([]);
    expect((await eventsOf(id)).slice(1).map(({ kind }) => kind)).toEqual([
      "accept_terms",
      "set_password",
      "enrol_factor",
    ]);
  });
});

// Security rule (SR-LIMIT-5): no way to try a password is left out of the count of guesses.
test("an old session tries no password where a new one is asked for (SR-LIMIT-5, SR-ACTION-2)", async () => {
  const { email, id, sessionToken } = await person();
  await ask(id, { kind: SET_PASSWORD, timing: WHEN_CONVENIENT });
  app.clock.advance(3_600_000);
  const settings = new Settings(app, sessionToken);
  await settings.begin();
  // The password of the account, a new one and a short one are answered alike.
  const answers = [goodPassword, another, "short"];
  for (const password of answers) {
    const { outcome } = await settings.submit("password", { password });
    expect([password, outcome.case]).toEqual([password, "loginRequired"]);
    await settings.begin();
  }
  const asked = await settings.submit("password", { password: goodPassword });
  const { sessionToken: fresh } = signedIn(await take(asked.flow, "password", { password: goodPassword }));
  settings.token = fresh;
  const resumed = await settings.submit("resume");
  expect(resumed.outcome.case).toBe("nextStep");
  const same = await settings.submit("password", { password: goodPassword });
  expect(same.outcome).toMatchObject({
    ...{ case: "rejected", value: { detail: { value: { rule: PasswordRule.UNCHANGED } } } },
  });
  expect((await settings.submit("password", { password: another })).outcome.case).toBe("saved");
  expect(await actionsOf(id)).toEqual([]);
  expect((await logIn(app, email, another)).case).toBe("completed");
});

test("a document that is accepted in two tabs at once is accepted once", async () => {
  const { email, id } = await person();
  const [document] = await ask(id, ACCEPT_TERMS);
  const tabs = [await logIn(app, email), await logIn(app, email)];
  const actionId = document?.id;
  const answers = await Promise.allSettled(tabs.map(({ flow }) => take(flow, "acceptTerms", { actionId })));
  expect(answers.some(({ status }) => status === "fulfilled")).toBe(true);
  expect((await eventsOf(id)).filter(({ type }) => type.endsWith("completed"))).toHaveLength(1);
});

describe("traits that are missing", () => {
  const schema = (required: readonly string[]) => ({
    type: "object",
    properties: {
      nick: { type: "string", title: "Nickname", ostiary: { identifier: "username" } },
      name: { type: "string", minLength: 1, title: "Name" },
      email: {
        type: "string",
        format: "email",
        title: "E-mail",
        ostiary: { identifier: "email", verifiable: "email", recovery: "email" },
      },
      second: { type: "string", format: "email", title: "Second e-mail", ostiary: { verifiable: "email" } },
    },
    required,
  });
  const withSchema = (required: readonly string[], databaseUrl?: string) =>
    startTestApp({
      config: { tenant_defaults: { identity: { schemas: [{ id: "p", document: schema(required) }] } } },
      ...(databaseUrl && { databaseUrl }),
    });
  let before: TestApp;
  let after: TestApp;
  beforeAll(async () => {
    before = await withSchema(["nick"]);
    after = await withSchema(["nick", "name", "email"], before.databaseUrl);
  });
  afterAll(async () => {
    await after.stop();
    await before.stop();
  });

  async function old() {
    const [nick = ""] = freshEmail().split("@");
    const { identity } = await before.client(IdentityService).createIdentity({
      traits: { nick },
      credentials: { password: { value: { case: "password", value: goodPassword } } },
      requiredActions: [toNew(COMPLETE_TRAITS)],
    });
    return { nick, id: identity?.id ?? "" };
  }

  test.each(protocols)(
    "are filled in before the session, a new address by its code, over %s",
    async (protocol) => {
      const { nick, id } = await old();
      const { flow } = await logIn(after, nick, goodPassword, protocol);
      expect(waiting(flow).action?.kind).toBe(COMPLETE_TRAITS);
      expect(flow?.form?.nodes.map(({ name }) => name)).toEqual([
        ...["traits.nick", "traits.name", "traits.email", "traits.second", "profile", "back"],
      ]);
      const email = freshEmail();
      const lacks = await take(flow, "profile", {}, { protocol, traits: { name: "Ada" } }, after);
      expect(lacks.outcome.case).toBe("rejected");
      const traits = { name: "Ada", email };
      const sent = await take(lacks.flow, "profile", {}, { protocol, traits }, after);
      expect(sent.flow?.stage).toMatchObject({ case: "enterCode", value: { sentTo: email } });
      const { code = "" } = (await after.messages(email)).at(-1) ?? {};
      const done = signedIn(await take(sent.flow, "code", { code }, { protocol }, after));
      expect(done.identity?.traits).toEqual({ nick, ...traits });
      expect(done.identity?.addresses[0]?.verifyTime).toBeDefined();
      expect((await eventsOf(id, before)).at(-1)).toMatchObject({ kind: "complete_traits" });
    },
  );

  // Security rule (SR-OWNER-7): no address is taken that is not proven.
  test("take one new address at a time, as the settings do (SR-OWNER-7)", async () => {
    const { nick } = await old();
    const { flow } = await logIn(after, nick);
    const traits = { name: "Ada", email: freshEmail(), second: freshEmail() };
    const { outcome, flow: same } = await take(flow, "profile", {}, { traits }, after);
    expect(outcome).toMatchObject({ case: "rejected", value: { reason: RejectionReason.TRAITS_INVALID } });
    expect(same?.form?.messages.map(({ id }) => id)).toEqual([4050002]);
  });

  // Security rule (SR-SETTINGS-3): a form that waited puts nothing back.
  test("leave alone what an operator has changed since the form was drawn (SR-SETTINGS-3)", async () => {
    const { nick, id } = await old();
    const { flow } = await logIn(after, nick);
    const identities = after.client(IdentityService, { bearer: before.apiKey });
    // The operator names the person otherwise, which ends no login of theirs.
    await administer(after.databaseUrl, (query) =>
      query("UPDATE ostiary.identity SET traits = traits || $2, revision = revision + 1 WHERE id = $1", [
        ...[id, JSON.stringify({ name: "Operator" })],
      ]),
    );
    const email = freshEmail();
    // All fields of the form, as a browser sends them: what was not filled in is as it was drawn.
    const sent = await take(flow, "profile", {}, { traits: { nick, name: null, email } }, after);
    const { code = "" } = (await after.messages(email)).at(-1) ?? {};
    await take(sent.flow, "code", { code }, {}, after);
    const { identity } = await identities.getIdentity({ identityId: id });
    expect(identity?.traits).toEqual({ nick, name: "Operator", email });
  });

  // Security rule (SR-ENUM-1): an address that somebody has is answered like a free one.
  test("take no address of somebody else, and do not tell (SR-ENUM-1)", async () => {
    const email = freshEmail();
    await after.client(IdentityService, { bearer: before.apiKey }).createIdentity({
      traits: { nick: email.split("@")[0] ?? "", name: "Owner", email },
      verifiedAddresses: [{ value: email }],
    });
    const { nick } = await old();
    const { flow } = await logIn(after, nick);
    const sent = await take(flow, "profile", {}, { traits: { name: "Ada", email } }, after);
    expect(sent.flow?.stage).toMatchObject({ case: "enterCode", value: { sentTo: email } });
    const message = (await after.messages(email)).at(-1);
    expect(message).toMatchObject({ template: "registration_taken", code: "" });
    expect((await take(sent.flow, "code", { code: "123456" }, {}, after)).outcome.case).toBe("rejected");
  });

  test("are no obstacle where nothing is missing, or once an operator has filled them in", async () => {
    const { nick, id } = await old();
    const change = { case: "traits" as const, value: { nick, name: "Ada", email: freshEmail() } };
    const { identity } = await after
      .client(IdentityService, { bearer: before.apiKey })
      .updateIdentity({ identityId: id, traitsChange: change });
    expect(identity?.requiredActions).toEqual([]);
    const other = await old();
    const outcome = await logIn(before, other.nick);
    expect(outcome.case).toBe("completed");
    expect(await eventsOf(other.id, before)).toMatchObject([{}, { kind: "complete_traits" }]);
  });
});

async function startWith(settings: object): Promise<TestApp> {
  return startTestApp({ config: { tenant_defaults: settings } });
}

describe("a policy that demands a second factor of everybody", () => {
  let strict: TestApp;
  beforeAll(async () => {
    strict = await startWith({ second_factor: { policy: "required" } });
  });
  afterAll(() => strict.stop());

  /** Sets an authenticator app up before the session. */
  async function enrol(flow: Flow | undefined) {
    const shown = await take(flow, "totp", {}, {}, strict);
    return take(shown.flow, "totp", { code: deviceOf(shown.flow, strict).code() }, {}, strict);
  }

  // Security rule (SR-ACTION-1): a registration is no way around it.
  test("gives no session to a registration before one is set up (SR-ACTION-1)", async () => {
    const client = strict.client(RegistrationService);
    const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
    const email = freshEmail();
    const registered = await client.submitRegistrationFlow({
      flowId: flow?.id ?? "",
      traits: { email },
      step: { case: "password", value: { password: goodPassword } },
    });
    expect(registered.outcome).toMatchObject({ case: "loginRequired", value: {} });
    expect(waiting(registered.flow).action).toMatchObject({ kind: ENROL_FACTOR, setBy: { case: undefined } });
    const done = await enrol(registered.flow);
    expect(signedIn(done).session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    // Its address is verified as after any registration.
    expect(done.outcome.value).toMatchObject({ continueWith: [{ action: { case: "verification" } }] });
  });

  test("asks those who have none at their next login, and is not asked again", async () => {
    const { email } = await verifiedAccount(app);
    const { identity } = await strict.client(IdentityService).createIdentity({
      traits: { email },
      verifiedAddresses: [{ value: email }],
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    const first = await logIn(strict, email);
    expect(waiting(first.flow).action?.kind).toBe(ENROL_FACTOR);
    // The action is there from now on, and is the server's: an operator's list leaves it.
    await strict
      .client(IdentityService)
      .setRequiredActions({ identityId: identity?.id ?? "", requiredActions: [] });
    const { session } = signedIn(await enrol((await logIn(strict, email)).flow));
    expect(session?.pendingActions).toEqual([]);
  });

  // Security rule (SR-ACTION-1): a recovery is no way around it either.
  test("gives no session to a recovery before one is set up (SR-ACTION-1)", async () => {
    const email = freshEmail();
    await strict
      .client(IdentityService)
      .createIdentity({ traits: { email }, verifiedAddresses: [{ value: email }] });
    const client = strict.client(RecoveryService);
    const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
    const submit = (step: object) =>
      client.submitRecoveryFlow({ flowId: flow?.id ?? "", address: email, step: step as never });
    await submit({ case: "sendCode", value: {} });
    const { code = "" } = (await strict.messages(email)).at(-1) ?? {};
    const { outcome } = await submit({ case: "code", value: { code } });
    const action = outcome.case === "completed" ? outcome.value.continueWith[0]?.action : undefined;
    const settings = action?.case === "settings" ? action.value.flow : undefined;
    const own = new Settings(strict, "");
    own.flowId = settings?.id ?? "";
    const saved = await own.submit("password", { password: another });
    expect(saved.outcome).toMatchObject({ case: "loginRequired", value: {} });
    expect(signedIn(await enrol(saved.flow)).session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
  });

  // Security rule (SR-FACTOR-8): where everybody needs two factors, one that is used by itself is not two.
  test("asks for one beside a passkey that was used alone and has not verified its user (SR-FACTOR-8)", async () => {
    const before = await startPasskeyApp();
    const now = await startTestApp({
      databaseUrl: before.databaseUrl,
      config: {
        tenant_defaults: { public_url: "https://id.example.com", second_factor: { policy: "required" } },
      },
    });
    try {
      const device = new SoftwareAuthenticator({ userVerified: false });
      await registerPasskey(before, { device });
      const { flow } = await signInWith(now, device);
      expect(waiting(flow).action?.kind).toBe(ENROL_FACTOR);
      const shown = await take(flow, "totp", {}, {}, now);
      const done = await take(shown.flow, "totp", { code: deviceOf(shown.flow, now).code() }, {}, now);
      expect(signedIn(done).session?.pendingActions).toEqual([]);
      // With its user verified it is two by itself.
      const other = new SoftwareAuthenticator();
      await registerPasskey(before, { device: other });
      expect(signedIn(await signInWith(now, other)).session?.pendingActions).toEqual([]);
    } finally {
      await Promise.all([before.stop(), now.stop()]);
    }
  });
});

describe("a policy with a period of grace", () => {
  let lenient: TestApp;
  beforeAll(async () => {
    lenient = await startWith({
      second_factor: { policy: "required", grace_period: "24h" },
      sms_factor: { enabled: true },
    });
  });
  afterAll(() => lenient.stop());

  test("lets people put it off, from their first login on, and no longer", async () => {
    const account = await register(lenient);
    expect(account.continueWith).toMatchObject([
      { action: { case: "verification" } },
      { action: { case: "requiredAction", value: { kind: ENROL_FACTOR, timing: WHEN_CONVENIENT } } },
    ]);
    lenient.clock.advance(86_300_000);
    const outcome = await logIn(lenient, account.email);
    expect(signedIn({ outcome }).session?.pendingActions).toEqual([ENROL_FACTOR]);
    lenient.clock.advance(100_000);
    const late = await logIn(lenient, account.email);
    expect(waiting(late.flow).action).toMatchObject({ kind: ENROL_FACTOR, timing: BEFORE_SESSION });
  });

  // Security rule (SR-FACTOR-9): the period of grace does not begin anew.
  test("leaves no owner without the second factor that they have set up (SR-FACTOR-9)", async () => {
    const account = await register(lenient);
    const { device, settings } = await setUpTotp(lenient, account);
    const credentialOf = async (kind: MethodKind) => {
      const flow = await settings.begin();
      const stage = flow?.stage.case === "changeSettings" ? flow.stage.value : undefined;
      return stage?.credentials.find((own) => own.kind === kind)?.id ?? "";
    };
    const remove = async (kind: MethodKind) =>
      settings.submit("removeCredential", { credentialId: await credentialOf(kind) });
    const refused = await remove(MethodKind.TOTP);
    expect(refused.outcome).toMatchObject({
      case: "rejected",
      value: { reason: RejectionReason.LAST_SECOND_FACTOR },
    });
    expect(refused.flow?.form?.messages.map(({ text }) => text)).toContain(
      "Your account needs a second factor, and this is the only one. Set up another one first.",
    );
    lenient.clock.advance(60_000);
    const { flow } = await logIn(lenient, account.email);
    signedIn(await take(flow, "totp", { code: device.code() }, {}, lenient));
    // With another one set up it is removed.
    await setUpSms(lenient, { sessionToken: settings.token });
    expect((await remove(MethodKind.TOTP)).outcome.case).toBe("saved");
    expect((await remove(MethodKind.SMS)).outcome).toMatchObject({ case: "rejected" });
  });
});

describe("a policy that leaves second factors to services", () => {
  let loose: TestApp;
  beforeAll(async () => {
    loose = await startWith({ second_factor: { policy: "optional" } });
  });
  afterAll(() => loose.stop());

  test("asks for none at a login, and for changes of what protects the account (SR-FACTOR-7)", async () => {
    const { email, sessionToken } = await register(loose);
    const { device } = await setUpTotp(loose, { sessionToken });
    loose.clock.advance(60_000);
    const bearer = await sessionTokenOf(loose, email);
    const settings = new Settings(loose, bearer);
    const asked = await settings.submit("password", { password: another });
    expect(asked.outcome.case).toBe("loginRequired");
    const second = await take(asked.flow, "password", { password: goodPassword }, {}, loose);
    expect(second.flow?.stage).toMatchObject({ case: "chooseMethod", value: { secondFactor: true } });
    const done = signedIn(await take(second.flow, "totp", { code: device.code() }, {}, loose));
    settings.token = done.sessionToken;
    expect((await settings.submit("resume")).outcome.case).toBe("saved");
  });
});
