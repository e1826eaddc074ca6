import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClientKind, type Flow } from "../../gen/ostiary/flow/v1/flow_pb.js";
import { LoginPurpose, LoginService } from "../../gen/ostiary/flow/v1/login_service_pb.js";
import { SettingsService } from "../../gen/ostiary/flow/v1/settings_service_pb.js";
import { SessionService, SessionView } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { goodPassword, register } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { refusal } from "../support/errors.ts";
import { flowKinds, type Shown } from "../support/flow-kinds.ts";
import { tokenOf } from "../support/links.ts";

const native = { client: ClientKind.NATIVE };
const webView = "capacitor://localhost";
const extension = "chrome-extension://abcdefghijklmnopabcdefghijklmnop";
const allowed = "https://app.example.com";
const kinds = ["login", "registration", "recovery", "verification", "settings"] as const;
let app: TestApp;

beforeAll(async () => {
  app = await startTestApp({
    config: {
      server: { native_origins: [webView, extension, "http://tauri.localhost"] },
      tenant_defaults: {
        allowed_origins: [allowed],
        link: { enabled: true },
        flows: { login: { ui_url: "https://app.example.com/login" } },
      },
    },
  });
});

afterAll(() => app.stop());

const isRefused = async (call: Promise<unknown>) => {
  const refused = await refusal(call);
  expect(refused).toMatchObject({ code: "FailedPrecondition", reason: "FLOW_CLIENT_MISMATCH" });
  expect(refused.metadata).toEqual({ missing: "the origin in server.native_origins" });
  expect(refused.remedy).toMatch(/CLIENT_KIND_BROWSER.*server\.native_origins/);
};

/** What only a page sends. */
const pages: readonly Readonly<Record<string, string>>[] = [
  { origin: allowed },
  { origin: "http://127.0.0.1:4433" },
  { origin: "https://evil.example" },
  { origin: "null" },
  { origin: "capacitor://localhost.evil.example" },
  { origin: "CAPACITOR://localhost" },
  { origin: "https://evil.example", "sec-fetch-site": "none" },
  { "sec-fetch-site": "same-origin" },
  { "sec-fetch-site": "same-site" },
  { "sec-fetch-site": "cross-site" },
];

/** What an app sends. */
const apps: readonly Readonly<Record<string, string>>[] = [
  {},
  // The fetch of Node.js.
  { "sec-fetch-mode": "cors" },
  { "sec-fetch-site": "none", "sec-fetch-mode": "no-cors" },
  { origin: webView, "sec-fetch-site": "cross-site", "sec-fetch-mode": "cors" },
  { origin: extension, "sec-fetch-site": "none", "sec-fetch-mode": "cors" },
  { origin: "http://tauri.localhost" },
];

describe.each(protocols)("native flows over %s", (protocol) => {
  // Security rule (SR-FLOW-2): a page neither begins a native flow nor moves or reads one.
  test.each(kinds)("of the kind %s are not for pages", async (kind) => {
    const { sessionToken: bearer } = await register(app);
    const calls = flowKinds[kind];
    const flow = await calls.create(app, native, { protocol, bearer });
    for (const headers of pages) {
      const shown: Shown = { protocol, bearer, headers };
      await isRefused(calls.create(app, native, shown));
      await isRefused(calls.get(app, flow.id, shown));
      await isRefused(calls.submit(app, flow, shown));
    }
    for (const headers of apps) {
      const shown: Shown = { protocol, bearer, headers };
      const begun = await calls.create(app, native, shown);
      expect((await calls.get(app, begun.id, shown))?.client).toBe(ClientKind.NATIVE);
      expect((await calls.submit(app, begun, shown)).outcome.case).toMatch(/^(rejected|nextStep)$/);
    }
  });

  test("take the Authorization header alone: a cookie is no credential", async () => {
    const { email, sessionToken } = await register(app);
    const visitor = new Browser(app.publicUrl);
    const path = "/ostiary.flow.v1.LoginService";
    const { flow } = (await visitor.post(`${path}/CreateLoginFlow`, { client: "CLIENT_KIND_BROWSER" })).body;
    const submission = { flowId: flow.id, csrfToken: flow.csrfToken, identifier: email };
    await visitor.post(`${path}/SubmitLoginFlow`, { ...submission, password: { password: goodPassword } });
    const cookie = [...visitor.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const byCookie: Shown = { protocol, headers: { cookie } };
    const missing = { code: "Unauthenticated", reason: "SESSION_CREDENTIAL_MISSING" };

    expect(await refusal(flowKinds.settings.create(app, native, byCookie))).toMatchObject(missing);
    const refresh = { ...native, purpose: LoginPurpose.REFRESH };
    expect(await refusal(flowKinds.login.create(app, refresh, byCookie))).toMatchObject(missing);
    const settings = await flowKinds.settings.create(app, native, { protocol, bearer: sessionToken });
    expect(await refusal(flowKinds.settings.get(app, settings.id, byCookie))).toMatchObject(missing);
    const change = app.client(SettingsService, { protocol, headers: { cookie } }).submitSettingsFlow({
      flowId: settings.id,
      traits: { email, name: "Changed" },
      step: { case: "profile", value: {} },
    });
    expect(await refusal(change)).toMatchObject(missing);
    // The browser is signed in as before, and what was asked for changed nothing.
    const browser = app.client(SessionService, { protocol, headers: { cookie } });
    const current = await browser.getCurrentSession({ view: SessionView.FULL });
    expect(current.identity?.traits).toEqual({ email });
    // Nor is a cookie in the way of a token.
    const both: Shown = { protocol, bearer: sessionToken, headers: { cookie } };
    expect((await flowKinds.settings.create(app, native, both)).client).toBe(ClientKind.NATIVE);
  });

  test("that an opened link begins are not for pages either, and the link stays good", async () => {
    const { email } = await verifiedAccount(app);
    const waiting = await flowKinds.login.create(app, native, { protocol });
    const sent = { flowId: waiting.id, identifier: email, step: { case: "sendLink", value: {} } } as const;
    await app.client(LoginService, { protocol }).submitLoginFlow(sent);
    const linkToken = tokenOf((await app.messages(email)).at(-1)?.url ?? "");
    const start = { ...native, linkToken };
    await isRefused(flowKinds.login.create(app, start, { protocol, headers: { origin: allowed } }));
    // Nothing is told of a link to a page that asks for a native flow.
    const madeUp = { ...native, linkToken: "ost_lnk_made_up" };
    await isRefused(flowKinds.login.create(app, madeUp, { protocol, headers: { origin: allowed } }));
    expect((await flowKinds.login.create(app, start, { protocol })).stage.case).toBe("confirmLink");
  });
});

describe("a page of a native app", () => {
  const path = "/ostiary.flow.v1.LoginService/CreateLoginFlow";
  const service = "/ostiary.session.v1.SessionService/GetCurrentSession";
  const ask = (origin: string, init: RequestInit, to = path) =>
    fetch(app.localUrl + to, { ...init, headers: { origin, ...init.headers } });
  const post = (headers: Record<string, string> = {}, body = "{}") => ({
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });

  test("may ask and read by its origin, but never with cookies", async () => {
    const preflight = await ask(webView, {
      method: "OPTIONS",
      headers: {
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
      },
    });
    const begun = await ask(webView, post({}, '{"client":"CLIENT_KIND_NATIVE"}'));
    for (const answer of [preflight, begun]) {
      expect(answer.headers.get("access-control-allow-origin")).toBe(webView);
      expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
      expect(answer.headers.get("vary")).toContain("Origin");
    }
    expect(preflight.headers.get("access-control-allow-headers")?.toLowerCase()).toContain("authorization");
    expect(begun.status).toBe(200);
    expect(begun.headers.getSetCookie()).toEqual([]);
    const { sessionToken } = await register(app);
    const own = await ask(webView, post({ authorization: `Bearer ${sessionToken}` }), service);
    expect(own.status).toBe(200);
  });

  test("begins no browser flow, and no cookie authenticates it", async () => {
    const visitor = new Browser(app.publicUrl);
    const created = await visitor.post(path, { client: "CLIENT_KIND_BROWSER" }, { origin: webView });
    expect(created.reason).toBe("ORIGIN_NOT_ALLOWED");
    const read = await ask(webView, post({ cookie: "ostiary_session=anything" }), service);
    expect(read.status).toBe(403);
  });
});

test("a native flow knows no form token, and one that is sent along is ignored", async () => {
  const flow: Flow = await flowKinds.login.create(app, native);
  expect(flow.csrfToken).toBe("");
  expect((await flowKinds.login.submit(app, { ...flow, csrfToken: "x" })).outcome.case).toBe("rejected");
});
