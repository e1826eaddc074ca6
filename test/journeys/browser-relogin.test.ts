import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LoginRecordPurpose } from "../../gen/ostiary/identity/v1/login_record_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { SessionService, SessionView } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { freshEmail, goodPassword, register, sessionTokenOf } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { refusal } from "../support/errors.ts";

const login = "/ostiary.flow.v1.LoginService";
const cookieName = "ostiary_session";
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(() => app.stop());

/** Signs in, and says how many statements the submit took. */
async function signIn(
  browser: Browser,
  email: string,
  headers: Record<string, string> = {},
): Promise<number> {
  app.clock.advance(1);
  const { body } = await browser.post(`${login}/CreateLoginFlow`, { client: "CLIENT_KIND_BROWSER" });
  app.statements.length = 0;
  const submission = {
    flowId: body.flow.id,
    csrfToken: body.flow.csrfToken,
    identifier: email,
    password: { password: goodPassword },
  };
  const submitted = await browser.post(`${login}/SubmitLoginFlow`, submission, headers);
  const count = app.statements.length;
  expect(submitted.body.completed?.signedIn?.session).toBeDefined();
  return count;
}

function cookieOf(browser: Browser): string {
  return browser.cookies.get(cookieName) ?? "";
}

function check(value: string) {
  return app.client(SessionService).checkSession({ cookies: [value], view: SessionView.FULL });
}

async function activeSessions(identityId: string): Promise<number> {
  const { sessions } = await app.client(SessionAdminService).listSessions({ identityId, active: true });
  return sessions.length;
}

describe("a browser that signs in again", () => {
  test("gets a new session, and the secret of the old one is dead (ASVS V7.2.4, SR-SESSION-1)", async () => {
    const { email, identity } = await register(app);
    const browser = new Browser(app.publicUrl);
    await signIn(browser, email);
    const before = cookieOf(browser);
    await signIn(browser, email);
    expect(cookieOf(browser)).not.toBe(before);
    expect((await refusal(check(before))).reason).toBe("SESSION_REVOKED");
    expect((await check(cookieOf(browser))).identity?.id).toBe(identity?.id);
    // That of the native client that registered, and the browser's.
    expect(await activeSessions(identity?.id ?? "")).toBe(2);
  });

  test("as somebody else leaves the session of the one before alone", async () => {
    const [ada, bob] = [await register(app), await register(app)];
    const browser = new Browser(app.publicUrl);
    await signIn(browser, ada.email);
    const before = cookieOf(browser);
    await signIn(browser, bob.email);
    expect((await check(before)).identity?.id).toBe(ada.identity?.id);
    expect((await check(cookieOf(browser))).identity?.id).toBe(bob.identity?.id);
  });

  test.each([
    ["was revoked", "revoked"],
    ["is nonsense", "nonsense"],
    ["is a token of another kind", "token"],
  ])("does so although its session cookie %s", async (_name, kind) => {
    const { email, sessionToken } = await register(app);
    const browser = new Browser(app.publicUrl);
    await signIn(browser, email);
    if (kind === "revoked") {
      const value = cookieOf(browser);
      await browser.post("/ostiary.session.v1.SessionService/Logout", {});
      browser.cookies.set(cookieName, value);
    } else {
      browser.cookies.set(cookieName, kind === "token" ? sessionToken : "ost_cki_nonsense");
    }
    await signIn(browser, email);
    expect((await check(cookieOf(browser))).session).toBeDefined();
    // A token that is put where the cookie belongs ends nothing.
    const native = app.client(SessionService, { bearer: sessionToken }).getCurrentSession({});
    expect((await native).session).toBeDefined();
  });

  test("does not end the session of a bearer token that is sent beside its cookie", async () => {
    const { email, sessionToken } = await register(app);
    const browser = new Browser(app.publicUrl);
    await signIn(browser, email);
    await signIn(browser, email, { authorization: `Bearer ${sessionToken}` });
    expect(
      (await app.client(SessionService, { bearer: sessionToken }).getCurrentSession({})).session,
    ).toBeDefined();
  });

  test("takes one round trip more than one that shows no cookie", async () => {
    const { email } = await register(app);
    const browser = new Browser(app.publicUrl);
    expect(await signIn(browser, email)).toBe(3);
    expect(await signIn(browser, email)).toBe(4);
  });

  test("is told of in the log as a replacement", async () => {
    const { email, identity } = await register(app);
    const browser = new Browser(app.publicUrl);
    await signIn(browser, email);
    await signIn(browser, email);
    const bearer = await sessionTokenOf(app, email);
    const { records } = await app.client(SessionService, { bearer }).listOwnLoginHistory({});
    // No login of these was a refresh: nobody was asked to prove again who they are. Newest first.
    const { SIGN_IN, REGISTRATION } = LoginRecordPurpose;
    expect(records.map(({ purpose }) => purpose)).toEqual([SIGN_IN, SIGN_IN, SIGN_IN, REGISTRATION]);
    expect(await activeSessions(identity?.id ?? "")).toBe(3);
  });
});

test("a native login is not moved by a session cookie", async () => {
  const email = freshEmail();
  await register(app, { email });
  const browser = new Browser(app.publicUrl);
  await signIn(browser, email);
  const { body } = await browser.post(`${login}/CreateLoginFlow`, { client: "CLIENT_KIND_NATIVE" });
  await browser.post(`${login}/SubmitLoginFlow`, {
    flowId: body.flow.id,
    identifier: email,
    password: { password: goodPassword },
  });
  expect((await check(cookieOf(browser))).session).toBeDefined();
});
