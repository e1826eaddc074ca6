import { ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { SessionService, SessionView } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { createTokens } from "../../src/crypto/tokens.ts";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { protocols, startTestApp, type TestApp } from "../support/app.ts";
import { Browser } from "../support/browser.ts";
import { refusal } from "../support/errors.ts";

const publicUrl = "https://auth.id.example.com";
const name = "__Secure-ostiary_session";
const service = "/ostiary.session.v1.SessionService";
let app: TestApp;

beforeAll(async () => {
  const tenant_defaults = { public_url: publicUrl, session: { cookie: { domain: "example.com" } } };
  app = await startTestApp({ config: { tenant_defaults } });
});

afterAll(() => app.stop());

/** Signs a browser up or in; gives the value of its session cookie, and all Set-Cookie headers of the answer. */
async function signIn(cookie = "", email = "") {
  app.clock.advance(1);
  const browser = new Browser(publicUrl, app.localUrl);
  const kind = email === "" ? "Registration" : "Login";
  const flows = `/ostiary.flow.v1.${kind}Service`;
  const { body } = await browser.post(`${flows}/Create${kind}Flow`, { client: "CLIENT_KIND_BROWSER" });
  const own = [...browser.cookies].map(([key, value]) => `${key}=${value}`).join("; ");
  const address = email === "" ? freshEmail() : email;
  const who = email === "" ? { traits: { email: address } } : { identifier: address };
  const submission = {
    ...{ flowId: body.flow.id, csrfToken: body.flow.csrfToken, password: { password: goodPassword } },
    ...who,
  };
  const answer = await browser.post(`${flows}/Submit${kind}Flow`, submission, {
    cookie: `${own}; ${cookie}`,
  });
  expect(answer.body.completed).toBeDefined();
  return { email: address, value: browser.cookies.get(name) ?? "", setCookies: answer.setCookies };
}

/** Calls a method as a browser whose Cookie header this is, and counts its statements. */
async function call(method: string, cookie: string, headers: Record<string, string> = {}) {
  app.statements.length = 0;
  const answer = await new Browser(publicUrl, app.localUrl).post(
    `${service}/${method}`,
    method === "GetCurrentSession" ? { view: "SESSION_VIEW_FULL" } : {},
    { cookie, ...headers },
  );
  return { ...answer, statements: app.statements.length };
}

const cookiesOf = (...values: string[]) => values.map((value) => `${name}=${value}`).join("; ");
const check = (...cookies: string[]) =>
  app.client(SessionService).checkSession({ cookies, view: SessionView.FULL });
const ended = async (value: string) => (await refusal(check(value))).reason;
/** A value that another deployment could have made. */
const foreign = () => createTokens().issue("session_cookie", "default").token.reveal();
const removed = (setCookies: readonly string[]) =>
  setCookies.filter((header) => /Max-Age=0(;|$)/.test(header)).map((header) => header.split("=")[0]);

test("a call that was under way during a login does not remove the cookie that the login set", async () => {
  const first = await signIn();
  const second = await signIn(cookiesOf(first.value), first.email);
  expect(await ended(first.value)).toBe("SESSION_REVOKED");
  // The browser had sent it with the former cookie, and takes its answer after that of the login.
  const late = await call("GetCurrentSession", cookiesOf(first.value));
  expect([late.status, late.setCookies]).toEqual([401, []]);
  expect((await call("GetCurrentSession", cookiesOf(second.value))).status).toBe(200);
  app.clock.advance(30_000);
  expect(removed((await call("GetCurrentSession", cookiesOf(first.value))).setCookies)).toContain(name);
});

describe("CheckSession with cookies", () => {
  test.each<[string, (live: string, other: string) => string[]]>([
    ["one live value", (live) => [live]],
    ["one among others", (live) => ["x", live, foreign(), "ost_cki_y"]],
    ["the name that the server sets", (live) => [`${name}=${live}`]],
    ["quotes", (live) => [`${name}="${live}"`]],
    ["the same twice", (live) => [live, `${name}=${live}`]],
    [
      "live ones of names that the server does not read",
      (live, other) => [`__Host-ostiary_session=${other}`, `ostiary_session=${other}`, `${name}=${live}`],
    ],
  ])("lets %s through, in one round trip", async (_name, cookiesWith) => {
    const [live, other] = [await signIn(), await signIn()];
    app.statements.length = 0;
    const { identity } = await check(...cookiesWith(live.value, other.value));
    expect(identity?.traits).toEqual({ email: live.email });
    expect(app.statements).toHaveLength(1);
  });

  test.each<[string, (live: string, other: string) => string[], string]>([
    // Security rule (SR-COOKIE-1): of two live ones none is believed.
    ["two live values", (live, other) => [live, other], "SESSION_COOKIE_AMBIGUOUS"],
    ["values that are none", () => ["x", "y"], "SESSION_TOKEN_MALFORMED"],
    ["values of nobody", () => [foreign(), foreign(), "x"], "SESSION_TOKEN_UNKNOWN"],
    // Security rule (SR-COOKIE-1): what this server does not set proves nothing.
    ["a live one of `__Host-`", (live) => [`__Host-ostiary_session=${live}`], "SESSION_CREDENTIAL_MISSING"],
    ["a live one without a prefix", (live) => [`ostiary_session=${live}`], "SESSION_CREDENTIAL_MISSING"],
    ["five", (live) => [live, "a", "b", "c", "d"], "REQUEST_INVALID"],
    ["one that is too long", (live) => [live, "a".repeat(641)], "REQUEST_INVALID"],
    ["none", () => [], "REQUEST_INVALID"],
  ])("refuses %s", async (_name, cookiesWith, reason) => {
    const [live, other] = [await signIn(), await signIn()];
    app.statements.length = 0;
    expect((await refusal(check(...cookiesWith(live.value, other.value)))).reason).toBe(reason);
    expect(app.statements.length).toBeLessThanOrEqual(1);
  });

  test("refuses cookies beside a token, and a session that has ended among others", async () => {
    const { value } = await signIn();
    const both = app.client(SessionService).checkSession({
      token: createTokens().issue("session", "default").token.reveal(),
      cookies: [value],
    });
    expect((await refusal(both)).reason).toBe("REQUEST_INVALID");
    await call("Logout", cookiesOf(value));
    expect((await refusal(check("x", foreign(), value))).reason).toBe("SESSION_REVOKED");
  });
});

describe("a browser with several session cookies", () => {
  test("is signed in by the live one, which is set anew where the others are removed", async () => {
    const { value, email } = await signIn();
    const answer = await call("GetCurrentSession", cookiesOf("planted", value));
    expect(answer.body.identity.traits.email).toBe(email);
    expect(answer.statements).toBe(1);
    const last = answer.setCookies.at(-1);
    expect(last).toMatch(new RegExp(`^${name}=${value}; Path=/;.*Domain=example.com`));
    expect(last).not.toMatch(/Max-Age=0/);
    expect(answer.setCookies.slice(0, -1).every((header) => header.includes("Max-Age=0"))).toBe(true);
  });

  test("keeps its cookies where one may be another deployment's", async () => {
    const { value } = await signIn();
    expect((await call("GetCurrentSession", cookiesOf(foreign(), value))).setCookies).toEqual([]);
    expect((await call("GetCurrentSession", cookiesOf(foreign()))).setCookies).toEqual([]);
    const logout = await call("Logout", cookiesOf(foreign(), value));
    expect(logout.setCookies.map((header) => /Domain=([^;]*)/.exec(header)?.[1])).toEqual(["example.com"]);
  });

  test.each([
    ["nothing that can be one", () => cookiesOf("x", "y"), "SESSION_TOKEN_MALFORMED"],
    [
      "more than four",
      (live: string) => cookiesOf(live, "a", "b", "c", foreign()),
      "SESSION_COOKIE_AMBIGUOUS",
    ],
    ["two live ones", (live: string, other: string) => cookiesOf(live, other), "SESSION_COOKIE_AMBIGUOUS"],
  ])("is signed out by %s, and rid of them everywhere", async (_name, cookieWith, reason) => {
    const [live, other] = [await signIn(), await signIn()];
    const answer = await call("ListOwnSessions", cookieWith(live.value, other.value));
    expect([answer.status, answer.reason]).toEqual([401, reason]);
    const places = answer.setCookies.map((header) => {
      const [, path] = /Path=([^;]*)/.exec(header) ?? [];
      return `${/Domain=([^;]*)/.exec(header)?.[1] ?? "host"} ${path}`;
    });
    const domains = ["host", "auth.id.example.com", "id.example.com", "example.com"];
    const paths = ["/", service, `${service}/`, `${service}/ListOwnSessions`];
    const all = domains.flatMap((domain) => paths.map((path) => `${domain} ${path}`));
    expect([...places].sort()).toEqual([...all].sort());
    // nginx refuses answers whose headers are longer than its buffer: 4 KiB by default.
    expect(answer.setCookies.join("\r\nset-cookie: ").length).toBeLessThan(3000);
    // Security rule (SR-COOKIE-2): a planted cookie ends nobody's session.
    expect((await check(live.value)).session).toBeDefined();
  });

  test("is told that another one was of another identity, until it signs in again", async () => {
    const [first, second] = [await signIn(), await signIn()];
    await call("Logout", cookiesOf(first.value));
    const cookie = cookiesOf(first.value, second.value);
    for (const _again of [1, 2]) {
      const { body, setCookies } = await call("GetCurrentSession", cookie);
      expect(body).toMatchObject({ otherIdentityShown: true });
      expect(body.identity.traits.email).toBe(second.email);
      expect(setCookies).toEqual([]);
    }
    expect(
      (await call("GetCurrentSession", cookiesOf(second.value))).body.otherIdentityShown,
    ).toBeUndefined();
    const { setCookies } = await signIn(cookie, second.email);
    expect(removed(setCookies)).toContain(name);
  });

  test("extends the session that counts", async () => {
    const { value } = await signIn();
    const { setCookies } = await call("ExtendCurrentSession", cookiesOf("x", value));
    expect(setCookies.at(-1)).toMatch(new RegExp(`^${name}=${value}; Path=/`));
  });
});

describe("signing out", () => {
  test("ends all that the browser shows, under each name, and removes it", async () => {
    const people = [await signIn(), await signIn(), await signIn(), await signIn()];
    const [one, two, host, plain] = people.map(({ value }) => value);
    const cookie = `${cookiesOf(one ?? "", two ?? "")}; __Host-ostiary_session=${host}; ostiary_session=${plain}`;
    const answer = await call("Logout", cookie);
    expect(answer.status).toBe(200);
    expect(new Set(removed(answer.setCookies))).toEqual(
      new Set([name, "__Host-ostiary_session", "ostiary_session"]),
    );
    for (const { value } of people) expect(await ended(value)).toBe("SESSION_REVOKED");
  });

  test("works with more than are looked up, and ends those that are", async () => {
    const { value } = await signIn();
    const answer = await call("Logout", cookiesOf(value, "a", "b", "c", "d"));
    expect([answer.status, removed(answer.setCookies).length > 0]).toEqual([200, true]);
    expect(await ended(value)).toBe("SESSION_REVOKED");
    expect((await call("Logout", cookiesOf("a", "b", "c", "d", "e"))).status).toBe(200);
  });

  test("takes no more round trips than before", async () => {
    expect((await call("Logout", cookiesOf((await signIn()).value))).statements).toBe(2);
  });

  test("succeeds as often as it is asked for", async () => {
    const { value } = await signIn();
    for (const _again of [1, 2]) {
      const { status, body, setCookies } = await call("Logout", cookiesOf(value));
      expect([status, body, removed(setCookies).includes(name)]).toEqual([200, {}, true]);
    }
    expect(await ended(value)).toBe("SESSION_REVOKED");
  });

  test.each([
    ["what is none", () => "x"],
    ["the session of nobody", foreign],
    ["a token", () => createTokens().issue("session", "default").token.reveal()],
  ])("succeeds with %s, and removes the cookie", async (_name, makeValue) => {
    const { status, setCookies } = await call("Logout", cookiesOf(makeValue()));
    expect([status, removed(setCookies).includes(name)]).toEqual([200, true]);
  });

  test("succeeds with a session that has expired, and removes the cookie", async () => {
    const { value } = await signIn();
    app.clock.advance(25 * 3_600_000);
    const { status, setCookies } = await call("Logout", cookiesOf(value));
    expect([status, removed(setCookies).includes(name)]).toEqual([200, true]);
  });

  test("succeeds where nothing is shown, and has nothing to remove", async () => {
    const { status, setCookies, statements } = await call("Logout", "");
    expect([status, setCookies, statements]).toEqual([200, [], 0]);
  });

  // Security rule (SR-COOKIE-3): no page of elsewhere signs anybody out.
  test("is refused to a page of another origin, and ends nothing", async () => {
    const { value } = await signIn();
    const pages: Record<string, string>[] = [
      { origin: "https://evil.example" },
      { "sec-fetch-site": "same-site" },
    ];
    for (const headers of pages) {
      const answer = await call("Logout", cookiesOf(value, "x"), headers);
      expect([answer.reason, answer.setCookies]).toEqual(["ORIGIN_NOT_ALLOWED", []]);
    }
    expect((await check(value)).session).toBeDefined();
  });

  test("with a bearer token ends that session alone", async () => {
    const { value } = await signIn();
    const answer = await call("Logout", cookiesOf(value), { authorization: "Bearer ost_ses_nobody" });
    expect([answer.status, answer.setCookies]).toEqual([200, []]);
    expect((await check(value)).session).toBeDefined();
  });
});

describe("signing in", () => {
  test("ends what the browser shows of this server's former names and domains, of any account", async () => {
    const own = await signIn();
    const [host, plain, old] = [await signIn(), await signIn(), await signIn("", own.email)];
    const cookie = `${cookiesOf(old.value)}; __Host-ostiary_session=${host.value}; ostiary_session=${plain.value}`;
    const again = await signIn(cookie, own.email);
    for (const { value } of [host, plain, old]) expect(await ended(value)).toBe("SESSION_REVOKED");
    expect((await check(again.value)).identity?.traits).toEqual({ email: own.email });
    expect(new Set(removed(again.setCookies))).toEqual(
      new Set([name, "__Host-ostiary_session", "ostiary_session"]),
    );
  });

  test("leaves one session of somebody else alone, whose cookie it replaces", async () => {
    const [first, second] = [await signIn(), await signIn()];
    await signIn(cookiesOf(first.value), second.email);
    expect((await check(first.value)).session).toBeDefined();
  });

  test("goes on with what is planted, and removes it if it cannot be another deployment's", async () => {
    const { email } = await signIn();
    expect(removed((await signIn(cookiesOf("x"), email)).setCookies)).toContain(name);
    expect(removed((await signIn(cookiesOf(foreign()), email)).setCookies)).toEqual([]);
    const many = [foreign(), foreign(), foreign(), foreign()];
    expect(removed((await signIn(cookiesOf(...many), email)).setCookies)).toContain(name);
  });
});

describe.each(protocols)("over %s", (protocol) => {
  test("a refusal removes the cookies, each by a header of its own", async () => {
    const client = app.client(SessionService, { protocol, headers: { cookie: cookiesOf("x", "y") } });
    const error = await client.getCurrentSession({}).then(
      () => undefined,
      (thrown: unknown) => ConnectError.from(thrown),
    );
    expect(error?.metadata.getSetCookie()).toHaveLength(16);
  });

  test("an answer does likewise", async () => {
    const { value } = await signIn();
    const client = app.client(SessionService, { protocol, headers: { cookie: cookiesOf("x", value) } });
    let setCookies: string[] = [];
    await client.getCurrentSession({}, { onHeader: (headers) => (setCookies = headers.getSetCookie()) });
    expect(setCookies).toHaveLength(16);
  });
});
