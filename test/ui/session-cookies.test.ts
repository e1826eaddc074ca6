import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { SessionService } from "../../gen/ostiary/session/v1/session_service_pb.js";
import { requireSession } from "../../sdk/typescript/src/server/session-guard.ts";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled, openChromium } from "../support/chromium.ts";
import { refusal } from "../support/errors.ts";
import { startOtherServer } from "../support/http-server.ts";
import { startTlsFront, type TlsFront } from "../support/tls-front.ts";
import { email, identifier, password, reachForm, submit } from "./visitors.ts";

const host = "auth.id.example.test";
const sessionPath = "/ostiary.session.v1.SessionService";

// Servers are started anew within these tests, so they are given more time than others.
const timeout = 120_000;

describe.skipIf(!chromiumInstalled)(
  "the session cookie on hosts with names, in Chromium",
  { timeout },
  () => {
    let front: TlsFront;
    let browser: Browser;
    let context: BrowserContext;
    let page: Page;
    const apps: TestApp[] = [];

    beforeAll(async () => {
      front = await startTlsFront();
      front.leadToPage("shop.example.test");
      browser = await openChromium();
    });
    beforeEach(async () => {
      context = await browser.newContext({ ignoreHTTPSErrors: true, locale: "en-GB" });
      page = await context.newPage();
      page.setDefaultTimeout(20_000);
    });
    afterEach(async () => {
      await context.close();
      // Those that were started on the database of an earlier one end before it.
      for (const app of apps.splice(0).reverse()) await app.stop();
    });
    afterAll(async () => {
      await front.stop();
    });

    /** A server at a host; with a database it is an earlier one, started anew with another configuration. */
    const start = async (cookie: object, earlier?: TestApp, at = host): Promise<TestApp> => {
      const config = {
        server: { trusted_proxies: ["127.0.0.1"] },
        tenant_defaults: {
          public_url: front.urlOf(at),
          session: { cookie },
          // A login leads to the sessions at once.
          passkey: { offer_after_login: false },
        },
      };
      const shared = earlier && { databaseUrl: earlier.databaseUrl, clock: earlier.clock };
      const app = await startTestApp({ config, ...shared });
      apps.push(app);
      front.lead(at, app.localUrl);
      return app;
    };
    const open = (path: string, at = host) => page.goto(front.urlOf(at) + path);
    const register = async (at = host) => {
      const address = freshEmail();
      await open("/ui/registration", at);
      await reachForm(page, email);
      await page.fill(email, address);
      await page.fill(password, goodPassword);
      await page.click(submit);
      await page.waitForURL("**/ui/verification*");
      return address;
    };
    const logIn = async (address: string, at = host) => {
      await open("/ui/login", at);
      await reachForm(page, identifier);
      await page.fill(identifier, address);
      await page.fill(password, goodPassword);
      await page.click(submit);
      await expectSignedIn(address);
    };
    const expectSignedIn = async (address: string) => {
      await page.waitForURL("**/ui/sessions");
      await appears(page, `text=Signed in as ${address}.`);
    };
    const isSignedIn = async (address: string, at = host) => {
      await open("/ui/sessions", at);
      await expectSignedIn(address);
    };
    const isSignedOut = async (at = host) => {
      await open("/ui/", at);
      await page.waitForURL("**/ui/login*");
      await appears(page, identifier);
    };
    const signOut = async () => {
      await page.getByRole("button", { name: "Sign out" }).click();
      await page.waitForURL("**/ui/login*");
    };
    const sessionCookies = async (name = "ostiary_session") => {
      const cookies = (await context.cookies()).filter((cookie) => cookie.name.endsWith(name));
      return cookies.map(
        (cookie) => `${cookie.name}@${cookie.domain}${cookie.path === "/" ? "" : cookie.path}`,
      );
    };
    const cookieValue = async (name: string) =>
      (await context.cookies()).find((cookie) => cookie.name === name)?.value ?? "";
    /** Sets a cookie by the script of a sibling host, for the hosts of the domain that they share. */
    const plant = async (
      cookies: readonly (readonly [value: string, path: string])[],
      prefix = "__Secure-",
    ) => {
      await open("/", "shop.example.test");
      await page.evaluate(
        (lines) => {
          // biome-ignore lint/suspicious/noDocumentCookie: what a script of any page can do is the point
          for (const line of lines) document.cookie = line;
        },
        cookies.map(
          ([value, path]) =>
            `${prefix}ostiary_session=${value}; Domain=example.test; Path=${path}; Secure; Max-Age=34560000`,
        ),
      );
    };
    /** What an app on the host says that the SDK guards, as the name of who is let in. */
    const guardSays = async (app: TestApp) => {
      const cookies = await context.cookies(front.urlOf(host));
      const headers = {
        host,
        "x-forwarded-proto": "https",
        cookie: cookies.map(({ name, value }) => `${name}=${value}`).join("; "),
      };
      const checked = requireSession({ baseUrl: app.localUrl }).check({ method: "GET", headers });
      return checked.then(
        ({ identity }) => identity.traits?.email,
        () => "nobody",
      );
    };
    const whatIs = async (app: TestApp, value: string) =>
      (await refusal(app.client(SessionService).checkSession({ cookies: [value] }))).reason;

    // bug-reports 36: each login ended at an empty form, without a word, until the older cookie ended.
    test.each([
      ["to a parent domain", "id.example.test", "example.test"],
      ["from a parent domain", "example.test", "id.example.test"],
    ])("survives a change of session.cookie.domain %s", async (_name, before, after) => {
      const app = await start({ domain: before });
      const address = await register();
      const old = await cookieValue("__Secure-ostiary_session");
      const changed = await start({ domain: after }, app);
      await isSignedIn(address);
      await logIn(address);
      expect(await sessionCookies()).toEqual([`__Secure-ostiary_session@.${after}`]);
      expect(await whatIs(changed, old)).toBe("SESSION_REVOKED");
      expect(await guardSays(changed)).toBe(address);
      await signOut();
      expect(await sessionCookies()).toEqual([]);
      await register();
      expect(await sessionCookies()).toEqual([`__Secure-ostiary_session@.${after}`]);
    });

    // bug-reports B15: the guard let person 1 in, after person 2 had signed in and even out.
    test.each([
      ["on", {}, { domain: "id.example.test" }],
      ["off", { domain: "id.example.test" }, {}],
    ])("is one person's when session.cookie.domain is switched %s", async (_name, before, after) => {
      const app = await start(before);
      const first = await register();
      expect(await guardSays(app)).toBe(first);
      const [name = ""] = (await sessionCookies()).map((cookie) => cookie.split("@")[0]);
      const old = await cookieValue(name);

      const changed = await start(after, app);
      // What the server does not read is nobody's for the guard as well.
      await isSignedOut();
      expect(await guardSays(changed)).toBe("nobody");
      const second = await register();
      expect(await guardSays(changed)).toBe(second);
      await isSignedIn(second);
      await signOut();
      expect(await guardSays(changed)).toBe("nobody");
      await isSignedOut();
      expect(await sessionCookies()).toEqual([]);
      expect(await whatIs(changed, old)).toBe("SESSION_REVOKED");
    });

    // bug-reports B18: nobody could sign in at staging while signed in at production.
    test("leaves production and staging below one domain alone", async () => {
      const production = "auth.example.test";
      await start({ domain: "example.test" }, undefined, production);
      await start({ domain: "id.example.test" });
      const tester = await register();
      const customer = await register(production);
      await isSignedIn(tester);
      await logIn(tester);
      await isSignedIn(customer, production);
      await isSignedIn(tester);
      await signOut();
      await isSignedOut();
      await isSignedIn(customer, production);
      await logIn(customer, production);
      await logIn(tester);
      await isSignedIn(customer, production);
      await signOut();
      await isSignedOut(production);
      await isSignedIn(tester);
    });

    test("is another one with a name of its own", async () => {
      const production = "auth.example.test";
      await start({ domain: "example.test" }, undefined, production);
      const app = await start({ domain: "id.example.test", name: "staging_session" });
      const customer = await register(production);
      const tester = await register();
      await isSignedIn(customer, production);
      await isSignedIn(tester);
      const names = (await context.cookies(front.urlOf(host))).map(({ name }) => name);
      expect(names).toContain("__Host-staging_browser");
      const guard = requireSession({ baseUrl: app.localUrl, cookieName: "staging_session" });
      const cookie = `__Secure-staging_session=${await cookieValue("__Secure-staging_session")}`;
      expect((await guard.check({ method: "GET", headers: { host, cookie } })).identity.traits).toEqual({
        email: tester,
      });
    });

    // bug-reports 36a: one line of script on any sibling host locked a visitor out for 400 days.
    test.each([
      ["on all paths", [["x", "/"]]],
      ["on the path of the calls", [["x", sessionPath]]],
      [
        "on paths of several kinds",
        [
          ["x", `${sessionPath}/`],
          ["y", `${sessionPath}/GetCurrentSession`],
          ["z", "/"],
        ],
      ],
    ] as [string, [string, string][]][])("bears what a sibling host plants %s", async (_name, planted) => {
      await start({ domain: "example.test" });
      const address = await register();
      await plant(planted);
      await isSignedIn(address);
      await isSignedIn(address);
      expect(await sessionCookies()).toEqual(["__Secure-ostiary_session@.example.test"]);
      await plant(planted);
      await logIn(address);
      await plant(planted);
      await isSignedIn(address);
      await signOut();
      await isSignedOut();
      await plant(planted);
      await logIn(address);
    });

    test("signs out with a word where a sibling host plants more than can be looked up", async () => {
      await start({ domain: "example.test" });
      const address = await register();
      const places = [".example.test", ".id.example.test", host].flatMap((domain) =>
        ["/", sessionPath].map((path) => ({ domain, path })),
      );
      // The page's own stays where it is; Chromium takes cookies of a script one by one.
      await context.addCookies(
        places.slice(1).map((place, n) => ({
          ...{ name: "__Secure-ostiary_session", value: `planted-${n}`, secure: true },
          ...place,
        })),
      );
      await open("/ui/sessions");
      await appears(page, "text=This browser had several sessions at once");
      expect(await sessionCookies()).toEqual([]);
      await logIn(address);
    });

    // Security rule (SR-COOKIE-1): of two live sessions none is believed, one may be an attacker's own account (login CSRF).
    test("is nobody's beside a live session that a sibling host plants, until one signs in again", async () => {
      const app = await start({ domain: "example.test" });
      const attacker = await register();
      const planted = await cookieValue("__Secure-ostiary_session");
      await context.clearCookies();
      const address = await register();
      await plant([[planted, sessionPath]]);
      await open("/ui/sessions");
      await appears(page, "text=This browser had several sessions at once");
      expect(await sessionCookies()).toEqual([]);
      await logIn(address);
      expect(await guardSays(app)).toBe(address);

      // Signing out with both works, and ends both: the attacker has shown the secret of theirs.
      await plant([[planted, sessionPath]]);
      await open("/ui/example-login");
      const status = await page.evaluate(async (path) => {
        const headers = { "content-type": "application/json" };
        return (await fetch(`${path}/Logout`, { method: "POST", headers, body: "{}" })).status;
      }, sessionPath);
      expect(status).toBe(200);
      expect(await sessionCookies()).toEqual([]);
      await isSignedOut();
      expect(await whatIs(app, planted)).toBe("SESSION_REVOKED");
      expect(attacker).not.toBe(address);
    });

    // Ostiary never sees what is planted on the paths of an app: its guard has to remove that.
    test.each([
      ["a live session", (foreign: string) => [[foreign, "/app"]]],
      [
        "more values than are looked at",
        () => ["/app", "/app/", "/app/page"].map((path, n) => [`x${n}`, path]),
      ],
    ] as [string, (foreign: string) => [string, string][]][])(
      "does not keep its holder out of an app where a sibling host plants %s on the app's path",
      async (_name, planted) => {
        const app = await start({ domain: "example.test" });
        const guard = requireSession({ baseUrl: app.localUrl });
        const guarded = await startOtherServer(
          guard.node((_request, response, { identity }) => {
            response.setHeader("content-type", "text/html").end(`<p>Hello ${identity.traits?.email}</p>`);
          }),
        );
        front.lead("app.example.test", guarded.url);
        await register();
        const foreign = await cookieValue("__Secure-ostiary_session");
        await context.clearCookies();
        const address = await register();
        await plant(planted(foreign));
        const more = [1, 2].map((n) => ({ name: "__Secure-ostiary_session", value: `y${n}`, secure: true }));
        await context.addCookies(
          more.map((cookie, n) => ({
            ...cookie,
            domain: "app.example.test",
            path: n === 0 ? "/app" : "/app/",
          })),
        );
        const visit = async () => (await open("/app/page", "app.example.test"))?.status();
        expect(await visit()).toBe(401);
        expect(await sessionCookies()).toEqual(["__Secure-ostiary_session@.example.test"]);
        expect(await visit()).toBe(200);
        await appears(page, `text=Hello ${address}`);
        await guarded.stop();
      },
    );

    test("tells whose account it is where the session of another one has ended", async () => {
      const app = await start({ domain: "example.test" });
      const first = await register();
      const old = await cookieValue("__Secure-ostiary_session");
      await signOutBy(app, old);
      await context.clearCookies();
      const second = await register();
      await plant([[old, sessionPath]]);
      for (const _visit of [1, 2]) {
        await isSignedIn(second);
        await appears(page, `text=This is the account of ${second}.`);
      }
      await signOut();
      expect(await sessionCookies()).toEqual([]);
      await logIn(first);
      expect(await page.locator("text=This is the account of").count()).toBe(0);
    });

    // With `__Host-` nobody else can set the cookie, and nothing that is planted under another name counts.
    test.each(["__Secure-", ""])(
      "of the host alone is not moved by a planted %jostiary_session",
      async (prefix) => {
        const app = await start({});
        const attacker = await start({ domain: "example.test" }, undefined, "auth.example.test");
        await register("auth.example.test");
        const foreign = await cookieValue("__Secure-ostiary_session");
        await context.clearCookies();
        await plant([[foreign, "/"]], prefix);
        await isSignedOut();
        expect(await guardSays(app)).toBe("nobody");
        const address = await register();
        const own = await cookieValue("__Host-ostiary_session");
        await plant(
          [
            [own.replace(/.$/, (last) => (last === "x" ? "y" : "x")), sessionPath],
            [foreign, "/"],
            ["x", "/ui"],
          ],
          prefix,
        );
        await isSignedIn(address);
        expect(await guardSays(app)).toBe(address);
        await signOut();
        await isSignedOut();
        expect(attacker.publicUrl).toContain("auth.example.test");
      },
    );

    async function signOutBy(app: TestApp, cookie: string): Promise<void> {
      await fetch(`${app.localUrl}${sessionPath}/Logout`, {
        method: "POST",
        headers: { "content-type": "application/json", cookie: `__Secure-ostiary_session=${cookie}` },
        body: "{}",
      });
    }
  },
);

// bug-reports B19: cookies know no ports.
test.skipIf(!chromiumInstalled)(
  "two servers on ports of one machine keep apart by the cookie's name",
  { timeout },
  async () => {
    const apps = await Promise.all(
      ["one_session", "two_session"].map((name) =>
        startTestApp({ config: { tenant_defaults: { session: { cookie: { name } } } } }),
      ),
    );
    const context = await (await openChromium()).newContext({ locale: "en-GB" });
    const page = await context.newPage();
    for (const app of apps) {
      await page.goto(`${app.publicUrl}/ui/registration`);
      await page.fill(email, freshEmail());
      await page.fill(password, goodPassword);
      await page.click(submit);
      await page.waitForURL("**/ui/verification*");
    }
    for (const app of apps) {
      await page.goto(`${app.publicUrl}/ui/sessions`);
      await appears(page, "text=Signed in as");
    }
    await context.close();
    for (const app of apps) await app.stop();
  },
);
