import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MethodKind } from "../../gen/ostiary/common/v1/method_kind_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { FlowService } from "../../gen/ostiary/flow/v1/flow_service_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { AuthenticationPurpose } from "../../gen/ostiary/session/v1/session_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, logIn, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { refusal } from "../support/errors.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

/** The newest code that was sent to an address. */
async function codeFor(email: string): Promise<string> {
  const message = (await app.messages(email)).filter(({ code }) => code !== "").at(-1);
  if (message === undefined) throw new Error(`no code was sent to ${email}`);
  return message.code;
}

/** Registers, and verifies the address with the code that follows. */
async function registerVerified(): Promise<{ email: string; sessionToken: string; id: string }> {
  // Messages are told apart by their time, which stands still otherwise.
  app.clock.advance(1);
  const account = await register(app);
  const action = account.continueWith[0]?.action;
  if (action?.case !== "verification") throw new Error("no verification followed");
  app.clock.advance(1);
  const { outcome } = await app.client(VerificationService).submitVerificationFlow({
    flowId: action.value.flow?.id ?? "",
    step: { case: "code", value: { code: await codeFor(account.email) } },
  });
  expect(outcome).toMatchObject({ case: "completed", value: { verifiedAddress: account.email } });
  app.clock.advance(1);
  return { email: account.email, sessionToken: account.sessionToken, id: account.identity?.id ?? "" };
}

describe.each(protocols)("over %s", (protocol) => {
  test("a verified address signs in by a code", async () => {
    const { email, id } = await registerVerified();
    const client = app.client(LoginService, { protocol });
    const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    const asked = await client.submitLoginFlow({
      flowId,
      identifier: email,
      step: { case: "sendCode", value: {} },
    });
    expect(asked.outcome.case).toBe("nextStep");
    const step = asked.outcome.case === "nextStep" ? asked.flow?.stage : undefined;
    expect(step?.case).toBe("enterCode");
    const code = await codeFor(email);
    const entered = await client.submitLoginFlow({ flowId, step: { case: "code", value: { code } } });
    if (entered.outcome.case !== "completed") throw new Error(`it was ${entered.outcome.case}`);
    expect(entered.outcome.value.signedIn?.identity?.id).toBe(id);
    // Single use (SR-CODE-5).
    const again = await refusal(client.submitLoginFlow({ flowId, step: { case: "code", value: { code } } }));
    expect(again.reason).toBe("FLOW_COMPLETED");
  });

  test("a lost password is replaced by a recovery, which ends every other session", async () => {
    const { email, sessionToken } = await registerVerified();
    const client = app.client(RecoveryService, { protocol });
    const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    await client.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
    const { outcome } = await client.submitRecoveryFlow({
      flowId,
      step: { case: "code", value: { code: await codeFor(email) } },
    });
    if (outcome.case !== "completed") throw new Error(`it was ${outcome.case}`);
    expect(outcome.value.signedIn).toBeUndefined();
    const action = outcome.value.continueWith[0]?.action;
    if (action?.case !== "settings") throw new Error("no settings followed");
    expect(action.value.flow?.stage.case).toBe("setNewSecret");
    const settings = app.client(SettingsService, { protocol });
    const set = await settings.submitSettingsFlow({
      flowId: action.value.flow?.id ?? "",
      step: { case: "password", value: { password: "a wholly new secret" } },
    });
    if (set.outcome.case !== "completed") throw new Error(`it was ${set.outcome.case}`);
    expect(set.outcome.value.signedIn?.sessionToken).toMatch(/^ost_ses_/);
    // The device of the person who came back in is known from then on, as after a login.
    expect(set.outcome.value.signedIn?.deviceToken).toMatch(/^ost_dev_/);
    expect(set.outcome.value.signedIn?.session?.authenticationMethods).toMatchObject([
      { kind: MethodKind.CODE, purpose: AuthenticationPurpose.RECOVERY },
    ]);
    const sessions = app.client(SessionService, { protocol });
    const old = await refusal(sessions.checkSession({ token: sessionToken }));
    expect(old.reason).toBe("SESSION_REVOKED");
    expect((await logIn(app, email)).case).toBe("rejected");
    expect((await logIn(app, email, "a wholly new secret")).case).toBe("completed");
    const messages = await app.messages(email);
    for (const template of ["recovery_completed", "password_changed"]) {
      const notice = messages.find((message) => message.template === template);
      // The owner can tell when and where it happened.
      expect(notice?.content?.data).toMatchObject({
        time: expect.any(Date),
        device: expect.stringMatching(/127\.0\.0\.1|::1/),
      });
    }
  });

  test("an account is made by a code alone", async () => {
    const email = freshEmail();
    const client = app.client(RegistrationService, { protocol });
    const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    const asked = await client.submitRegistrationFlow({
      flowId,
      traits: { email },
      step: { case: "sendCode", value: {} },
    });
    expect(asked.outcome.case).toBe("nextStep");
    const made = await client.submitRegistrationFlow({
      flowId,
      step: { case: "code", value: { code: await codeFor(email) } },
    });
    if (made.outcome.case !== "completed") throw new Error(`it was ${made.outcome.case}`);
    expect(made.outcome.value.signedIn?.identity?.traits).toEqual({ email });
    // The address is proven: nothing is left to verify.
    expect(made.outcome.value.continueWith).toEqual([]);
  });

  test("a new address counts once it is proven, and the old one is told", async () => {
    const { email, sessionToken } = await registerVerified();
    const settings = app.client(SettingsService, { protocol, bearer: sessionToken });
    const { flow } = await settings.createSettingsFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    const next = freshEmail();
    const asked = await settings.submitSettingsFlow({
      flowId,
      traits: { email: next },
      step: { case: "profile", value: {} },
    });
    expect(asked.outcome.case).toBe("nextStep");
    expect((await logIn(app, next)).case).toBe("rejected");
    const saved = await settings.submitSettingsFlow({
      flowId,
      step: { case: "code", value: { code: await codeFor(next) } },
    });
    expect(saved.outcome.case).toBe("saved");
    expect((await logIn(app, next)).case).toBe("completed");
    expect((await logIn(app, email)).case).toBe("rejected");
    expect((await app.messages(email)).map(({ template }) => template)).toContain("address_changed");
  });
});

describe("settings", () => {
  test("after a long time ask for a fresh login, and go on from where they were", async () => {
    const { email, sessionToken } = await registerVerified();
    app.clock.advance(16 * 60_000);
    const settings = app.client(SettingsService, { bearer: sessionToken });
    const { flow } = await settings.createSettingsFlow({ client: ClientKind.NATIVE });
    const flowId = flow?.id ?? "";
    const { outcome, flow: drawn } = await settings.submitSettingsFlow({
      flowId,
      step: { case: "password", value: { password: "another good secret" } },
    });
    if (outcome.case !== "loginRequired") throw new Error(`it was ${outcome.case}`);
    const login = await app.client(LoginService).submitLoginFlow({
      flowId: drawn?.id ?? "",
      step: { case: "password", value: { password: goodPassword } },
    });
    if (login.outcome.case !== "completed") throw new Error(`it was ${login.outcome.case}`);
    // The old secret of the session is dead (ASVS V7.2.4).
    const old = await refusal(app.client(FlowService, { bearer: sessionToken }).getFlow({ flowId }));
    expect(old.reason).toBe("SESSION_REVOKED");
    const fresh = app.client(SettingsService, { bearer: login.outcome.value.signedIn?.sessionToken });
    const resumed = await fresh.submitSettingsFlow({ flowId, step: { case: "resume", value: {} } });
    expect(resumed.outcome.case).toBe("saved");
    expect((await logIn(app, email, "another good secret")).case).toBe("completed");
  });
});
