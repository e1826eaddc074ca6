// What strangers did with browsers: browser/40 (the answer is lost, the button is pressed twice), 43b (a link that is pasted),
// 49 (cookies of others), back and bfcache (the way back), dom (what fields are called), env (clock, cookies, no JavaScript, 320
// pixels, German). Where a page has a better sentence to say, it comes with the issue on pages; here is what may never happen.
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { Caller, resultOf } from "../support/caller.ts";
import { appears, chromiumInstalled, openChromium } from "../support/chromium.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { type OtherServer, startOtherServer } from "../support/http-server.ts";
import { administer } from "../support/postgres.ts";
import { reachForm } from "../ui/visitors.ts";

const email = "[name='traits.email']";
const identifier = "[name='identifier']";
const password = "[name='password.password']";
const address = "[name='address']";
const code = "[name='code.code']";
const byPassword = "[data-step='password']";

describe.skipIf(!chromiumInstalled)("in Chromium", { timeout: 60_000 }, () => {
  let app: TestApp;
  let caller: Caller;
  let browser: Browser;
  /** An app of somebody else, from which people come. */
  let other: OtherServer;
  const contexts: BrowserContext[] = [];

  beforeAll(async () => {
    app = await startTestApp({ config: { tenant_defaults: { link: { enabled: true } } } });
    caller = new Caller(app);
    browser = await openChromium();
    other = await startOtherServer((_request, response) => {
      response.setHeader("content-type", "text/html");
      response.end(`<title>App</title><h1>App</h1><a href="${app.publicUrl}/ui/settings">Account</a>`);
    });
  });
  afterEach(async () => {
    for (const context of contexts.splice(0)) {
      // A call that a page makes while it is closed fails in the middle of its route.
      for (const routed of [context, ...context.pages()])
        await routed.unrouteAll({ behavior: "ignoreErrors" });
      await context.close();
    }
  });
  afterAll(async () => {
    await other.stop();
    await app.stop();
  });

  /** A page of a browser of its own, which shows nothing yet. */
  async function open(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await browser.newContext({ locale: "en-GB", reducedMotion: "reduce", ...options });
    contexts.push(context);
    const page = await context.newPage();
    page.setDefaultTimeout(20_000);
    return page;
  }
  async function visit(path: string): Promise<Page> {
    const page = await open();
    await goTo(page, path);
    return page;
  }
  const goTo = (page: Page, path: string) => page.goto(app.publicUrl + path);
  const text = (page: Page) => page.textContent("body");

  async function logIn(page: Page, name: string): Promise<void> {
    await goTo(page, "/ui/login");
    await reachForm(page, identifier);
    await page.fill(identifier, name);
    await page.fill(password, goodPassword);
    await page.click(byPassword);
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=Signed in as ${name}.`);
  }
  /** Makes an account whose address is not verified, and signs in. */
  async function signUp(page: Page, name: string): Promise<void> {
    expect(resultOf(await caller.register(name))).toBe("completed");
    await logIn(page, name);
  }
  async function signOut(page: Page): Promise<void> {
    await goTo(page, "/ui/sessions");
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await appears(page, identifier);
  }
  const accountsOf = (name: string) =>
    administer(app.databaseUrl, (query) =>
      query("SELECT FROM ostiary.identity_identifier WHERE value = $1", [name]),
    );
  /** The newest message to an address that has a code or a link. */
  const sentTo = (to: string) =>
    vi.waitUntil(async () => (await app.messages(to)).filter(({ code, url }) => code + url !== "").at(-1), {
      timeout: 10_000,
    });

  describe.each(["registration", "login"] as const)("a %s", (kind) => {
    /** A page that is filled in, and what waits until it has led on. */
    async function filledIn(): Promise<{ page: Page; name: string; fill: (page: Page) => Promise<void> }> {
      const name = freshEmail();
      if (kind === "login") expect(resultOf(await caller.register(name))).toBe("completed");
      const page = await visit(`/ui/${kind}`);
      const fill = async (form: Page) => {
        await form.fill(kind === "login" ? identifier : email, name);
        await form.fill(password, goodPassword);
      };
      await fill(page);
      return { page, name, fill };
    }
    const ledOn = (page: Page) =>
      page.waitForURL(kind === "login" ? "**/ui/sessions" : "**/ui/verification*");

    /** The browser is signed in; without a doubt, and as the only account of that name. */
    async function isSignedIn(page: Page, name: string): Promise<void> {
      await goTo(page, "/ui/sessions");
      await appears(page, `text=Signed in as ${name}.`);
      expect(await accountsOf(name)).toHaveLength(1);
    }

    test.each<[string, (page: Page) => Promise<unknown>]>([
      ["a double click", (page) => page.dblclick(byPassword)],
      [
        "Enter and a click",
        async (page) => {
          await page.press(password, "Enter");
          await page.locator(byPassword).evaluate((button: HTMLElement) => button.click());
        },
      ],
      [
        "Enter three times",
        async (page) => {
          await page.focus(password);
          for (let time = 0; time < 3; time++) await page.keyboard.press("Enter");
        },
      ],
    ])("that is sent by %s is sent once", async (_name, press) => {
      const { page, name } = await filledIn();
      let submits = 0;
      const pressed = Promise.withResolvers<void>();
      // The answer waits, so that nothing is pressed on the page after this one.
      await page.route("**/*Submit*", async (route) => {
        submits++;
        await pressed.promise;
        await route.continue();
      });
      await press(page);
      pressed.resolve();
      await ledOn(page);
      expect(submits).toBe(1);
      await isSignedIn(page, name);
    });

    test("whose answer is lost is done once, and what was typed signs in", async () => {
      const { page, name } = await filledIn();
      let submits = 0;
      await page.route("**/*Submit*", async (route) => {
        if (++submits > 1) return route.continue();
        // The server does it; the browser never hears of it.
        await route.fetch();
        await route.abort("connectionreset");
      });
      await page.click(byPassword);
      await appears(page, "text=can't be reached");
      expect(await page.inputValue(kind === "login" ? identifier : email)).toBe(name);
      await page.click(byPassword);
      await ledOn(page);
      await isSignedIn(page, name);
    });

    test("in two tabs at once is done once, and both can go on", async () => {
      const { page, name, fill } = await filledIn();
      const tab = await page.context().newPage();
      await tab.goto(page.url());
      await appears(tab, byPassword);
      expect(tab.url()).toBe(page.url());
      await fill(tab);
      await Promise.all([page.click(byPassword), tab.click(byPassword)]);
      await Promise.race([ledOn(page), ledOn(tab)]);
      for (const one of [page, tab]) await isSignedIn(one, name);
    });

    test("that is loaded anew while it is sent leaves nobody in between", async () => {
      const { page, name } = await filledIn();
      const arrived = Promise.withResolvers<void>();
      await page.route("**/*Submit*", async (route) => {
        arrived.resolve();
        await route.continue().catch(() => {});
      });
      await page.click(byPassword, { noWaitAfter: true });
      await arrived.promise;
      await page.reload();
      // Whether it was done or not: the same name and password lead in, by way of an account where there is none.
      if (kind === "registration" && (await accountsOf(name)).length === 0) {
        await goTo(page, "/ui/registration");
        await page.fill(email, name);
        await page.fill(password, goodPassword);
        await page.click(byPassword);
        await appears(page, "[role='alert'] [data-kind='error'], [name='code.code']");
      }
      await logIn(page, name);
      await isSignedIn(page, name);
    });

    test("without a network says so, keeps all that was typed, and works when there is one", async () => {
      const { page, name } = await filledIn();
      await page.context().setOffline(true);
      await page.click(byPassword);
      await appears(page, "text=can't be reached");
      expect(await page.inputValue(kind === "login" ? identifier : email)).toBe(name);
      expect(await page.inputValue(password)).toBe(goodPassword);
      await page.context().setOffline(false);
      await page.click(byPassword);
      await ledOn(page);
      await isSignedIn(page, name);
    });
  });

  // That the page notices it at once comes with the issue on pages.
  test.each(["login", "recovery", "registration", "verification"])(
    "a link that is pasted into the tab of a %s that waits for it is taken when that is loaded anew, and leaves the address",
    async (kind) => {
      const isNew = kind === "registration" || kind === "verification";
      const name = isNew ? freshEmail() : (await verifiedAccount(app)).email;
      const page = await open();
      // One's own address, in one's own session: nobody is asked whose account it is.
      if (kind === "verification") await signUp(page, name);
      await goTo(page, `/ui/${kind}`);
      await page.fill({ login: identifier, registration: email }[kind] ?? address, name);
      app.clock.advance(60_000);
      await page.click("[data-step='sendLink']");
      await appears(page, "text=/sent .*link/");
      const { url = "" } = (await sentTo(name)) ?? {};
      await page.evaluate(
        (to) => {
          window.location.href = to;
        },
        url.replace(new URL(url).origin, app.publicUrl),
      );
      await page.reload();
      await page.click("[data-step='confirmLink']");
      await page.waitForURL(/\/ui\/(sessions|settings|verification)/);
      expect(page.url()).not.toContain("link=");
      expect(await accountsOf(name)).toHaveLength(1);
    },
  );

  describe("cookies of other applications of the site", () => {
    const fill = (page: Page, kilobytes: number) =>
      page.context().addCookies(
        Array.from({ length: kilobytes / 4 }, (_, index) => ({
          ...{ name: `_other_${index}`, value: "x".repeat(4_000), url: app.publicUrl },
        })),
      );

    test.each([12, 20])("of %i kB disturb nobody", async (kilobytes) => {
      const { email: name } = await verifiedAccount(app);
      const page = await visit("/ui/login");
      await fill(page, kilobytes);
      await logIn(page, name);
    });

    test.each([40, 120])("of %i kB get a page that says so and a button that helps", async (kilobytes) => {
      const { email: name } = await verifiedAccount(app);
      const page = await visit("/ui/login");
      await fill(page, kilobytes);
      const answer = await goTo(page, "/ui/login");
      expect(answer?.status()).toBe(431);
      expect(await page.textContent("h1")).toBe("Your browser is sending too many cookies");
      await page.click("button");
      await appears(page, identifier);
      expect(await page.context().cookies()).toHaveLength(1);
      await logIn(page, name);
    });

    test("that come while a page is open lose nothing that was typed, and the page leads to that button", async () => {
      const { email: name } = await verifiedAccount(app);
      const page = await visit("/ui/login");
      await page.fill(identifier, name);
      await page.fill(password, goodPassword);
      await fill(page, 40);
      await page.click(byPassword);
      await appears(page, "[role='alert'] [data-kind='error']");
      expect(await page.inputValue(identifier)).toBe(name);
      await page.reload();
      await page.click("button:text('Delete the cookies for this site')");
      await appears(page, identifier);
      await logIn(page, name);
    });
  });

  describe("the way back", () => {
    test.each(["settings", "sessions"])(
      "from the login after signing out shows nothing of %s",
      async (route) => {
        const { email: name } = await verifiedAccount(app);
        const page = await open();
        await logIn(page, name);
        await goTo(page, `/ui/${route}`);
        await appears(page, `text=${name}`);
        await signOut(page);
        // As far as the history goes: no redirect is left in it.
        for (let time = 0; time < 3 && (await page.goBack({ waitUntil: "commit" })) !== null; time++) {
          if (page.url().startsWith(app.publicUrl)) await appears(page, identifier);
          expect(await text(page)).not.toContain(name);
        }
      },
    );

    // That it is looked at once it is shown again comes with the issue on pages.
    test.each([
      ["settings", "[data-step='profile']"],
      ["sessions", "button:has-text('Stay signed in longer')"],
    ])(
      "from another site to %s, after signing out elsewhere, changes nothing and leads to the login",
      async (route, button) => {
        const { email: name } = await verifiedAccount(app);
        const page = await open();
        await logIn(page, name);
        await goTo(page, `/ui/${route}`);
        await appears(page, button);
        await page.goto(other.url);
        const tab = await page.context().newPage();
        await signOut(tab);
        await page.goBack({ waitUntil: "commit" });
        await appears(page, `${identifier}, ${button}`);
        if (!(await page.isVisible(identifier))) await page.click(button);
        await appears(page, identifier);
      },
    );

    // That it leads out of the pages again comes with the issue on pages.
    test("to the pages from an app finds a form that works", async () => {
      const { email: name } = await verifiedAccount(app);
      const page = await visit("/ui/nothing");
      await page.goto(other.url);
      await page.click("text=Account");
      await appears(page, identifier);
      for (let time = 0; time < 2; time++) {
        await page.goBack({ waitUntil: "commit" });
        await appears(page, `${identifier}, h1:text('App'), h1:text('Page not found')`);
      }
      await goTo(page, "/ui/login");
      await page.fill(identifier, name);
      await page.fill(password, goodPassword);
      await page.click(byPassword);
      // That is where they wanted to go.
      await page.waitForURL("**/ui/settings*");
    });
  });

  describe("fields are called what password managers look for", () => {
    const fieldsOf = (page: Page) =>
      page.$$eval("form input:not([type='hidden'])", (inputs) =>
        inputs.map(
          (input) =>
            `${input.getAttribute("name")} ${input.getAttribute("type")} ${input.getAttribute("autocomplete")}`,
        ),
      );

    test.each([
      ["login", identifier, ["identifier text username", "password.password password current-password"]],
      ["recovery", address, ["address text username"]],
    ])("in a %s", async (kind, first, expected) => {
      const page = await visit(`/ui/${kind}`);
      await appears(page, first);
      expect(await fieldsOf(page)).toEqual(expected);
    });

    test("in a registration, and a code is asked for as one", async () => {
      const page = await visit("/ui/registration");
      await page.fill(email, freshEmail());
      expect(await fieldsOf(page)).toContain("password.password password new-password");
      await page.fill(password, goodPassword);
      await page.click(byPassword);
      await appears(page, code);
      expect(await fieldsOf(page)).toEqual(["code.code text one-time-code"]);
      expect(await page.getAttribute(code, "inputmode")).toBe("numeric");
      expect(await page.getAttribute(code, "maxlength")).toBeNull();
    });
  });

  describe("a browser", () => {
    test.each([-26 * 60, 10])(
      "whose clock is %i minutes off signs in and asks for a code",
      async (minutes) => {
        const { email: name } = await verifiedAccount(app);
        const page = await open();
        await page.context().addInitScript(`{
        const Real = Date;
        const off = ${minutes} * 60_000;
        globalThis.Date = class extends Real {
          constructor(...given) { given.length > 0 ? super(...given) : super(Real.now() + off); }
          static now() { return Real.now() + off; }
        };
      }`);
        await logIn(page, name);
        await signOut(page);
        await goTo(page, "/ui/recovery");
        await page.fill(address, name);
        app.clock.advance(60_000);
        await page.click("[data-step='sendCode']");
        await appears(page, code);
        await page.fill(code, (await sentTo(name))?.code ?? "");
        await page.click("[data-step='code']");
        await page.waitForURL("**/ui/settings*");
      },
    );

    test.each(["", "settings"])("without JavaScript is told at /ui/%s that it is needed", async (path) => {
      const page = await open({ javaScriptEnabled: false });
      const answer = await goTo(page, `/ui/${path}`);
      expect(answer?.status()).toBe(200);
      expect(await text(page)).toContain("JavaScript is switched off");
    });

    // What it says of that comes with the issue on pages.
    test.each(["login", "registration"])(
      "that keeps no cookies is told by a %s that it did not work",
      async (kind) => {
        const name = freshEmail();
        if (kind === "login") await caller.register(name);
        const page = await open();
        await page.context().route(`${app.publicUrl}/ostiary.**`, async (route) => {
          const answer = await route.fetch();
          const { "set-cookie": _dropped, ...headers } = answer.headers();
          await page.context().clearCookies();
          await route.fulfill({ response: answer, headers });
        });
        await goTo(page, `/ui/${kind}`);
        for (let time = 0; time < 2; time++) {
          await page.fill(kind === "login" ? identifier : email, name);
          await page.fill(password, goodPassword);
          await page.click(byPassword);
          await appears(page, "[role='alert'] [data-kind='error']");
          expect(await page.inputValue(kind === "login" ? identifier : email)).toBe(name);
        }
        expect(await accountsOf(name)).toHaveLength(kind === "login" ? 1 : 0);
      },
    );

    test.each(["recovery", "verification", "settings"])(
      "of 320 pixels shows all of %s, and nothing in it is too small to hit",
      async (route) => {
        const page = await open({ viewport: { width: 320, height: 640 } });
        if (route === "settings" || route === "sessions")
          await logIn(page, (await verifiedAccount(app)).email);
        await goTo(page, `/ui/${route}`);
        await appears(page, "main button");
        const found = await page.evaluate(() => ({
          beyond: document.documentElement.scrollWidth - window.innerWidth,
          small: [...document.querySelectorAll("button, input, select")].filter((element) => {
            const { width, height } = element.getBoundingClientRect();
            return width > 0 && (width < 24 || height < 24);
          }).length,
        }));
        expect(found).toEqual({ beyond: 0, small: 0 });
      },
    );

    test.each([
      ["de-CH", "de"],
      ["fr-CH", "en"],
    ])("in %s is spoken to in %s on each page", async (locale, language) => {
      const page = await open({ locale });
      const titles: string[] = [];
      for (const route of ["login", "registration", "recovery", "verification"]) {
        await goTo(page, `/ui/${route}`);
        await appears(page, "main button");
        expect(await page.evaluate(() => document.documentElement.lang)).toBe(language);
        titles.push((await page.textContent("h1")) ?? "");
      }
      const english = ["Sign in", "Create an account", "Recover your account", "Verify your address"];
      for (const [index, title] of titles.entries())
        if (language === "de") expect(title).not.toBe(english[index]);
    });
  });
});
