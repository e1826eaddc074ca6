import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { RecoveryService } from "../../gen/ostiary/flow/v1/recovery_service_pb.js";
import { RegistrationService } from "../../gen/ostiary/flow/v1/registration_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { openSettings, verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { attemptsWritten } from "../support/failed-attempts.ts";
import { administer, countOf } from "../support/postgres.ts";
import { isLive } from "../support/sessions.ts";

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.stop());

const password = (value = goodPassword) => ({ case: "password" as const, value: { password: value } });
let requests = 0;
const freshRequest = () => `request-${++requests}`;

describe.each(protocols)("an answer that got lost, over %s", (protocol) => {
  test("is given again: a login, with another token for the same session, and the lost one is dead", async () => {
    const { email } = await register(app);
    const client = app.client(LoginService, { protocol });
    const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
    const submission = {
      flowId: flow?.id ?? "",
      identifier: email,
      step: password(),
      requestId: freshRequest(),
    };
    const submit = async (over: object = {}) => {
      const { outcome } = await client.submitLoginFlow({ ...submission, ...over });
      if (outcome.case !== "completed" || outcome.value.signedIn === undefined) {
        throw new Error(`the login was ${outcome.case}`);
      }
      return outcome.value.signedIn;
    };
    const lost = await submit();
    // Another body with the same id, a guess above all, gets nothing; nor does the flow without the id.
    const guess = submit({ step: password("not the password 1") });
    expect(await refusal(guess)).toMatchObject({ reason: "REQUEST_ID_REUSED", code: "FailedPrecondition" });
    expect((await refusal(submit({ requestId: "" }))).reason).toBe("FLOW_COMPLETED");
    expect((await refusal(submit({ requestId: "another" }))).reason).toBe("FLOW_COMPLETED");

    const again = await submit();
    expect(again.session?.id).toBe(lost.session?.id);
    expect(again.identity?.id).toBe(lost.identity?.id);
    expect(again.sessionToken).toMatch(/^ost_ses_/);
    expect([await isLive(app, lost.sessionToken), await isLive(app, again.sessionToken)]).toEqual([
      false,
      true,
    ]);
    // Once: the third caller could not be told from the second.
    expect((await refusal(submit())).reason).toBe("REQUEST_ID_REUSED");
    expect(await isLive(app, again.sessionToken)).toBe(true);
    const ofSession = "event WHERE session_id = $1 AND type = $2";
    const sessionId = lost.session?.id;
    expect(await countOf(app.databaseUrl, ofSession, [sessionId, "session.created"])).toBe(1);
    expect(await countOf(app.databaseUrl, ofSession, [sessionId, "session.token_replaced"])).toBe(1);
  });
});

test("a registration makes one account, and answers with the same verification", async () => {
  const email = freshEmail();
  const client = app.client(RegistrationService);
  const { flow } = await client.createRegistrationFlow({ client: ClientKind.NATIVE });
  const submit = () =>
    client.submitRegistrationFlow({
      ...{ flowId: flow?.id ?? "", traits: { email }, step: password(), requestId: "registration" },
    });
  const [lost, again] = [await submit(), await submit()];
  if (lost.outcome.case !== "completed" || again.outcome.case !== "completed")
    throw new Error("not completed");
  expect(again.outcome.value.continueWith).toEqual(lost.outcome.value.continueWith);
  expect(again.outcome.value.signedIn?.identity).toEqual(lost.outcome.value.signedIn?.identity);
  // No token of a device is kept either.
  expect(again.outcome.value.signedIn?.deviceToken).toBe("");
  expect(await isLive(app, again.outcome.value.signedIn?.sessionToken ?? "")).toBe(true);
  expect(await app.messages(email)).toHaveLength(1);
});

test("a code is sent once, a password set once, traits saved once", async () => {
  const { email, sessionToken } = await verifiedAccount(app);
  const recovery = app.client(RecoveryService);
  const { flow } = await recovery.createRecoveryFlow({ client: ClientKind.NATIVE });
  const send = () =>
    recovery.submitRecoveryFlow({
      ...{ flowId: flow?.id ?? "", address: email, step: { case: "sendCode", value: {} }, requestId: "send" },
    });
  const sent = await send();
  expect(sent.outcome.case).toBe("nextStep");
  expect(await send()).toEqual(sent);
  const isCode = ({ template }: { readonly template: string }) => template === "recovery_code";
  expect((await app.messages(email)).filter(isCode)).toHaveLength(1);

  const settings = await openSettings(app, sessionToken);
  const save = () =>
    settings.client.submitSettingsFlow({
      ...{ flowId: settings.flow.id, step: password("another good passphrase"), requestId: "save" },
    });
  const saved = await save();
  expect(saved.outcome.case).toBe("saved");
  expect(await save()).toEqual(saved);
  const notices = (await app.messages(email)).filter(({ template }) => template === "password_changed");
  expect(notices).toHaveLength(1);
  // A late copy of a request whose answer is no longer the last one does nothing either.
  const other = { flowId: settings.flow.id, step: password("a third good passphrase"), requestId: "later" };
  expect((await settings.client.submitSettingsFlow(other)).outcome.case).toBe("saved");
  expect((await refusal(save())).reason).toBe("FLOW_CHANGED");
});

test("what was not accepted is answered the same, and tried once", async () => {
  const { email, identity } = await register(app);
  const client = app.client(LoginService);
  const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
  const submission = {
    flowId: flow?.id ?? "",
    identifier: email,
    step: password("wrong"),
    requestId: "wrong",
  };
  const first = await client.submitLoginFlow(submission);
  expect(first.outcome.case).toBe("rejected");
  expect(await client.submitLoginFlow(submission)).toEqual(first);
  await attemptsWritten(app, identity?.id);
  const failures = "event WHERE identity_id = $1 AND type = 'login.failed'";
  expect(await countOf(app.databaseUrl, failures, [identity?.id])).toBe(1);
});

test("the session of a recovery, given with the new password, is given again", async () => {
  const { email } = await verifiedAccount(app);
  const recovery = app.client(RecoveryService);
  const { flow } = await recovery.createRecoveryFlow({ client: ClientKind.NATIVE });
  const flowId = flow?.id ?? "";
  await recovery.submitRecoveryFlow({ flowId, address: email, step: { case: "sendCode", value: {} } });
  const { code = "" } = (await app.messages(email)).at(-1) ?? {};
  const proof = { flowId, step: { case: "code", value: { code } }, requestId: "proof" } as const;
  const [proved, provedAgain] = [
    await recovery.submitRecoveryFlow(proof),
    await recovery.submitRecoveryFlow(proof),
  ];
  expect(provedAgain).toEqual(proved);
  if (proved.outcome.case !== "completed") throw new Error(`it was ${proved.outcome.case}`);
  const action = proved.outcome.value.continueWith[0]?.action;
  const settingsId = action?.case === "settings" ? (action.value.flow?.id ?? "") : "";
  const submit = () =>
    app.client(SettingsService).submitSettingsFlow({
      ...{ flowId: settingsId, step: password("another good passphrase"), requestId: "new secret" },
    });
  const [lost, again] = [await submit(), await submit()];
  if (lost.outcome.case !== "completed" || again.outcome.case !== "completed")
    throw new Error("not completed");
  const tokens = [lost, again].map(
    ({ outcome }) => (outcome.case === "completed" && outcome.value.signedIn?.sessionToken) || "",
  );
  expect(await Promise.all(tokens.map((token) => isLive(app, token)))).toEqual([false, true]);
});

test("in a browser: only with its cookie and form token, and the new cookie takes the place of the lost one", async () => {
  const { email } = await register(app);
  const browser = new Browser(app.publicUrl, app.localUrl);
  const path = "/ostiary.flow.v1.LoginService";
  const { flow } = (await browser.post(`${path}/CreateLoginFlow`, { client: "CLIENT_KIND_BROWSER" })).body;
  const submission = {
    ...{ flowId: flow.id, csrfToken: flow.csrfToken, identifier: email, requestId: "browser" },
    password: { password: goodPassword },
  };
  const before = new Map(browser.cookies);
  const lost = await browser.post(`${path}/SubmitLoginFlow`, submission);
  const sessionCookies = () => [...browser.cookies].filter(([, value]) => value.startsWith("ost_cki_"));
  const [[name = "", lostValue = ""] = []] = sessionCookies();
  // The answer never came: the browser is as it was.
  browser.cookies.clear();
  for (const [key, value] of before) browser.cookies.set(key, value);

  const stranger = new Browser(app.publicUrl, app.localUrl);
  expect((await stranger.post(`${path}/SubmitLoginFlow`, submission)).reason).toBe("FLOW_CLIENT_MISMATCH");
  const forged = { ...submission, csrfToken: "" };
  expect((await browser.post(`${path}/SubmitLoginFlow`, forged)).reason).toBe("CSRF_TOKEN_MISSING");

  const again = await browser.post(`${path}/SubmitLoginFlow`, submission);
  expect(again.body.completed.signedIn.session.id).toBe(lost.body.completed.signedIn.session.id);
  expect(again.body.completed.signedIn.sessionToken ?? "").toBe("");
  const current = "/ostiary.session.v1.SessionService/GetCurrentSession";
  expect((await browser.post(current, {})).status).toBe(200);
  expect(browser.cookies.get(name)).not.toBe(lostValue);
  browser.cookies.set(name, lostValue);
  expect((await browser.post(current, {})).status).toBe(401);
});

test("after ten minutes it is gone, and no session begins again", async () => {
  const { email } = await register(app);
  const client = app.client(LoginService);
  const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
  const submission = { flowId: flow?.id ?? "", identifier: email, step: password(), requestId: "late" };
  await client.submitLoginFlow(submission);
  app.clock.advance(10 * 60_000);
  expect((await refusal(client.submitLoginFlow(submission))).reason).toBe("FLOW_COMPLETED");
});

test("is not given for a session that is over", async () => {
  const { email } = await register(app);
  const client = app.client(LoginService);
  const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
  const submission = { flowId: flow?.id ?? "", identifier: email, step: password(), requestId: "over" };
  const { outcome } = await client.submitLoginFlow(submission);
  if (outcome.case !== "completed") throw new Error(`the login was ${outcome.case}`);
  await app.client(SessionService, { bearer: outcome.value.signedIn?.sessionToken ?? "" }).logout({});
  expect((await refusal(client.submitLoginFlow(submission))).reason).toBe("REQUEST_ID_REUSED");
});

test("costs one round trip more, and nothing without a request id", async () => {
  const { email } = await register(app);
  const client = app.client(LoginService);
  const roundTrips = async (requestId: string) => {
    const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
    app.statements.length = 0;
    await client.submitLoginFlow({ flowId: flow?.id ?? "", identifier: email, step: password(), requestId });
    return app.statements.length;
  };
  expect(await roundTrips("count")).toBe((await roundTrips("")) + 1);
});

test("no token of a session or device, and no secret, lies in the database", async () => {
  const { email } = await register(app);
  const client = app.client(LoginService);
  const { flow } = await client.createLoginFlow({ client: ClientKind.NATIVE });
  const submission = { flowId: flow?.id ?? "", identifier: email, step: password(), requestId: "sealed" };
  const { outcome } = await client.submitLoginFlow(submission);
  if (outcome.case !== "completed") throw new Error(`the login was ${outcome.case}`);
  const rows = await administer(app.databaseUrl, (query) =>
    query<{ text: string; answer: string | null }>("SELECT f::text AS text, answer FROM ostiary.flow f", []),
  );
  expect(rows.some(({ answer }) => answer !== null)).toBe(true);
  const all = rows.map(({ text }) => text).join("\n");
  const { sessionToken = "", deviceToken = "" } = outcome.value.signedIn ?? {};
  expect([sessionToken, deviceToken]).toEqual([
    expect.stringMatching(/^ost_ses_/),
    expect.stringMatching(/^ost_dev_/),
  ]);
  // What the sealed answer holds is looked at in src/transport/rpc/services/flow-submits.test.ts.
  for (const secret of [sessionToken, deviceToken, goodPassword, '"sealed"']) {
    expect(all).not.toContain(secret);
  }
});
