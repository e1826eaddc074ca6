import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { PasskeyCeremony } from "../../gen/ostiary/flow/v1/form_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AssuranceLevel } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import type { JsonObject } from "../../src/domain/json.ts";
import { freshEmail, logIn, register } from "../support/accounts.ts";
import { protocols, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { makeBackupCodes, Settings, setUpTotp } from "../support/factors.ts";
import {
  addPasskey,
  beginLogin,
  credentialsOf,
  optionsOf,
  passkeyNodeOf,
  registerPasskey,
  showPasskey,
  signedInBy,
  signInWith,
  startPasskeyApp,
} from "../support/passkeys.ts";
import { administer } from "../support/postgres.ts";
import { SoftwareAuthenticator } from "../support/software-authenticator.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startPasskeyApp();
});
afterAll(() => app.stop());

const rejectedAs = (reason: RejectionReason) => ({ outcome: { case: "rejected", value: { reason } } });

const creation = {
  rp: { id: "id.example.com", name: "Ostiary" },
  pubKeyCredParams: [-8, -7, -257].map((alg) => ({ type: "public-key", alg })),
  attestation: "none",
  authenticatorSelection: {
    residentKey: "required",
    requireResidentKey: true,
    userVerification: "preferred",
  },
  extensions: { credProps: true },
  timeout: 300_000,
};

describe("a passkey in the settings", () => {
  test.each(protocols)("is added, renamed and removed over %s", async (protocol) => {
    const account = await register(app, { protocol });
    const settings = new Settings(app, account.sessionToken, protocol);
    const device = new SoftwareAuthenticator({ backupEligible: true, backedUp: true });
    const asked = await settings.submit("passkey");
    expect(asked.outcome.case).toBe("nextStep");
    const node = passkeyNodeOf(asked.flow);
    expect(node).toMatchObject({ ceremony: PasskeyCeremony.CREATE, conditional: false });
    expect(node.options).toMatchObject({ ...creation, excludeCredentials: [] });
    const user = node.options?.user as JsonObject;
    expect(user).toMatchObject({ name: account.email, displayName: account.email });
    expect(Buffer.from(String(user.id), "base64url")).toHaveLength(32);
    expect(Buffer.from(String(node.options?.challenge), "base64url")).toHaveLength(32);
    expect(asked.flow?.stage).toMatchObject({
      case: "changeSettings",
      value: { offers: [{ part: { case: "passkey", value: { options: node.options } } }] },
    });

    const response = device.create(optionsOf(asked.flow));
    const added = await settings.submit("passkey", { response, label: " Laptop " });
    expect(added.outcome.case).toBe("saved");
    const [, passkey] = credentialsOf(added.flow);
    expect(passkey).toMatchObject({
      ...{ kind: MethodKind.PASSKEY, label: "Laptop", secondFactor: false },
      details: {
        case: "passkey",
        value: {
          ...{ synced: true, discoverable: true, transports: ["hybrid", "internal"] },
          aaguid: "07070707-0707-0707-0707-070707070707",
        },
      },
    });
    const credentialId = passkey?.id ?? "";
    const renamed = await settings.submit("renameCredential", { credentialId, label: "Phone" });
    expect(credentialsOf(renamed.flow)[1]).toMatchObject({ id: credentialId, label: "Phone" });
    const removed = await settings.submit("removeCredential", { credentialId });
    expect(credentialsOf(removed.flow).map(({ kind }) => kind)).toEqual([MethodKind.PASSWORD]);
  });

  test("has the same user handle as the others of the account, which are not made again", async () => {
    const settings = new Settings(app, (await register(app)).sessionToken);
    const device = new SoftwareAuthenticator();
    await addPasskey(settings, device);
    await addPasskey(settings, device, { label: "Other" });
    const [first, second] = device.passkeys;
    expect(first?.userHandle).toBe(second?.userHandle);
    await settings.begin();
    const asked = optionsOf((await settings.submit("passkey")).flow);
    expect(asked.excludeCredentials).toEqual(
      device.passkeys.map(({ id }) => ({
        ...{ type: "public-key", id: id.toString("base64url"), transports: ["hybrid", "internal"] },
      })),
    );
    const other = new Settings(app, (await register(app)).sessionToken);
    expect(optionsOf((await other.submit("passkey")).flow).user).not.toEqual(asked.user);
  });

  test("is added and told by the form, in which the answer is a text or an object", async () => {
    const account = await verifiedAccount(app);
    const settings = new Settings(app, account.sessionToken);
    const drawn = await settings.begin();
    expect(drawn?.form?.sections.find(({ id }) => id === "passkey")?.title?.text).toBe("Passkeys");
    const client = app.client(FlowService, { bearer: account.sessionToken });
    const { flow } = await client.submitForm({ flowId: settings.flowId, step: "passkey", values: {} });
    expect(flow?.form?.nodes.map(({ name }) => name)).toEqual([
      ...["passkey.response", "passkey.label", "passkey.endOtherSessions", "passkey", "back"],
    ]);
    const answer = JSON.stringify(new SoftwareAuthenticator().create(optionsOf(flow)));
    const submit = (text: string) =>
      client.submitForm({
        flowId: settings.flowId,
        step: "passkey",
        values: {
          "passkey.response": { kind: { case: "stringValue", value: text } },
          "passkey.label": { kind: { case: "stringValue", value: "Key" } },
        },
      });
    expect(await submit("nonsense")).toMatchObject(rejectedAs(RejectionReason.PASSKEY_INVALID));
    expect(await submit("")).toMatchObject(rejectedAs(RejectionReason.FORM_INCOMPLETE));
    const added = await submit(answer);
    expect(added.outcome.case).toBe("saved");
    expect(credentialsOf(added.flow)[1]?.label).toBe("Key");
    const told = (await app.messages(account.email)).map(({ content }) => content);
    expect(told.at(-1)).toMatchObject({
      ...{ template: "credential_added", data: { kind: "passkey", label: "Key" } },
    });
  });
});

describe("a passkey as the second factor", () => {
  test.each(protocols)("is shown beside a password over %s", async (protocol) => {
    const account = await register(app, { protocol });
    const { settings } = await setUpTotp(app, account, protocol);
    const device = new SoftwareAuthenticator({ userVerified: false });
    const { id } = await addPasskey(settings, device);
    const { flow } = await logIn(app, account.email, undefined, protocol);
    const node = passkeyNodeOf(flow);
    expect(node).toMatchObject({ ceremony: PasskeyCeremony.GET, conditional: false });
    expect(node.options).toMatchObject({
      ...{ rpId: "id.example.com", userVerification: "preferred", timeout: 300_000 },
      allowCredentials: [{ type: "public-key", id: device.passkeys[0]?.id.toString("base64url") }],
    });
    expect(flow?.stage).toMatchObject({
      case: "chooseMethod",
      value: {
        secondFactor: true,
        offers: [
          { method: { case: "passkey", value: { options: node.options } } },
          { method: { case: "totp" } },
        ],
      },
    });
    const response = device.get(optionsOf(flow));
    const { session } = signedInBy(await showPasskey(app, flow?.id ?? "", response, protocol));
    expect(session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    expect(session?.authenticationMethods).toMatchObject([
      { kind: MethodKind.PASSWORD, assuranceLevel: AssuranceLevel.AAL1, credentialId: "" },
      {
        ...{ kind: MethodKind.PASSKEY, assuranceLevel: AssuranceLevel.AAL2 },
        ...{ credentialId: id, userVerified: false },
      },
    ]);
    const { credentials } = await app.client(IdentityService).listCredentials({
      identityId: account.identity?.id ?? "",
    });
    expect(credentials.find(({ kind }) => kind === MethodKind.PASSKEY)?.lastUseTime).toBeDefined();
  });

  test.each(protocols)("is asked for after a password as its owner likes over %s", async (protocol) => {
    const account = await verifiedAccount(app);
    const settings = new Settings(app, account.sessionToken, protocol);
    const [device, other] = [new SoftwareAuthenticator(), new SoftwareAuthenticator()];
    const { id: credentialId } = await addPasskey(settings, device, { label: "Laptop" });
    const { id: otherId } = await addPasskey(settings, other);
    expect((await logIn(app, account.email)).case).toBe("completed");

    const on = await settings.submit("secondFactor", { credentialId, enabled: true });
    expect(on.outcome.case).toBe("saved");
    expect(credentialsOf(on.flow).map(({ secondFactor }) => secondFactor)).toEqual([false, true, true]);
    const { flow } = await logIn(app, account.email, undefined, protocol);
    expect(flow?.stage).toMatchObject({
      value: { secondFactor: true, offers: [{ method: { case: "passkey" } }] },
    });
    const { session, sessionToken } = signedInBy(
      await showPasskey(app, flow?.id ?? "", other.get(optionsOf(flow)), protocol),
    );
    expect(session?.assuranceLevel).toBe(AssuranceLevel.AAL2);

    // Whichever it names, all are meant.
    const strong = new Settings(app, sessionToken, protocol);
    const off = await strong.submit("secondFactor", { credentialId: otherId, enabled: false });
    expect(credentialsOf(off.flow).map(({ secondFactor }) => secondFactor)).toEqual([false, false, false]);
    expect((await logIn(app, account.email)).case).toBe("completed");
    const told = (await app.messages(account.email)).map(({ content }) => content);
    expect(told.filter((content) => content?.template === "second_factor_changed")).toMatchObject([
      { data: { kind: "passkey", enabled: true } },
      { data: { kind: "passkey", enabled: false } },
    ]);
  });

  // Security rule (SR-FACTOR-7): what asks for a second factor is not switched off without one.
  test("is asked for before it is asked for no more (SR-FACTOR-7)", async () => {
    const account = await register(app);
    const settings = new Settings(app, account.sessionToken);
    const { id: credentialId } = await addPasskey(settings, new SoftwareAuthenticator());
    await settings.submit("secondFactor", { credentialId, enabled: true });
    const { outcome } = await settings.submit("secondFactor", { credentialId, enabled: false });
    expect(outcome.case).toBe("loginRequired");
    expect((await logIn(app, account.email)).case).toBe("nextStep");
  });

  // Security rule (SR-FACTOR-1): a security key that is found opens no account whose owner has it asked for beside a password.
  test("signs in alone no more where it does not verify its user (SR-FACTOR-1)", async () => {
    const account = await register(app);
    const settings = new Settings(app, account.sessionToken);
    const device = new SoftwareAuthenticator({ userVerified: false });
    const { id: credentialId } = await addPasskey(settings, device);
    const before = signedInBy(await signInWith(app, device));
    await settings.submit("secondFactor", { credentialId, enabled: true });
    const alone = await signInWith(app, device);
    expect(alone).toMatchObject(rejectedAs(RejectionReason.PASSKEY_INVALID));
    expect(alone.flow?.form?.messages.map(({ text }) => text)).toEqual([
      "This passkey hasn't checked that it's you. Sign in with your password or a code first, then use it.",
    ]);
    // The session that it gave before changes nothing that protects the account.
    const former = new Settings(app, before.sessionToken);
    const off = await former.submit("secondFactor", { credentialId, enabled: false });
    expect(off.outcome.case).toBe("loginRequired");
    const { flow } = await logIn(app, account.email);
    const shown = await showPasskey(app, flow?.id ?? "", device.get(optionsOf(flow)));
    const { session, sessionToken } = signedInBy(shown);
    expect(session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    // A backup code is another factor.
    await makeBackupCodes(new Settings(app, sessionToken));
    const { flow: next } = await signInWith(app, device);
    expect(next?.stage).toMatchObject({
      value: { secondFactor: true, offers: [{ method: { case: "backupCode" } }] },
    });
    signedInBy(await signInWith(app, device.with({ userVerified: true })));
  });

  test("locks nobody out of an account that has no other way in", async () => {
    const device = new SoftwareAuthenticator({ userVerified: false });
    const { sessionToken } = await registerPasskey(app, { device });
    const settings = new Settings(app, sessionToken);
    const [own] = credentialsOf(await settings.begin());
    const on = await settings.submit("secondFactor", { credentialId: own?.id, enabled: true });
    expect(credentialsOf(on.flow)).toMatchObject([{ secondFactor: true }]);
    const { session } = signedInBy(await signInWith(app, device));
    expect(session?.assuranceLevel).toBe(AssuranceLevel.AAL1);
  });

  test("is told of only where something changes", async () => {
    const account = await verifiedAccount(app);
    const settings = new Settings(app, account.sessionToken);
    const { id: credentialId } = await addPasskey(settings, new SoftwareAuthenticator());
    const off = await settings.submit("secondFactor", { credentialId, enabled: false });
    expect(off.outcome.case).toBe("saved");
    const told = (await app.messages(account.email)).map(({ content }) => content?.template);
    expect(told).not.toContain("second_factor_changed");
  });

  test("has no switch for what is only second, nor for what somebody else has", async () => {
    const account = await register(app);
    const { settings } = await setUpTotp(app, account);
    const { id: foreign } = await addPasskey(
      new Settings(app, (await register(app)).sessionToken),
      new SoftwareAuthenticator(),
    );
    const { credentials } = await app.client(IdentityService).listCredentials({
      identityId: account.identity?.id ?? "",
    });
    const switchOff = (credentialId: string | undefined) =>
      settings.submit("secondFactor", { credentialId: credentialId ?? "", enabled: false });
    for (const kind of [MethodKind.TOTP, MethodKind.PASSWORD]) {
      const own = credentials.find((credential) => credential.kind === kind);
      expect((await refusal(switchOff(own?.id))).reason).toBe("STEP_NOT_OFFERED");
    }
    expect(await switchOff(foreign)).toMatchObject(rejectedAs(RejectionReason.CREDENTIAL_GONE));
    expect((await logIn(app, account.email)).case).toBe("nextStep");
  });

  test("of another account is refused, as one that nobody has", async () => {
    const account = await register(app);
    const { settings } = await setUpTotp(app, account);
    await addPasskey(settings, new SoftwareAuthenticator());
    const strangers = new SoftwareAuthenticator();
    await addPasskey(new Settings(app, (await register(app)).sessionToken), strangers);
    const { flow } = await logIn(app, account.email);
    const answer = await showPasskey(app, flow?.id ?? "", strangers.get(optionsOf(flow)));
    expect(answer).toMatchObject(rejectedAs(RejectionReason.PASSKEY_INVALID));
  });
});

describe("a passkey alone", () => {
  test.each(protocols)("signs in without a name over %s", async (protocol) => {
    const account = await register(app, { protocol });
    const device = new SoftwareAuthenticator({ counts: true });
    const { id } = await addPasskey(new Settings(app, account.sessionToken, protocol), device);
    const flow = await beginLogin(app, protocol);
    const node = passkeyNodeOf(flow);
    expect(node).toMatchObject({ ceremony: PasskeyCeremony.GET, conditional: true });
    expect(node.options).toMatchObject({ allowCredentials: [], rpId: "id.example.com" });
    const [identifier] = flow.form?.nodes ?? [];
    expect(identifier?.kind).toMatchObject({ value: { autocomplete: "username webauthn" } });
    const answer = await showPasskey(app, flow.id, device.get(optionsOf(flow)), protocol);
    const { session, sessionToken } = signedInBy(answer);
    expect(session).toMatchObject({
      ...{ identityId: account.identity?.id, assuranceLevel: AssuranceLevel.AAL2 },
      authenticationMethods: [
        {
          ...{ kind: MethodKind.PASSKEY, assuranceLevel: AssuranceLevel.AAL2 },
          ...{ userVerified: true, credentialId: id },
        },
      ],
    });
    // It is read back as it was stored.
    const sessions = app.client(SessionService, { bearer: sessionToken, protocol });
    expect((await sessions.getCurrentSession({})).session?.authenticationMethods).toEqual(
      session?.authenticationMethods,
    );
  });

  test("is one factor without a verified user, and another one is asked for beside it", async () => {
    const account = await register(app);
    const device = new SoftwareAuthenticator({ userVerified: false });
    await addPasskey(new Settings(app, account.sessionToken), device);
    const { session } = signedInBy(await signInWith(app, device));
    expect(session?.assuranceLevel).toBe(AssuranceLevel.AAL1);
    const { device: totp } = await setUpTotp(app, account);
    app.clock.advance(30_000);
    const { flow } = await signInWith(app, device);
    expect(flow?.stage).toMatchObject({
      value: { secondFactor: true, offers: [{ method: { case: "totp" } }] },
    });
    // The same passkey is no second factor.
    const client = app.client(LoginService);
    const flowId = flow?.id ?? "";
    const done = await client.submitLoginFlow({
      flowId,
      step: { case: "totp", value: { code: totp.code() } },
    });
    expect(signedInBy(done).session).toMatchObject({
      assuranceLevel: AssuranceLevel.AAL2,
      authenticationMethods: [{ kind: MethodKind.PASSKEY, userVerified: false }, { kind: MethodKind.TOTP }],
    });
    // With a verified user it is enough.
    expect(signedInBy(await signInWith(app, device.with({ userVerified: true }))).session).toMatchObject({
      assuranceLevel: AssuranceLevel.AAL2,
    });
  });

  test("signs in whatever name is typed beside it, by the form as well", async () => {
    const account = await register(app);
    const stranger = await register(app);
    const device = new SoftwareAuthenticator();
    await addPasskey(new Settings(app, account.sessionToken), device);
    const flow = await beginLogin(app);
    const answer = await app.client(FlowService).submitForm({
      flowId: flow.id,
      step: "passkey",
      values: {
        identifier: { kind: { case: "stringValue", value: stranger.email } },
        "passkey.response": {
          kind: { case: "stringValue", value: JSON.stringify(device.get(optionsOf(flow))) },
        },
      },
    });
    expect(signedInBy(answer).session?.identityId).toBe(account.identity?.id);
  });
});

describe("where the name comes first", () => {
  let first: TestApp;
  beforeAll(async () => {
    first = await startPasskeyApp({ flows: { login: { style: "identifier_first" } } });
  });
  afterAll(() => first.stop());

  test("a passkey is offered beside the name, and signs in without it", async () => {
    const { device, identity } = await registerPasskey(first);
    const flow = await beginLogin(first);
    expect(flow.stage).toMatchObject({
      ...{ case: "enterIdentifier", value: { offers: [{ method: { case: "passkey" } }] } },
    });
    expect(passkeyNodeOf(flow).conditional).toBe(true);
    const answer = await showPasskey(first, flow.id, device.get(optionsOf(flow)));
    expect(signedInBy(answer).session?.identityId).toBe(identity?.id);
  });

  test("a passkey is offered alike for names that somebody has and that nobody has, and signs in the one alone", async () => {
    const { device, email } = await registerPasskey(first);
    const stranger = await registerPasskey(first);
    const client = first.client(LoginService);
    const identify = async (identifier: string) => {
      const { id: flowId } = await beginLogin(first);
      const answer = await client.submitLoginFlow({
        flowId,
        identifier,
        step: { case: "identify", value: {} },
      });
      return answer.flow;
    };
    const [known, unknown] = [await identify(email), await identify(freshEmail())];
    const { challenge: _one, ...shown } = optionsOf(known);
    const { challenge: _other, ...same } = optionsOf(unknown);
    expect(shown).toEqual(same);
    const foreign = await showPasskey(first, known?.id ?? "", stranger.device.get(optionsOf(known)));
    expect(foreign).toMatchObject(rejectedAs(RejectionReason.PASSKEY_INVALID));
    signedInBy(await showPasskey(first, known?.id ?? "", device.get(optionsOf(known))));
    const none = await showPasskey(first, unknown?.id ?? "", device.get(optionsOf(unknown)));
    expect(none).toMatchObject(rejectedAs(RejectionReason.PASSKEY_INVALID));
  });
});

describe("a registration with a passkey", () => {
  test.each(protocols)("makes an account that signs in with it over %s", async (protocol) => {
    const email = freshEmail();
    const client = app.client(RegistrationService, { protocol });
    const { flow: begun } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
    const flowId = begun?.id ?? "";
    const step = (value: object = {}) => ({ case: "passkey" as const, value });
    // The traits are checked first.
    expect(await client.submitRegistrationFlow({ flowId, step: step() })).toMatchObject(
      rejectedAs(RejectionReason.TRAITS_INVALID),
    );
    const asked = await client.submitRegistrationFlow({ flowId, traits: { email }, step: step() });
    expect(asked.outcome.case).toBe("nextStep");
    expect(asked.flow?.form?.nodes.map(({ name }) => name)).toEqual(["passkey.response", "passkey", "back"]);
    const options = optionsOf(asked.flow);
    expect(options).toMatchObject({ ...creation, excludeCredentials: [], user: { name: email } });
    expect(asked.flow?.stage).toMatchObject({
      value: { offers: [{ method: { case: "passkey", value: { options } } }] },
    });
    const device = new SoftwareAuthenticator({ algorithm: "EdDSA" });
    const response = device.create(options);
    const done = await client.submitRegistrationFlow({ flowId, step: step({ response }) });
    const { session, identity } = signedInBy(done);
    const { credentials } = await app
      .client(IdentityService)
      .listCredentials({ identityId: identity?.id ?? "" });
    expect(credentials).toMatchObject([{ kind: MethodKind.PASSKEY, label: "", secondFactor: false }]);
    // Nothing was signed yet.
    expect(session).toMatchObject({
      assuranceLevel: AssuranceLevel.AAL1,
      authenticationMethods: [
        { kind: MethodKind.PASSKEY, userVerified: false, credentialId: credentials[0]?.id },
      ],
    });
    const again = signedInBy(await signInWith(app, device, protocol));
    expect(again.session).toMatchObject({ identityId: identity?.id, assuranceLevel: AssuranceLevel.AAL2 });
  });
});

describe("a passkey in a browser", () => {
  const path = "/ostiary.flow.v1";
  interface Drawn {
    readonly form: {
      readonly nodes: readonly {
        readonly name: string;
        readonly passkey?: { readonly options: JsonObject };
      }[];
    };
  }
  const asked = ({ form }: Drawn) => {
    const options = form.nodes.find(({ name }) => name === "passkey.response")?.passkey?.options;
    if (options === undefined) throw new Error("the form asks for no passkey");
    return options;
  };

  test("signs in, also on a page that was loaded again, and sends a lost answer once more", async () => {
    const { device, identity } = await registerPasskey(app);
    const browser = new Browser(app.publicUrl, app.localUrl);
    const created = await browser.post(`${path}.LoginService/CreateLoginFlow`, {
      client: "CLIENT_KIND_BROWSER",
    });
    const { id: flowId, csrfToken } = created.body.flow;
    const submit = (response: JsonObject, more: object = {}) =>
      browser.post(`${path}.LoginService/SubmitLoginFlow`, {
        flowId,
        csrfToken,
        passkey: { response },
        ...more,
      });
    const stranger = new SoftwareAuthenticator();
    stranger.create({ rp: { id: "id.example.com" }, user: { id: "dXNlcg" } });
    const rejected = await submit(stranger.get(asked(created.body.flow)));
    expect(rejected.body.rejected.reason).toBe("REJECTION_REASON_PASSKEY_INVALID");
    const { body } = await browser.post(`${path}.FlowService/GetFlow`, { flowId });
    expect(body.flow.form.messages.map(({ id }: { id: number }) => id)).toEqual([9000346]);
    expect(asked(body.flow)).toEqual(asked(created.body.flow));

    const response = device.get(asked(body.flow));
    const done = await submit(response, { requestId: "one" });
    expect(done.body.completed.signedIn.session.identityId).toBe(identity?.id);
    // The same request again is the same login, not another use of the challenge.
    const again = await submit(response, { requestId: "one" });
    expect(again.body.completed.signedIn.session.id).toBe(done.body.completed.signedIn.session.id);
    expect((await submit(response, { requestId: "two" })).reason).toBe("FLOW_COMPLETED");
  });
});

test("an account that has nothing but a passkey is recovered by a code to its verified address", async () => {
  const { email, device, identity } = await registerPasskey(app);
  await administer(app.databaseUrl, (query) =>
    query("UPDATE ostiary.identity_verifiable_address SET verified_at = now() WHERE identity_id = $1", [
      identity?.id,
    ]),
  );
  const client = app.client(RecoveryService);
  const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
  const recovery = flow?.id ?? "";
  // Messages sort by their time, which stands still otherwise: the registration has sent one as well.
  app.clock.advance(1);
  await client.submitRecoveryFlow({
    flowId: recovery,
    address: email,
    step: { case: "sendCode", value: {} },
  });
  const { outcome } = await client.submitRecoveryFlow({
    flowId: recovery,
    step: { case: "code", value: { code: (await app.messages(email)).at(-1)?.code ?? "" } },
  });
  const [next] = outcome.case === "completed" ? outcome.value.continueWith : [];
  const settings = next?.action.case === "settings" ? next.action.value.flow : undefined;
  expect(settings?.stage.case).toBe("setNewSecret");
  const done = await app.client(SettingsService).submitSettingsFlow({
    flowId: settings?.id ?? "",
    step: { case: "password", value: { password: "another good password" } },
  });
  expect(done.outcome.case).toBe("completed");
  expect((await logIn(app, email, "another good password")).case).toBe("completed");
  // The passkey signs in as before.
  signedInBy(await signInWith(app, device));
});
