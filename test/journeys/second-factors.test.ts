import { create, toJsonString } from "@bufbuild/protobuf";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind, type Flow, FlowSchema } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import {
  LoginPurpose,
  LoginService,
  type SubmitLoginFlowRequest,
} from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason, type SignedIn } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { AssuranceLevel } from "../../gen/ostiary/option/v1/demand_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { goodPassword, logIn, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { makeBackupCodes, Settings, setUpTotp } from "../support/factors.ts";
import { TotpDevice } from "../support/totp-device.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());
// Codes of one account are of different times.
beforeEach(() => app.clock.advance(60_000));

type Step = SubmitLoginFlowRequest["step"];

/** Goes on with the login of an account whose password was right. */
async function secondStep(flow: Flow | undefined, name: "totp" | "backupCode", code: string) {
  const step = { case: name, value: { code } } as Step;
  return app.client(LoginService).submitLoginFlow({ flowId: flow?.id ?? "", step });
}

/** Signs in with the password, and shows one code. */
async function signIn(email: string, name: "totp" | "backupCode", code: string) {
  const { flow } = await logIn(app, email);
  return secondStep(flow, name, code);
}

function sessionOf(answer: { outcome: { case?: string | undefined; value?: unknown } }): SignedIn {
  if (answer.outcome.case !== "completed") throw new Error(`it was ${answer.outcome.case}`);
  const { signedIn } = answer.outcome.value as { readonly signedIn?: SignedIn };
  if (signedIn === undefined) throw new Error("nobody was signed in");
  return signedIn;
}

const rejectedAs = (reason: RejectionReason) => ({ outcome: { case: "rejected", value: { reason } } });

describe("a device of the tests", () => {
  // RFC 6238, appendix B, for SHA-1.
  test.each([
    [59, "94287082"],
    [1_111_111_109, "07081804"],
    [1_234_567_890, "89005924"],
    [20_000_000_000, "65353130"],
  ])("shows at second %i the code of the standard", (seconds, code) => {
    const key = Buffer.from("12345678901234567890");
    expect(new TotpDevice(key, () => new Date(seconds * 1000)).code(0, 8)).toBe(code);
  });
});

describe("an authenticator app", () => {
  test.each(protocols)(
    "is set up, wanted at the next login, and raises the session, over %s",
    async (protocol) => {
      const account = await register(app, { protocol });
      const { device, settings } = await setUpTotp(app, account, protocol);
      // The session is another one by now, of the higher level; the former token is worth nothing.
      const sessions = app.client(SessionService, { bearer: settings.token });
      const { session } = await sessions.getCurrentSession({});
      expect(session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
      expect(session?.authenticationMethods.map(({ kind }) => kind)).toEqual([
        MethodKind.PASSWORD,
        MethodKind.TOTP,
      ]);
      const former = app.client(SessionService, { bearer: account.sessionToken }).getCurrentSession({});
      expect((await refusal(former)).reason).toBe("SESSION_REVOKED");

      app.clock.advance(30_000);
      const { case: outcome, flow } = await logIn(app, account.email, goodPassword, protocol);
      expect(outcome).toBe("nextStep");
      expect(flow?.stage).toMatchObject({
        case: "chooseMethod",
        value: { secondFactor: true, offers: [{ method: { case: "totp", value: { key: "", uri: "" } } }] },
      });
      const done = sessionOf(await secondStep(flow, "totp", device.code()));
      expect(done.session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    },
  );

  // Security rule (SR-SESSION-6): a session that is worth more ends sooner.
  test("makes a session that ends after an hour without use, and after a day (SR-SESSION-6)", async () => {
    const account = await register(app);
    const weak = sessionOf({ outcome: await logIn(app, account.email) });
    const { device, settings } = await setUpTotp(app, account);
    const isAlive = async (bearer: string, active = true) => {
      const { sessions } = await app.client(SessionAdminService).listSessions({
        identityId: account.identity?.id ?? "",
        active,
      });
      const { case: answer } = await app
        .client(SessionService, { bearer })
        .getCurrentSession({})
        .then(
          () => ({ case: true }),
          () => ({ case: false }),
        );
      return [answer, sessions.length];
    };
    app.clock.advance(3_599_000);
    expect(await isAlive(settings.token)).toEqual([true, 2]);
    app.clock.advance(3_601_000);
    expect(await isAlive(settings.token)).toEqual([false, 1]);
    expect(await isAlive(weak.sessionToken)).toEqual([true, 1]);
    const strong = sessionOf(await signIn(account.email, "totp", device.code())).session;
    const seconds = Number(strong?.expireTime?.seconds) - Number(strong?.createTime?.seconds);
    expect(seconds).toBe(86_400);
  });

  test("shows its key as text, as a URI and as an image, until the first code is right", async () => {
    const settings = new Settings(app, (await register(app)).sessionToken);
    const shown = await settings.submit("totp");
    expect(shown.outcome.case).toBe("nextStep");
    const nodes = shown.flow?.form?.nodes ?? [];
    expect(nodes.map(({ name }) => name)).toEqual([
      ...["totp.help", "totp.image", "totp.key", "totp.code", "totp.endOtherSessions", "totp", "back"],
    ]);
    const image = nodes[1]?.kind.case === "image" ? nodes[1].kind.value : undefined;
    expect(image).toMatchObject({ mediaType: "image/svg+xml", source: { case: "data" } });
    const stage = shown.flow?.stage;
    const offer = stage?.case === "changeSettings" ? stage.value.offers[0]?.part : undefined;
    const { key, uri } = offer?.case === "totp" ? offer.value : { key: "", uri: "" };
    // 160 bits.
    expect(key).toMatch(/^[A-Z2-7]{32}$/);
    expect(new URL(uri)).toMatchObject({ protocol: "otpauth:", host: "totp" });
    expect(new URL(uri).searchParams.get("secret")).toBe(key);
    expect(nodes[2]?.kind).toMatchObject({
      case: "text",
      value: { text: { context: { key } }, copyable: true },
    });

    const device = TotpDevice.from(key, () => app.clock.now());
    expect(await settings.submit("totp", { code: "abc" })).toMatchObject(
      rejectedAs(RejectionReason.CODE_MALFORMED),
    );
    expect(await settings.submit("totp", { code: device.code(5) })).toMatchObject(
      rejectedAs(RejectionReason.CODE_INVALID),
    );
    // Without a code the same key is shown again.
    expect((await settings.submit("totp")).flow?.stage).toEqual(stage);
    expect((await settings.submit("back")).flow?.stage.case).toBe("changeSettings");
    await settings.submit("totp");
    // Another key: the code of the first one is worth nothing.
    expect(await settings.submit("totp", { code: device.code() })).toMatchObject(
      rejectedAs(RejectionReason.CODE_INVALID),
    );
  });

  test("that is set up in the place of another one makes the former one worthless", async () => {
    const account = await register(app);
    const { device: former, settings } = await setUpTotp(app, account);
    app.clock.advance(30_000);
    const { device } = await setUpTotp(app, { sessionToken: settings.token });
    app.clock.advance(30_000);
    expect(await signIn(account.email, "totp", former.code())).toMatchObject(
      rejectedAs(RejectionReason.CODE_INVALID),
    );
    sessionOf(await signIn(account.email, "totp", device.code()));
    const { credentials } = await app.client(IdentityService).listCredentials({
      identityId: account.identity?.id ?? "",
    });
    expect(credentials.map(({ kind }) => kind)).toEqual([MethodKind.TOTP, MethodKind.PASSWORD]);
  });

  // Security rule (SR-TOTP-1): a code counts once, and then only later ones do.
  test("gives codes that count once, also at 16 logins at once, and within a step of their time (SR-TOTP-1)", async () => {
    const account = await register(app);
    const { device } = await setUpTotp(app, account);
    // The code of the set-up.
    expect(await signIn(account.email, "totp", device.code())).toMatchObject(
      rejectedAs(RejectionReason.CODE_INVALID),
    );
    app.clock.advance(90_000);
    for (const steps of [-2, 2]) {
      expect(await signIn(account.email, "totp", device.code(steps))).toMatchObject(
        rejectedAs(RejectionReason.CODE_INVALID),
      );
    }
    const flows = [];
    for (let index = 0; index < 16; index++) flows.push((await logIn(app, account.email)).flow);
    const code = device.code();
    const answers = await Promise.allSettled(flows.map((flow) => secondStep(flow, "totp", code)));
    const outcomes = answers.map((answer) =>
      answer.status === "fulfilled" ? answer.value.outcome.case : "error",
    );
    expect(outcomes.filter((outcome) => outcome === "completed")).toHaveLength(1);
    // One of before, though its time is not over.
    expect(await signIn(account.email, "totp", device.code(-1))).toMatchObject(
      rejectedAs(RejectionReason.CODE_INVALID),
    );
    sessionOf(await signIn(account.email, "totp", device.code(1)));
  });

  test("is asked for by its form in a client that knows no step of it", async () => {
    const account = await register(app);
    const { device } = await setUpTotp(app, account);
    app.clock.advance(30_000);
    const { flow } = await logIn(app, account.email);
    expect(flow?.form?.nodes.map(({ name }) => name)).toEqual(["totp.code", "totp", "back"]);
    const answer = await app.client(FlowService).submitForm({
      flowId: flow?.id ?? "",
      step: "totp",
      values: { "totp.code": { kind: { case: "stringValue", value: device.code() } } },
    });
    sessionOf(answer);
  });

  test("alone is wanted by a step-up, and meets its demand", async () => {
    const account = await register(app);
    const weak = sessionOf({ outcome: await logIn(app, account.email) });
    const { device } = await setUpTotp(app, account);
    app.clock.advance(30_000);
    const { flow } = await app.client(LoginService, { bearer: weak.sessionToken }).createLoginFlow({
      client: ClientKind.NATIVE,
      purpose: LoginPurpose.STEP_UP,
      demands: [{ demand: { case: "assuranceLevel", value: AssuranceLevel.AAL2 } }],
    });
    const client = app.client(LoginService);
    const flowId = flow?.id ?? "";
    expect(flow?.stage).toMatchObject({ case: "chooseMethod", value: { secondFactor: true } });
    const strong = sessionOf(
      await client.submitLoginFlow({ flowId, step: { case: "totp", value: { code: device.code() } } }),
    );
    expect(strong.session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
    expect(strong.session?.authenticationMethods.map(({ kind }) => kind)).toEqual([
      MethodKind.PASSWORD,
      MethodKind.TOTP,
    ]);
    const former = app.client(SessionService, { bearer: weak.sessionToken }).getCurrentSession({});
    expect((await refusal(former)).reason).toBe("SESSION_REVOKED");
    // Of an account without one nobody is led through a login in vain.
    const { sessionToken } = await register(app);
    const impossible = app.client(LoginService, { bearer: sessionToken }).createLoginFlow({
      client: ClientKind.NATIVE,
      purpose: LoginPurpose.STEP_UP,
      demands: [{ demand: { case: "assuranceLevel", value: AssuranceLevel.AAL2 } }],
    });
    expect((await refusal(impossible)).reason).toBe("STEP_UP_IMPOSSIBLE");
  });
});

describe("backup codes", () => {
  test("are shown once, kept when that is confirmed, and each signs in once (SR-BACKUP-1)", async () => {
    const account = await register(app);
    const { settings } = await setUpTotp(app, account);
    const missing = (await settings.begin())?.form?.messages.map(({ id }) => id);
    expect(missing).toContain(9000311);
    const codes = await makeBackupCodes(settings);
    expect(codes).toHaveLength(12);
    for (const code of codes) expect(code).toMatch(/^([0-9A-HJKMNP-TV-Z]{4}-){3}[0-9A-HJKMNP-TV-Z]{4}$/);
    const drawn = await settings.begin();
    expect(drawn?.form?.messages.map(({ id }) => id)).not.toContain(9000311);
    // Nothing of the stored codes is shown again.
    for (const code of codes)
      expect(toJsonString(FlowSchema, drawn ?? create(FlowSchema))).not.toContain(code.replaceAll("-", ""));

    const [first = "", second = ""] = codes;
    const { flow } = await logIn(app, account.email);
    expect(flow?.form?.nodes.filter(({ kind }) => kind.case === "button").map(({ name }) => name)).toEqual([
      ...["totp", "backupCode", "back"],
    ]);
    sessionOf(await secondStep(flow, "backupCode", first.toLowerCase().replaceAll("-", " ")));
    expect(await signIn(account.email, "backupCode", first)).toMatchObject(
      rejectedAs(RejectionReason.CODE_INVALID),
    );
    expect(await signIn(account.email, "backupCode", "0000-0000-0000")).toMatchObject(
      rejectedAs(RejectionReason.CODE_MALFORMED),
    );
    const flows = [];
    for (let index = 0; index < 16; index++) flows.push((await logIn(app, account.email)).flow);
    const answers = await Promise.allSettled(flows.map((each) => secondStep(each, "backupCode", second)));
    const done = answers.filter(
      (each) => each.status === "fulfilled" && each.value.outcome.case === "completed",
    );
    expect(done).toHaveLength(1);
    const { credentials } = await app.client(IdentityService).listCredentials({
      identityId: account.identity?.id ?? "",
    });
    expect(credentials[0]).toMatchObject({
      kind: MethodKind.BACKUP_CODE,
      secondFactor: false,
      details: { case: "backupCode", value: { remaining: 10, total: 12 } },
    });
  });

  test("that are made anew leave the former ones good until they are confirmed", async () => {
    const account = await register(app);
    const { settings } = await setUpTotp(app, account);
    const [one = "", two = "", three = ""] = await makeBackupCodes(settings);
    await settings.submit("backupCodes");
    sessionOf(await signIn(account.email, "backupCode", one));
    await settings.submit("backupCodes", { confirmed: true });
    for (const code of [two, three]) {
      expect(await signIn(account.email, "backupCode", code)).toMatchObject(
        rejectedAs(RejectionReason.CODE_INVALID),
      );
    }
  });

  test("ask for nothing by themselves", async () => {
    const account = await register(app);
    await makeBackupCodes(new Settings(app, account.sessionToken));
    expect((await logIn(app, account.email)).case).toBe("completed");
  });

  test("that are used are told, with how many are left", async () => {
    const account = await verifiedAccount(app);
    const { settings } = await setUpTotp(app, account);
    app.clock.advance(1000);
    const [code = ""] = await makeBackupCodes(settings);
    sessionOf(await signIn(account.email, "backupCode", code));
    const told = (await app.messages(account.email))
      .map(({ content }) => content)
      .filter((content) => content?.template !== "login_new_device");
    const place = { time: expect.any(Date), device: expect.stringContaining("127.0.0.1") };
    expect(told.slice(-3)).toEqual([
      expect.objectContaining({ template: "credential_added", data: { kind: "totp", label: "", ...place } }),
      expect.objectContaining({
        template: "credential_added",
        data: { kind: "backup_code", label: "", ...place },
      }),
      expect.objectContaining({ template: "backup_code_used", data: { remaining: 11, ...place } }),
    ]);
  });
});

describe("what somebody signs in with", () => {
  /** The credentials as a settings flow shows them. */
  const shownIn = (flow: Flow | undefined) =>
    flow?.stage.case === "changeSettings" ? flow.stage.value.credentials : [];

  test("is listed, renamed and removed in the settings, by steps and by the form", async () => {
    const account = await verifiedAccount(app);
    const { settings } = await setUpTotp(app, account);
    const drawn = await settings.begin();
    const [password, totp] = shownIn(drawn);
    expect([password?.kind, totp?.kind]).toEqual([MethodKind.PASSWORD, MethodKind.TOTP]);
    expect(totp).toMatchObject({ label: "", secondFactor: true, details: { case: "totp" } });
    const credentialId = totp?.id ?? "";
    const buttons = drawn?.form?.nodes.filter(({ name }) => name === "manageCredential.credentialId");
    expect(buttons).toHaveLength(1);
    expect(buttons?.[0]).toMatchObject({ section: "totp", step: "manageCredential" });

    const managed = await settings.submit("manageCredential", { credentialId });
    expect(managed.flow?.stage).toMatchObject({
      case: "manageCredential",
      value: { credential: { id: credentialId } },
    });
    const values = { "renameCredential.label": { kind: { case: "stringValue" as const, value: " Phone " } } };
    const named = await app.client(FlowService, { bearer: settings.token }).submitForm({
      flowId: settings.flowId,
      step: "renameCredential",
      values: {
        ...values,
        "renameCredential.credentialId": { kind: { case: "stringValue", value: credentialId } },
      },
    });
    expect(named.outcome.case).toBe("saved");
    expect(shownIn(named.flow)[1]).toMatchObject({ id: credentialId, label: "Phone" });
    const renamed = await settings.submit("renameCredential", { credentialId, label: "Work phone" });
    expect(shownIn(renamed.flow)[1]?.label).toBe("Work phone");

    const removed = await settings.submit("removeCredential", { credentialId });
    expect(removed.outcome.case).toBe("saved");
    expect(shownIn(removed.flow).map(({ kind }) => kind)).toEqual([MethodKind.PASSWORD]);
    expect(await settings.submit("removeCredential", { credentialId })).toMatchObject(
      rejectedAs(RejectionReason.CREDENTIAL_GONE),
    );
    expect(await settings.submit("renameCredential", { credentialId, label: "a" })).toMatchObject(
      rejectedAs(RejectionReason.CREDENTIAL_GONE),
    );
    const told = (await app.messages(account.email)).map(({ content }) => content);
    expect(told.at(-1)).toMatchObject({
      template: "credential_removed",
      data: { kind: "totp", label: "Work phone" },
    });
  });

  test("is nobody else's to change", async () => {
    const [ada, eve] = [await register(app), await register(app)];
    const { settings } = await setUpTotp(app, ada);
    const credentialId = shownIn(await settings.begin())[1]?.id ?? "";
    const stranger = new Settings(app, eve.sessionToken);
    for (const name of ["manageCredential", "renameCredential", "removeCredential"] as const) {
      expect(await stranger.submit(name, { credentialId })).toMatchObject(
        rejectedAs(RejectionReason.CREDENTIAL_GONE),
      );
    }
    expect(shownIn(await settings.begin())).toHaveLength(2);
  });

  // Security rule (SR-SETTINGS-6): the last way in is not removed.
  test("is not removed where nobody could sign in without it (SR-SETTINGS-6)", async () => {
    // Neither address is verified, so no code goes there.
    const account = await register(app);
    const { settings } = await setUpTotp(app, account);
    const [password] = shownIn(await settings.begin());
    const credentialId = password?.id ?? "";
    // A second factor alone lets nobody in.
    expect(await settings.submit("removeCredential", { credentialId })).toMatchObject(
      rejectedAs(RejectionReason.LAST_WAY_IN),
    );
    const verified = await verifiedAccount(app);
    const own = new Settings(app, verified.sessionToken);
    const [removable] = shownIn(await own.begin());
    const removed = await own.submit("removeCredential", { credentialId: removable?.id ?? "" });
    expect([removed.outcome.case, shownIn(removed.flow)]).toEqual(["saved", []]);
  });

  test("ends other sessions where that is asked for, and only then", async () => {
    const account = await register(app);
    const other = async () => sessionOf({ outcome: await logIn(app, account.email) }).sessionToken;
    const isAlive = async (bearer: string) =>
      app
        .client(SessionService, { bearer })
        .getCurrentSession({})
        .then(
          () => true,
          () => false,
        );
    const [first] = [await other()];
    const { device, settings } = await setUpTotp(app, account);
    expect(await isAlive(first)).toBe(true);
    const credentialId = shownIn(await settings.begin())[1]?.id ?? "";
    const removed = await settings.submit("removeCredential", { credentialId, endOtherSessions: true });
    expect(removed.outcome.case).toBe("saved");
    expect([await isAlive(first), await isAlive(settings.token)]).toEqual([false, true]);
    const second = await other();
    await settings.submit("totp");
    expect(device).toBeDefined();
    const shown = await settings.submit("totp");
    const stage = shown.flow?.stage;
    const part = stage?.case === "changeSettings" ? stage.value.offers[0]?.part : undefined;
    const key = part?.case === "totp" ? part.value.key : "";
    const code = TotpDevice.from(key, () => app.clock.now()).code();
    await settings.submit("totp", { code, endOtherSessions: true });
    expect([await isAlive(second), await isAlive(settings.token)]).toEqual([false, true]);
  });

  // Security rule (SR-FACTOR-7): what protects an account is not changed by somebody who has shown less than a login asks for now.
  test("is not changed in a session from before the second factor (SR-FACTOR-7)", async () => {
    const account = await register(app);
    const former = sessionOf({ outcome: await logIn(app, account.email) });
    const { device } = await setUpTotp(app, account);
    const weak = new Settings(app, former.sessionToken);
    const credentialId = shownIn(await weak.begin())[1]?.id ?? "";
    for (const [name, value] of [
      ["removeCredential", { credentialId }],
      ["totp", {}],
      ["backupCodes", {}],
      ["password", { password: "another good password" }],
    ] as const) {
      const answer = await weak.submit(name, value);
      expect(answer.outcome.case).toBe("loginRequired");
      // Nothing of a new key is shown before that.
      expect(answer.flow?.kind).toBe(1);
    }
    app.clock.advance(30_000);
    const asked = await weak.submit("removeCredential", { credentialId });
    const login = app.client(LoginService);
    const flowId = asked.flow?.id ?? "";
    const next = await login.submitLoginFlow({
      flowId,
      step: { case: "password", value: { password: goodPassword } },
    });
    expect(next.flow?.stage).toMatchObject({ value: { secondFactor: true } });
    const strong = sessionOf(
      await login.submitLoginFlow({ flowId, step: { case: "totp", value: { code: device.code() } } }),
    );
    weak.token = strong.sessionToken;
    expect((await weak.submit("resume")).outcome.case).toBe("saved");
    expect((await logIn(app, account.email)).case).toBe("completed");
  });

  test("is set up in an old session after a fresh login, which shows the key only then", async () => {
    const account = await register(app);
    app.clock.advance(3_600_000);
    const settings = new Settings(app, account.sessionToken);
    const asked = await settings.submit("totp");
    expect(asked.outcome.case).toBe("loginRequired");
    const flowId = asked.flow?.id ?? "";
    const done = await app
      .client(LoginService)
      .submitLoginFlow({ flowId, step: { case: "password", value: { password: goodPassword } } });
    settings.token = sessionOf(done).sessionToken;
    const shown = await settings.submit("resume");
    expect(shown.outcome.case).toBe("nextStep");
    const stage = shown.flow?.stage;
    const part = stage?.case === "changeSettings" ? stage.value.offers[0]?.part : undefined;
    const key = part?.case === "totp" ? part.value.key : "";
    const code = TotpDevice.from(key, () => app.clock.now()).code();
    expect((await settings.submit("totp", { code })).outcome.case).toBe("saved");
  });
});

describe("the owner of an account", () => {
  const templatesTo = async (email: string) =>
    (await app.messages(email)).map(({ content }) => content?.template);

  test("is told once of a right password with a wrong second factor, with time and device (ASVS V6.3.5)", async () => {
    const account = await verifiedAccount(app);
    const { settings } = await setUpTotp(app, account);
    for (let index = 0; index < 3; index++) {
      expect(await signIn(account.email, "totp", "000000")).toMatchObject(
        rejectedAs(RejectionReason.CODE_INVALID),
      );
    }
    const told = (await templatesTo(account.email)).filter((template) => template === "second_factor_failed");
    expect(told).toHaveLength(1);
    const history = await app.client(SessionService, { bearer: settings.token }).listOwnLoginHistory({});
    expect(history.records.slice(0, 3).map(({ method }) => method)).toEqual(Array(3).fill(MethodKind.TOTP));
  });

  test("is told of a login on a device that is not known, and of no other", async () => {
    const { email } = await verifiedAccount(app);
    // Once a day of the same device.
    for (let index = 0; index < 3; index++) await logIn(app, email);
    expect(await templatesTo(email)).toEqual(["login_new_device"]);
    app.clock.advance(86_400_000);
    const before = (await templatesTo(email)).length;
    const { flow } = await app.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
    const step = { case: "password", value: { password: goodPassword } } as const;
    app.clock.advance(1);
    const first = await app
      .client(LoginService)
      .submitLoginFlow({ flowId: flow?.id ?? "", identifier: email, step });
    const { deviceToken } = sessionOf(first);
    expect((await templatesTo(email)).slice(before)).toEqual(["login_new_device"]);
    const again = await app.client(LoginService).createLoginFlow({ client: ClientKind.NATIVE });
    sessionOf(
      await app
        .client(LoginService)
        .submitLoginFlow({ flowId: again.flow?.id ?? "", identifier: email, step, deviceToken }),
    );
    expect((await templatesTo(email)).slice(before)).toEqual(["login_new_device"]);
  });
});

describe("a recovery of an account with a second factor", () => {
  /** Proves the address by a code, and gives the settings in which the new password is set. */
  async function recover(email: string): Promise<string> {
    const recoveries = app.client(RecoveryService);
    const { flow } = await recoveries.createRecoveryFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    await recoveries.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
    const code = (await app.messages(email)).findLast((sent) => sent.code !== "")?.code ?? "";
    const { outcome } = await recoveries.submitRecoveryFlow({
      flowId,
      step: { case: "code", value: { code } },
    });
    if (outcome.case !== "completed") throw new Error(`the recovery was ${outcome.case}`);
    const [next] = outcome.value.continueWith;
    return next?.action.case === "settings" ? (next.action.value.flow?.id ?? "") : "";
  }

  // Security rule (SR-FACTOR-2): a mailbox alone neither opens nor changes an account that has a second factor.
  test.each(["totp", "backupCode"] as const)(
    "wants it before the new password: %s (SR-FACTOR-2)",
    async (name) => {
      const account = await verifiedAccount(app);
      const { device, settings } = await setUpTotp(app, account);
      const [backup = ""] = await makeBackupCodes(settings);
      app.clock.advance(30_000);
      const flowId = await recover(account.email);
      const password = "another harbour lantern";
      const submit = (step: object, bearer?: string) =>
        app
          .client(SettingsService, bearer === undefined ? {} : { bearer })
          .submitSettingsFlow({ flowId, step: step as never });
      const asked = await submit({ case: "password", value: { password } });
      expect(asked.outcome.case).toBe("loginRequired");
      expect((await submit({ case: "resume", value: {} })).outcome.case).toBe("loginRequired");
      expect((await logIn(app, account.email, password)).case).toBe("rejected");
      const shown = sessionOf(await secondStep(asked.flow, name, name === "totp" ? device.code() : backup));
      const done = sessionOf(await submit({ case: "resume", value: {} }, shown.sessionToken));
      expect(done.session?.assuranceLevel).toBe(AssuranceLevel.AAL2);
      expect((await logIn(app, account.email, password)).flow?.stage).toMatchObject({
        value: { secondFactor: true },
      });
    },
  );
});
