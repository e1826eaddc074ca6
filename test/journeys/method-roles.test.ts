import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginPurpose, LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AssuranceLevel, MethodProperty } from "../../gen/ostiary/option/v1/demand_pb.js";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";
import { Settings, setUpTotp } from "../support/factors.ts";
import {
  addPasskey,
  beginLogin,
  credentialsOf,
  optionsOf,
  registerPasskey,
  showPasskey,
  signedInBy,
  signInWith,
  startPasskeyApp,
} from "../support/passkeys.ts";
import { SoftwareAuthenticator } from "../support/software-authenticator.ts";

const stepOf = (flow: Flow | undefined) => [
  ...new Set(flow?.form?.nodes.map(({ step }) => step).filter((step) => step !== "")),
];
const offersOf = (flow: Flow | undefined) =>
  flow?.stage.case === "chooseMethod" ? flow.stage.value.offers.map(({ method }) => method.case) : [];

/** A step-up of a session. */
const stepUp = (app: TestApp, bearer: string, value: AssuranceLevel | MethodProperty, isLevel: boolean) =>
  app.client(LoginService, { bearer }).createLoginFlow({
    client: ClientKind.NATIVE,
    purpose: LoginPurpose.STEP_UP,
    demands: [
      { demand: isLevel ? { case: "assuranceLevel", value } : { case: "methodProperty", value } } as never,
    ],
  });

const kindsOf = (methods: readonly { readonly kind: MethodKind }[] = []) => methods.map(({ kind }) => kind);
const profileOf = async (app: TestApp) => (await app.client(FlowService).getTenantProfile({})).profile;

// Security rule (SR-ROLE-2): a method plays no other part than the one that the configuration gives it.
describe("passkeys as second factor alone (SR-ROLE-2)", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startPasskeyApp({ passkey: { use_as: "second" } });
  });
  afterAll(() => app.stop());
  beforeEach(() => app.clock.advance(60_000));

  test("neither sign in nor make accounts", async () => {
    expect(stepOf(await beginLogin(app))).not.toContain("passkey");
    const login = await beginLogin(app);
    const offered = await refusal(showPasskey(app, login.id, {}));
    expect(offered.reason).toBe("STEP_NOT_OFFERED");
    const registration = app.client(RegistrationService);
    const { flow } = await registration.createRegistrationFlow({ client: ClientKind.NATIVE });
    expect(stepOf(flow)).not.toContain("passkey");
    const profile = await profileOf(app);
    expect(kindsOf(profile?.login?.methods)).not.toContain(MethodKind.PASSKEY);
    expect(kindsOf(profile?.registration?.methods)).not.toContain(MethodKind.PASSKEY);
    expect(kindsOf(profile?.settings?.methods)).toContain(MethodKind.PASSKEY);
  });

  test("are asked for from the first one on, and one alone is no way in", async () => {
    const account = await register(app);
    const device = new SoftwareAuthenticator({ userVerified: false });
    const settings = new Settings(app, account.sessionToken);
    expect((await addPasskey(settings, device)).secondFactor).toBe(true);
    const { flow } = await logIn(app, account.email);
    expect(offersOf(flow)).toEqual(["passkey"]);
    const done = signedInBy(await showPasskey(app, flow?.id ?? "", device.get(optionsOf(flow))));
    expect(done.session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    const own = new Settings(app, done.sessionToken);
    const password = credentialsOf(await own.begin()).find(({ kind }) => kind === MethodKind.PASSWORD);
    expect(await own.submit("removeCredential", { credentialId: password?.id })).toMatchObject({
      outcome: { case: "rejected", value: { reason: RejectionReason.LAST_WAY_IN } },
    });
  });

  test.each([
    ["two factors", AssuranceLevel.AAL2, true],
    ["what no page of an impostor passes on", MethodProperty.PHISHING_RESISTANT, false],
  ] as const)("are what a step-up asks for that demands %s", async (_name, value, isLevel) => {
    const account = await register(app);
    const device = new SoftwareAuthenticator();
    const before = signedInBy({ outcome: await logIn(app, account.email) });
    await addPasskey(new Settings(app, account.sessionToken), device);
    const { flow } = await stepUp(app, before.sessionToken, value, isLevel);
    expect(flow?.stage).toMatchObject({ case: "chooseMethod", value: { secondFactor: true } });
    const done = signedInBy(await showPasskey(app, flow?.id ?? "", device.get(optionsOf(flow))));
    expect(done.session?.authenticationMethods.map(({ kind }) => kind)).toEqual([
      MethodKind.PASSWORD,
      MethodKind.PASSKEY,
    ]);
  });
});

describe("passkeys as first factor alone (SR-ROLE-2)", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startPasskeyApp({ passkey: { use_as: "first" } });
  });
  afterAll(() => app.stop());
  beforeEach(() => app.clock.advance(60_000));

  test("are not asked for after a password, and their owner has no such choice", async () => {
    const account = await register(app);
    const settings = new Settings(app, account.sessionToken);
    const { id } = await addPasskey(settings, new SoftwareAuthenticator());
    const managed = await settings.submit("manageCredential", { credentialId: id });
    expect(stepOf(managed.flow)).not.toContain("secondFactor");
    const refused = await refusal(settings.submit("secondFactor", { credentialId: id, enabled: true }));
    expect(refused.reason).toBe("STEP_NOT_OFFERED");
    expect((await logIn(app, account.email)).case).toBe("completed");
  });

  test("are no second factor beside a password, where another one is asked for", async () => {
    const account = await register(app);
    const device = new SoftwareAuthenticator();
    await addPasskey(new Settings(app, account.sessionToken), device);
    await setUpTotp(app, account);
    const { flow } = await logIn(app, account.email);
    expect(offersOf(flow)).toEqual(["totp"]);
    signedInBy(await signInWith(app, device));
  });

  test("meet the demand of two factors by themselves, and nothing else is asked for", async () => {
    const account = await register(app);
    const device = new SoftwareAuthenticator();
    const before = signedInBy({ outcome: await logIn(app, account.email) });
    await addPasskey(new Settings(app, account.sessionToken), device);
    const { flow } = await stepUp(app, before.sessionToken, AssuranceLevel.AAL2, true);
    expect(stepOf(flow)).toEqual(["passkey"]);
    const done = signedInBy(await showPasskey(app, flow?.id ?? "", device.get(optionsOf(flow))));
    expect(done.session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    const without = await register(app);
    const impossible = stepUp(app, without.sessionToken, AssuranceLevel.AAL2, true);
    expect((await refusal(impossible)).reason).toBe("STEP_UP_IMPOSSIBLE");
  });
});

describe("without passwords (SR-ROLE-2)", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startPasskeyApp({ password: { enabled: false } });
  });
  afterAll(() => app.stop());
  beforeEach(() => app.clock.advance(60_000));

  test("none signs in, makes an account or is set", async () => {
    expect(stepOf(await beginLogin(app))).not.toContain("password");
    const { email } = await verifiedAccountWithPassword(app);
    expect((await refusal(logIn(app, email))).reason).toBe("STEP_NOT_OFFERED");
    const registration = app.client(RegistrationService);
    const { flow } = await registration.createRegistrationFlow({ client: ClientKind.NATIVE });
    expect(stepOf(flow)).not.toContain("password");
    const { sessionToken } = await registerPasskey(app);
    const settings = new Settings(app, sessionToken);
    const begun = await settings.begin();
    expect(stepOf(begun)).not.toContain("password");
    expect(begun?.form?.sections.map(({ id }) => id)).not.toContain("password");
    const refused = await refusal(settings.submit("password", { password: "correct horse battery" }));
    expect(refused.reason).toBe("STEP_NOT_OFFERED");
    // A password that nobody can sign in with is no way in.
    const [passkey] = credentialsOf(begun);
    expect(await settings.submit("removeCredential", { credentialId: passkey?.id })).toMatchObject({
      outcome: { case: "rejected", value: { reason: RejectionReason.LAST_WAY_IN } },
    });
    const profile = await profileOf(app);
    expect(kindsOf(profile?.login?.methods)).toEqual([MethodKind.PASSKEY, MethodKind.CODE]);
  });

  test("a recovery ends with a new passkey", async () => {
    const { email } = await verifiedAccountWithPassword(app);
    const recovery = app.client(RecoveryService);
    const { flow } = await recovery.createRecoveryFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    await recovery.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
    const code = (await app.messages(email)).filter((each) => each.code !== "").at(-1)?.code ?? "";
    const { outcome } = await recovery.submitRecoveryFlow({
      flowId,
      step: { case: "code", value: { code } },
    });
    if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
    const [next] = outcome.value.continueWith.flatMap(({ action }) =>
      action.case === "settings" ? [action.value.flow] : [],
    );
    expect(stepOf(next)).toEqual(["passkey"]);
    const settings = app.client(SettingsService);
    const submit = (value: object) =>
      settings.submitSettingsFlow({ flowId: next?.id ?? "", step: { case: "passkey", value } });
    const asked = await submit({});
    const device = new SoftwareAuthenticator();
    signedInBy(await submit({ response: device.create(optionsOf(asked.flow)) }));
    signedInBy(await signInWith(app, device));
  });
});

/** Somebody with a verified address and a password that an operator has set. */
async function verifiedAccountWithPassword(app: TestApp) {
  const email = freshEmail();
  await app.client(IdentityService).createIdentity({
    traits: { email },
    verifiedAddresses: [{ value: email }],
    credentials: { password: { value: { case: "password", value: goodPassword } } },
  });
  return { email };
}
