import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";

const flows = "/ostiary.flow.v1";
const sessions = "/ostiary.session.v1.SessionService";
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({
    config: {
      tenant_defaults: {
        allowed_origins: ["https://app.example.com"],
        allowed_return_urls: ["https://app.example.com/welcome"],
        default_return_url: "https://app.example.com/",
      },
    },
  });
});

afterAll(() => app.stop());

async function createFlow(browser: Browser, kind: "Login" | "Registration", extra: object = {}) {
  const created = await browser.post(`${flows}.${kind}Service/Create${kind}Flow`, {
    client: "CLIENT_KIND_BROWSER",
    ...extra,
  });
  return created.body.flow;
}

async function registerIn(browser: Browser, email = freshEmail()): Promise<string> {
  const flow = await createFlow(browser, "Registration");
  const submitted = await browser.post(`${flows}.RegistrationService/SubmitRegistrationFlow`, {
    flowId: flow.id,
    csrfToken: flow.csrfToken,
    traits: { email },
    password: { password: goodPassword },
  });
  expect(submitted.body.completed?.signedIn?.session).toBeDefined();
  return email;
}

describe("a browser", () => {
  test("registers, is signed in by a cookie, logs out and logs in again", async () => {
    const browser = new Browser(app.publicUrl);
    const email = await registerIn(browser);
    const current = await browser.post(`${sessions}/GetCurrentSession`, { view: "SESSION_VIEW_FULL" });
    expect(current.body.identity.traits).toEqual({ email });

    await browser.post(`${sessions}/Logout`, {});
    expect(browser.cookies.has("ostiary_session")).toBe(false);
    const gone = await browser.post(`${sessions}/GetCurrentSession`, {});
    expect([gone.status, gone.reason]).toEqual([401, "SESSION_CREDENTIAL_MISSING"]);

    const flow = await createFlow(browser, "Login", { returnTo: "https://app.example.com/welcome" });
    const submitted = await browser.post(`${flows}.LoginService/SubmitLoginFlow`, {
      flowId: flow.id,
      csrfToken: flow.csrfToken,
      identifier: email,
      password: { password: goodPassword },
    });
    // The session comes as a cookie and never as a token that a script could read (ASVS V3.3.4).
    expect(submitted.body.completed.signedIn.sessionToken).toBeUndefined();
    expect(submitted.body.completed.returnTo).toBe("https://app.example.com/welcome");
    const setCookie = submitted.setCookies.find((cookie) => cookie.startsWith("ostiary_session="));
    expect(setCookie).toMatch(/; ?HttpOnly/i);
    expect(setCookie).toMatch(/; ?SameSite=Lax/i);
    expect((await browser.post(`${sessions}/GetCurrentSession`, {})).status).toBe(200);
  });

  test("is given the form token beside the form, of which it is no node", async () => {
    const flow = await createFlow(new Browser(app.publicUrl), "Login");
    expect(flow.csrfToken).toMatch(/./);
    expect(JSON.stringify(flow.form)).not.toContain(flow.csrfToken);
    expect(flow.returnTo).toBe("https://app.example.com/");
  });

  test("keeps one cookie for the flows of all its tabs", async () => {
    const browser = new Browser(app.publicUrl);
    const first = await createFlow(browser, "Login");
    const cookie = browser.cookies.get("ostiary_browser");
    await createFlow(browser, "Registration");
    expect(browser.cookies.get("ostiary_browser")).toBe(cookie);
    const read = await browser.post(`${flows}.FlowService/GetFlow`, { flowId: first.id });
    expect(read.body.flow.csrfToken).toBe(first.csrfToken);
  });
});

describe("a browser flow", () => {
  const submit = (
    browser: Browser,
    flow: { id: string; csrfToken: string },
    change: object = {},
    headers = {},
  ) =>
    browser.post(
      `${flows}.LoginService/SubmitLoginFlow`,
      {
        flowId: flow.id,
        csrfToken: flow.csrfToken,
        identifier: "nobody@example.com",
        password: { password: goodPassword },
        ...change,
      },
      headers,
    );

  test("without its cookie says what was missing and both ways out (V3.5.1)", async () => {
    const flow = await createFlow(new Browser(app.publicUrl), "Login");
    const without = await submit(new Browser(app.publicUrl), flow);
    expect([without.status, without.reason]).toEqual([400, "FLOW_CLIENT_MISMATCH"]);
    expect(without.metadata).toEqual({ missing: "browser cookie" });
    expect(without.remedy).toMatch(/cookie.*CLIENT_KIND_NATIVE/);
  });

  test("of another browser stays closed, even to one that has the form token (V3.5.1)", async () => {
    const flow = await createFlow(new Browser(app.publicUrl), "Login");
    const thief = new Browser(app.publicUrl);
    await createFlow(thief, "Login");
    expect((await submit(thief, flow)).reason).toBe("FLOW_CLIENT_MISMATCH");
    const read = await thief.post(`${flows}.FlowService/GetFlow`, { flowId: flow.id });
    expect(read.reason).toBe("FLOW_CLIENT_MISMATCH");
  });

  test("without its form token, or with another one, changes nothing (V3.5.1)", async () => {
    const browser = new Browser(app.publicUrl);
    const flow = await createFlow(browser, "Login");
    const other = await createFlow(browser, "Login");
    const missing = await submit(browser, flow, { csrfToken: "" });
    expect([missing.status, missing.reason]).toEqual([403, "CSRF_TOKEN_MISSING"]);
    const wrong = await submit(browser, flow, { csrfToken: other.csrfToken });
    expect([wrong.status, wrong.reason]).toEqual([403, "CSRF_TOKEN_INVALID"]);
    // The control: with its own token the same submit gets to the password.
    expect((await submit(browser, flow)).body.rejected.reason).toBe("REJECTION_REASON_CREDENTIALS_INVALID");
  });

  test.each([
    ["a foreign Origin", { origin: "https://evil.example" }],
    ["the Origin null", { origin: "null" }],
    ["another scheme of an allowed host", { origin: "http://app.example.com" }],
    ["a subdomain of an allowed host", { origin: "https://x.app.example.com" }],
    ["a cross-site fetch", { "sec-fetch-site": "cross-site" }],
    ["a same-site fetch", { "sec-fetch-site": "same-site" }],
  ])("from %s is refused (V3.5.2)", async (_name, headers: Record<string, string>) => {
    const browser = new Browser(app.publicUrl);
    const flow = await createFlow(browser, "Login");
    const refused = await submit(browser, flow, {}, headers);
    expect([refused.status, refused.reason]).toEqual([403, "ORIGIN_NOT_ALLOWED"]);
  });

  test("from an allowed origin is served, with CORS headers for it", async () => {
    const browser = new Browser(app.publicUrl);
    const flow = await createFlow(browser, "Login");
    const served = await submit(browser, flow, {}, { origin: "https://app.example.com" });
    expect(served.body.rejected.reason).toBe("REJECTION_REASON_CREDENTIALS_INVALID");
    expect(served.headers.get("access-control-allow-origin")).toBe("https://app.example.com");
    expect(served.headers.get("access-control-allow-credentials")).toBe("true");
  });

  test.each([
    "https://app.example.com/welcome/more",
    "https://app.example.com\\@evil.example/welcome",
    "//evil.example/welcome",
    "/welcome",
  ])("does not return to %s (V3.7.2)", async (returnTo) => {
    const browser = new Browser(app.publicUrl);
    const refused = await browser.post(`${flows}.LoginService/CreateLoginFlow`, {
      client: "CLIENT_KIND_BROWSER",
      returnTo,
    });
    expect([refused.status, refused.reason]).toEqual([400, "RETURN_TO_NOT_ALLOWED"]);
  });
});

describe("a session cookie", () => {
  test("from a foreign page is refused, whatever it asks for (V3.5.2)", async () => {
    const browser = new Browser(app.publicUrl);
    await registerIn(browser);
    for (const method of ["GetCurrentSession", "Logout", "RevokeOtherSessions"]) {
      const refused = await browser.post(`${sessions}/${method}`, {}, { origin: "https://evil.example" });
      expect([method, refused.reason]).toEqual([method, "ORIGIN_NOT_ALLOWED"]);
      expect(refused.headers.get("access-control-allow-origin")).toBeNull();
    }
    expect((await browser.post(`${sessions}/GetCurrentSession`, {})).status).toBe(200);
  });

  test("gives way to a bearer token", async () => {
    const browser = new Browser(app.publicUrl);
    await registerIn(browser);
    const other = await register(app);
    const current = await browser.post(
      `${sessions}/GetCurrentSession`,
      { view: "SESSION_VIEW_FULL" },
      {
        authorization: `Bearer ${other.sessionToken}`,
      },
    );
    expect(current.body.identity.traits).toEqual({ email: other.email });
  });

  test("is what CheckSession takes as a cookie, and not as a token (ASVS V9.2.2)", async () => {
    const browser = new Browser(app.publicUrl);
    const email = await registerIn(browser);
    const cookie = browser.cookies.get("ostiary_session");
    const service = new Browser(app.publicUrl);
    const checked = await service.post(`${sessions}/CheckSession`, {
      cookies: [cookie],
      view: "SESSION_VIEW_FULL",
    });
    expect(checked.body.identity.traits).toEqual({ email });
    const asToken = await service.post(`${sessions}/CheckSession`, { token: cookie });
    expect(asToken.reason).toBe("SESSION_TOKEN_KIND_MISMATCH");
    const asBearer = await service.post(
      `${sessions}/GetCurrentSession`,
      {},
      { authorization: `Bearer ${cookie}` },
    );
    expect(asBearer.reason).toBe("SESSION_TOKEN_KIND_MISMATCH");
  });
});

describe("a native flow", () => {
  test("neither sets cookies nor is moved by them", async () => {
    const browser = new Browser(app.publicUrl);
    const email = await registerIn(browser);
    const jar = new Map(browser.cookies);
    const created = await browser.post(`${flows}.LoginService/CreateLoginFlow`, {
      client: "CLIENT_KIND_NATIVE",
    });
    const submitted = await browser.post(`${flows}.LoginService/SubmitLoginFlow`, {
      flowId: created.body.flow.id,
      identifier: email,
      password: { password: goodPassword },
    });
    expect(submitted.body.completed.signedIn.sessionToken).toMatch(/^ost_ses_/);
    expect(created.setCookies).toEqual([]);
    expect(submitted.setCookies).toEqual([]);
    expect(browser.cookies).toEqual(jar);
  });
});

describe("with an https public_url", () => {
  test("all cookies are __Host- and Secure, whatever the connection is (ASVS V3.3.1)", async () => {
    const secure = await startTestApp({
      config: { tenant_defaults: { public_url: "https://id.example.com" } },
    });
    try {
      const browser = new Browser(secure.publicUrl, secure.localUrl);
      await registerIn(browser);
      expect([...browser.cookies.keys()].sort()).toEqual([
        "__Host-ostiary_browser",
        "__Host-ostiary_device",
        "__Host-ostiary_session",
      ]);
      for (const cookie of browser.everySetCookie) {
        expect(cookie).toMatch(/; ?Secure/i);
        expect(cookie).toMatch(/; ?Path=\/(;|$)/i);
        expect(cookie).not.toMatch(/Domain=/i);
      }
    } finally {
      await secure.stop();
    }
  });

  test("a configured domain makes the session cookie __Secure- with that domain", async () => {
    const shared = await startTestApp({
      config: {
        tenant_defaults: {
          public_url: "https://id.example.com",
          session: { cookie: { domain: "example.com" } },
        },
      },
    });
    try {
      const browser = new Browser(shared.publicUrl, shared.localUrl);
      await registerIn(browser);
      expect([...browser.cookies.keys()].sort()).toEqual([
        "__Host-ostiary_browser",
        "__Host-ostiary_device",
        "__Secure-ostiary_session",
      ]);
      const session = browser.everySetCookie.find((cookie) => cookie.startsWith("__Secure-"));
      expect(session).toMatch(/Domain=example\.com/i);
    } finally {
      await shared.stop();
    }
  });
});
