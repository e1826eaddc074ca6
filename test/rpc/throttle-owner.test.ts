import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ThrottleService } from "../../gen/ostiary/access/v1/throttle_service_pb.js";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginPurpose, LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RejectionReason } from "../../gen/ostiary/flow/v1/outcome_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { VerificationService } from "../../gen/ostiary/flow/v1/verification_service_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { createTokens } from "../../src/crypto/tokens.ts";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { readMessages, type TestApp } from "../support/app.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { freshAddress, guess, sealingSecret, startThrottledApp } from "../support/throttled.ts";

let app: TestApp;
beforeAll(async () => {
  const flows = { recovery: { ui_url: "https://app.example.com/recovery" } };
  app = await startThrottledApp(
    { recipient_total: { count: 15, period: "24h" }, address: { count: 25, period: "10m" } },
    { flows, link: { enabled: true } },
  );
});
afterAll(() => app.stop());

const kinds = ["login", "recovery", "verification"] as const;
type Kind = (typeof kinds)[number];

/** Who asks: from an address, with what they show of themselves. */
interface Asking {
  readonly from?: string;
  readonly bearer?: string;
  readonly deviceToken?: string;
}

/** Has a code sent in a native flow of its own, and gives the flow. */
async function ask(kind: Kind, name: string, asking: Asking = {}, on = app) {
  const { from = freshAddress(), bearer, deviceToken = "" } = asking;
  // Messages are told apart by their time, which stands still otherwise.
  on.clock.advance(1);
  const options = { headers: { "x-forwarded-for": from }, ...(bearer === undefined ? {} : { bearer }) };
  const step = { case: "sendCode", value: {} } as const;
  const native = { client: ClientKind.NATIVE } as const;
  if (kind === "login") {
    const client = on.client(LoginService, options);
    const flowId = (await client.createLoginFlow(native)).flow?.id ?? "";
    return { flowId, ...(await client.submitLoginFlow({ flowId, identifier: name, deviceToken, step })) };
  }
  if (kind === "recovery") {
    const client = on.client(RecoveryService, options);
    const flowId = (await client.createRecoveryFlow(native)).flow?.id ?? "";
    return { flowId, ...(await client.submitRecoveryFlow({ flowId, address: name, deviceToken, step })) };
  }
  const client = on.client(VerificationService, options);
  const flowId = (await client.createVerificationFlow(native)).flow?.id ?? "";
  return { flowId, ...(await client.submitVerificationFlow({ flowId, address: name, deviceToken, step })) };
}

async function newestCode(email: string, on = app) {
  return (await readMessages(on.databaseUrl, sealingSecret, email)).filter(({ code }) => code !== "").at(-1);
}

/** Uses up all that strangers can: codes by any kind of flow from many addresses, and tries of the password. */
async function lockOut(email: string): Promise<void> {
  for (let count = 0; count < 15; count++)
    await ask(kinds[count % 3] ?? "login", email).catch(() => undefined);
  expect(await refusal(ask("login", email))).toMatchObject({
    reason: "RATE_LIMITED",
    metadata: { scope: "recipient" },
  });
  for (let count = 0; count < 10; count++) await guess(app, { identifier: email, from: freshAddress() });
  const refused = guess(app, { identifier: email, password: goodPassword, from: freshAddress() });
  expect(await refusal(refused)).toMatchObject({ reason: "RATE_LIMITED", metadata: { scope: "account" } });
}

/** The device that somebody has just signed in on. */
async function deviceOf(email: string): Promise<string> {
  const outcome = await guess(app, { identifier: email, password: goodPassword, from: freshAddress() });
  if (outcome.case !== "completed") throw new Error(`the login was ${outcome.case}`);
  return outcome.value.signedIn?.deviceToken ?? "";
}

// Security rule (SR-LIMIT-2): strangers use up nothing that the owner of an account needs to get in (ASVS V6.1.1).
describe("what strangers ask for", () => {
  test("at one address leaves the owner at another one all codes, and the owner at the same one other kinds", async () => {
    const { email } = await verifiedAccount(app);
    const attacker = freshAddress();
    for (let count = 0; count < 5; count++) await ask("recovery", email, { from: attacker });
    expect(await refusal(ask("recovery", email, { from: attacker }))).toMatchObject({
      reason: "RATE_LIMITED",
      metadata: { scope: "recipient" },
    });
    for (let count = 0; count < 10; count++) await guess(app, { identifier: email, from: attacker });
    await refusal(guess(app, { identifier: email, password: goodPassword, from: attacker }));
    for (const from of [attacker, freshAddress()]) {
      const { flowId } = await ask("login", email, { from });
      const { code = "", suppressed } = (await newestCode(email)) ?? {};
      expect(suppressed).toBe(false);
      const login = app.client(LoginService, { headers: { "x-forwarded-for": from } });
      const { outcome } = await login.submitLoginFlow({ flowId, step: { case: "code", value: { code } } });
      expect(outcome.case).toBe("completed");
    }
    await ask("recovery", email);
    expect(await newestCode(email)).toMatchObject({ template: "recovery_code", suppressed: false });
  });

  test("at one address over a day leaves some for another one, and their mailbox has a total", async () => {
    const wide = await startThrottledApp();
    try {
      const { email } = await verifiedAccount(wide);
      const spend = async (from: string) => {
        let sent = 0;
        for (let step = 0; step < 48; step++) {
          wide.clock.advance(30 * 60_000);
          for (const kind of ["login", "recovery"] as const) {
            sent += await ask(kind, email, { from }, wide).then(
              () => 1,
              () => 0,
            );
          }
        }
        return sent;
      };
      // 30 at once, and what is given back over the day.
      const first = await spend(freshAddress());
      expect(first).toBeGreaterThanOrEqual(55);
      expect(first).toBeLessThanOrEqual(60);
      await ask("login", email, {}, wide);
      expect(await newestCode(email, wide)).toMatchObject({ template: "login_code", suppressed: false });
    } finally {
      await wide.stop();
    }
  });

  test.each(kinds)("leaves a known device its own: %s", async (kind) => {
    const { email } = kind === "verification" ? await register(app) : await verifiedAccount(app);
    const deviceToken = await deviceOf(email);
    await lockOut(email);
    expect((await ask(kind, email, { deviceToken })).outcome.case).toBe("nextStep");
    expect(await newestCode(email)).toMatchObject({ template: `${kind}_code`, suppressed: false });
    // Its own budget is one as well.
    for (let count = 0; count < 4; count++) await ask(kind, email, { deviceToken });
    expect(await refusal(ask(kind, email, { deviceToken }))).toMatchObject({ reason: "RATE_LIMITED" });
  });

  test.each(kinds)("leaves a live session its own, until it ends: %s", async (kind) => {
    const { email, sessionToken } =
      kind === "verification" ? await register(app) : await verifiedAccount(app);
    await lockOut(email);
    expect((await ask(kind, email, { bearer: sessionToken })).outcome.case).toBe("nextStep");
    expect(await newestCode(email)).toMatchObject({ template: `${kind}_code`, suppressed: false });
    await app.client(SessionService, { bearer: sessionToken }).logout({});
    expect(await refusal(ask(kind, email, { bearer: sessionToken }))).toMatchObject({
      reason: "RATE_LIMITED",
    });
  });

  test("does not stop a fresh login in one's session", async () => {
    const { email, sessionToken } = await verifiedAccount(app);
    await lockOut(email);
    const client = app.client(LoginService, { bearer: sessionToken });
    const { flow } = await client.createLoginFlow({
      client: ClientKind.NATIVE,
      purpose: LoginPurpose.REFRESH,
    });
    const step = { case: "password", value: { password: goodPassword } } as const;
    const { outcome } = await client.submitLoginFlow({ flowId: flow?.id ?? "", step });
    expect(outcome.case).toBe("completed");
  });

  test("lets nobody in who makes a device or a session up, or shows those of another account", async () => {
    const { email } = await verifiedAccount(app);
    const other = await verifiedAccount(app);
    await lockOut(email);
    const tokens = createTokens();
    const shown: readonly Asking[] = [
      { deviceToken: tokens.issue("known_device", "default").token.reveal() },
      { deviceToken: await deviceOf(other.email) },
      { deviceToken: "ost_dev_garbage" },
      { bearer: tokens.issue("session", "default").token.reveal() },
      { bearer: other.sessionToken },
      { bearer: "garbage" },
    ];
    for (const asking of shown) {
      for (const kind of ["login", "recovery"] as const) {
        expect(await refusal(ask(kind, email, asking))).toMatchObject({
          reason: "RATE_LIMITED",
          metadata: { scope: "recipient" },
        });
      }
    }
  });

  test("does not kill a code that is alive, nor end its flow", async () => {
    const { email } = await verifiedAccount(app);
    for (const name of [email, freshEmail()]) {
      const from = freshAddress();
      const { flowId } = await ask("login", name, { from });
      const { code = "" } = (await newestCode(email)) ?? {};
      for (let count = 0; count < 4; count++) await ask("login", name, { from });
      app.clock.advance(31_000);
      await ask("login", name, { from }).catch(() => undefined);
      const client = app.client(LoginService, { headers: { "x-forwarded-for": from } });
      const { outcome } = await client.submitLoginFlow({ flowId, step: { case: "resend", value: {} } });
      expect(outcome.case === "rejected" && RejectionReason[outcome.value.reason]).toBe("RESEND_TOO_EARLY");
      const entered = await client.submitLoginFlow({ flowId, step: { case: "code", value: { code } } });
      expect(entered.outcome.case).toBe(name === email ? "completed" : "rejected");
    }
  });

  test("is answered and counted alike whether or not anybody has the address, with the same statements", async () => {
    const { email } = await verifiedAccount(app);
    const { deviceToken, sessionToken: bearer } = await register(app);
    const answers = [];
    for (const name of [email, freshEmail()]) {
      const from = freshAddress();
      const answersOf = [];
      for (let count = 0; count < 7; count++) {
        app.statements.length = 0;
        const answer = await ask("login", name, { from, deviceToken, bearer }).then(
          ({ outcome }) => outcome.case,
          async (error: unknown) => (await refusal(Promise.reject(error))).reason,
        );
        answersOf.push([answer, app.statements.filter((text) => text !== "SELECT 1")]);
      }
      answers.push(answersOf);
    }
    expect(answers[1]).toEqual(answers[0]);
  });

  test("is seen and reset by an operator", async () => {
    const { email } = await verifiedAccount(app);
    const from = freshAddress();
    for (let count = 0; count < 6; count++) await ask("login", email, { from }).catch(() => undefined);
    const client = app.client(ThrottleService);
    const { counters } = await client.explainThrottle({ identifier: email, ipAddress: from });
    expect(Object.fromEntries(counters.map(({ limit, usedCount }) => [limit, usedCount]))).toEqual({
      ...{ sending: 6, recipient: 5, recipient_daily: 5, recipient_total: 5, mailbox: 5 },
    });
    expect(counters.filter(({ exhausted }) => exhausted).map(({ limit }) => limit)).toEqual(["recipient"]);
    await client.resetThrottle({ identifier: email, ipAddress: from });
    expect((await ask("login", email, { from })).outcome.case).toBe("nextStep");
  });

  test("at a shared address stops neither a known device nor a link that was opened", async () => {
    const { email, id } = await verifiedAccount(app);
    const deviceToken = await deviceOf(email);
    const from = freshAddress();
    for (let count = 0; count < 25; count++) await guess(app, { identifier: freshEmail(), from });
    const attempt = { identifier: email, password: goodPassword, from };
    expect(await refusal(guess(app, attempt))).toMatchObject({ metadata: { scope: "address" } });
    expect((await guess(app, { ...attempt, deviceToken })).case).toBe("completed");
    const { linkToken } = await app.client(IdentityService).createRecoveryLink({ identityId: id });
    const client = app.client(RecoveryService, { headers: { "x-forwarded-for": from } });
    const { flow } = await client.createRecoveryFlow({ client: ClientKind.NATIVE, linkToken });
    const step = { case: "confirmLink", value: {} } as const;
    const { outcome } = await client.submitRecoveryFlow({ flowId: flow?.id ?? "", step });
    expect(outcome.case).toBe("completed");
  });

  test("does not silence what an operator sends", async () => {
    const { email, id } = await verifiedAccount(app);
    await lockOut(email);
    app.clock.advance(1);
    await app.client(IdentityService).sendRecoveryMessage({ identityId: id });
    expect((await app.messages(email)).at(-1)).toMatchObject({
      template: "recovery_link",
      suppressed: false,
    });
  });
});
