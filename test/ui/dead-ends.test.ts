import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { deletionConfig, verifiedAccount } from "../support/deletion.ts";
import { violationsOf } from "./scan.ts";
import {
  another,
  code,
  email,
  focused,
  identifier,
  password,
  servePages,
  settled,
  submit,
  type Visitors,
} from "./visitors.ts";

const save = "[data-step='profile']";
const signIn = "[data-step='password']";
const sendCode = "[data-step='sendCode']";
const sendLink = "[data-step='sendLink']";
const resend = "[data-step='resend']";

/*
 * Situations in which people got stuck, as they meet them: what they find, and the way on. What was typed, where people go afterwards and
 * the account are in files of their own.
 */
describe.skipIf(!chromiumInstalled)("nobody gets stuck on the self-service pages", () => {
  let app: TestApp;
  let visitors: Visitors;

  const { tenant_defaults } = deletionConfig();
  servePages({ tenant_defaults: { ...tenant_defaults, link: { enabled: true } } }, (served) => {
    ({ app, visitors } = served);
  });

  const at = (path: string) => app.publicUrl + path;
  const pathOf = (page: Page) => new URL(page.url()).pathname;
  const lastMessage = async (address: string) => (await app.messages(address)).at(-1);
  const linkOf = async (address: string) => (await lastMessage(address))?.url ?? "";

  /** Another tab of the same browser. */
  async function tabBeside(page: Page, path: string): Promise<Page> {
    const tab = await page.context().newPage();
    tab.setDefaultTimeout(10_000);
    await tab.goto(path.startsWith("http") ? path : at(path));
    return tab;
  }

  async function signOutIn(page: Page): Promise<void> {
    await page.goto(at("/ui/sessions"));
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await appears(page, identifier);
  }

  async function fillLogin(page: Page, address: string): Promise<void> {
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
  }

  async function asksForLink(address: string): Promise<Page> {
    const page = await visitors.open("/ui/login");
    await page.fill(identifier, address);
    await page.click(sendLink);
    await appears(page, resend);
    return page;
  }

  describe("when a session has ended elsewhere", () => {
    // Finding 4 of our review of the pages, and bug-reports B7: "That didn't work. Try again in a moment.", for ever.
    test("a change of the settings leads to the login, and comes back with what was typed", async () => {
      const { page, address } = await visitors.register();
      await page.goto(at("/ui/settings"));
      const wanted = freshEmail();
      await page.fill(email, wanted);
      await page.fill("[name='traits.name']", "Ada Lovelace");
      await page.fill(password, "a secret that is kept nowhere");
      await page.context().clearCookies({ name: /session/ });
      await page.click(save);
      await appears(page, "text=You're no longer signed in.");
      expect(pathOf(page)).toBe("/ui/login");
      // What is kept for the way back has no secret.
      const kept = await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }));
      expect(kept).toContain(wanted);
      expect(kept).not.toContain("a secret that is kept nowhere");
      await fillLogin(page, address);
      await page.click(signIn);
      await page.waitForURL("**/ui/settings*");
      await appears(page, "text=You were signed out in the meantime.");
      expect(await page.inputValue(email)).toBe(wanted);
      expect(await page.inputValue("[name='traits.name']")).toBe("Ada Lovelace");
      expect(await page.inputValue(password)).toBe("");
      await page.click(save);
      await appears(page, code);
    });

    // Security rule (SR-FLOW-3): what was typed for one account is not filled in for another one, also after a login in between.
    test("nothing of it is filled in for another person who signs in", async () => {
      const { page } = await visitors.register();
      const { email: second } = await verifiedAccount(app);
      await page.goto(at("/ui/settings"));
      await page.fill("[name='traits.name']", "First Person");
      await page.context().clearCookies({ name: /session/ });
      await page.click(save);
      await appears(page, identifier);
      await fillLogin(page, second);
      await page.click(signIn);
      await appears(page, `text=This is the account of ${second}.`);
      expect(await page.inputValue("[name='traits.name']")).toBe("");
      expect(await page.evaluate(() => JSON.stringify({ ...sessionStorage }))).not.toContain("First Person");
    });

    // Finding 3 of our review of the pages: the destination was forgotten.
    test("a page that needs a login comes after it", async () => {
      const { email: address } = await verifiedAccount(app);
      const page = await visitors.open("/ui/settings");
      await appears(page, identifier);
      await fillLogin(page, address);
      await page.click(signIn);
      await appears(page, `text=Account of ${address}`);
      expect(pathOf(page)).toBe("/ui/settings");
    });

    // Security rule (SR-PAGES-8): what was shown to somebody who has signed out is shown no more. bug-reports B5.
    test("an open tab shows nothing of the person any more", async () => {
      const { page, address } = await visitors.register();
      const tab = await tabBeside(page, "/ui/settings");
      await appears(tab, `text=Account of ${address}`);
      await signOutIn(page);
      await tab.waitForURL("**/ui/login*");
      expect(await tab.textContent("main")).not.toContain(address);
    });
  });

  describe("in several tabs", () => {
    // Finding 5 of our review of the pages: "That didn't work. Try again in a moment.", for ever.
    test("a step that another tab has left is answered with the one that it has come to", async () => {
      const { email: address } = await verifiedAccount(app);
      const page = await visitors.open("/ui/login");
      await appears(page, identifier);
      const tab = await tabBeside(page, page.url());
      await fillLogin(tab, address);
      await page.fill(identifier, address);
      await page.click(sendCode);
      await appears(page, code);
      await tab.click(signIn);
      await appears(tab, "text=continued this elsewhere");
      await tab.fill(code, (await lastMessage(address))?.code ?? "");
      await tab.click("[data-step='code']");
      await tab.waitForURL("**/ui/sessions");
    });

    // Finding 6 of our review of the pages: "This form was open for too long", seconds after it was opened.
    test("a login that another tab has completed leads on, and is not called expired", async () => {
      const { email: address } = await verifiedAccount(app);
      const page = await visitors.open("/ui/login");
      await appears(page, identifier);
      const tab = await page.context().newPage();
      await tab.addInitScript(() => Reflect.deleteProperty(window, "BroadcastChannel"));
      // Once it knows that nobody is signed in, it asks again only when somebody comes back to it.
      const asked = tab.waitForResponse("**/GetCurrentSession");
      await tab.goto(page.url());
      await fillLogin(tab, address);
      await asked;
      await fillLogin(page, address);
      await page.click(signIn);
      await page.waitForURL("**/ui/sessions");
      // Without the focus, which has it look.
      await tab.locator(signIn).evaluate((button: HTMLElement) => button.click());
      await tab.waitForURL("**/ui/sessions");
      await appears(tab, "[role='status'] >> text=This was already done. Nothing was done twice.");
    });

    // Finding 34 of our review of the pages.
    test("a login that stands open says that somebody has signed in beside it", async () => {
      const { email: address } = await verifiedAccount(app);
      const page = await visitors.open("/ui/login");
      const tab = await tabBeside(page, "/ui/login");
      await appears(tab, identifier);
      await fillLogin(page, address);
      await page.click(signIn);
      await page.waitForURL("**/ui/sessions");
      await appears(tab, `text=You're signed in as ${address}.`);
      await tab.click(`text=Continue as ${address}`);
      await tab.waitForURL("**/ui/sessions");
    });

    test("a restored tab of a verification that is done says so, and leads on", async () => {
      const { page, address } = await visitors.register();
      await page.goto(at("/ui/verification"));
      await page.fill("[name='address']", address);
      app.clock.advance(60_000);
      await page.click(sendCode);
      await appears(page, code);
      const former = page.url();
      await page.fill(code, (await lastMessage(address))?.code ?? "");
      await page.click("[data-step='code']");
      await appears(page, "[role='status'] >> text=Your address is verified.");
      const restored = await tabBeside(page, former);
      await appears(restored, "text=already done");
      expect(await violationsOf(restored)).toEqual([]);
      await restored.click("text=Continue");
      await restored.waitForURL("**/ui/sessions");
    });
  });

  describe("with the buttons of the browser", () => {
    // bug-reports B2: the back button led into the same redirect again.
    test.each(["/ui/", "/ui/settings", "/ui/sessions"])("Back leads out of %s to the app", async (entry) => {
      const page = await visitors.open("/health/live");
      await page.goto(at(entry));
      await appears(page, identifier);
      await page.goBack();
      expect(pathOf(page)).toBe("/health/live");
      await page.goForward();
      await appears(page, identifier);
    });

    test("Back leads to the app after a login as well, also by a code", async () => {
      const { email: address } = await verifiedAccount(app);
      for (const step of ["password", "code"]) {
        const page = await visitors.open("/health/live");
        await page.goto(at("/ui/login"));
        await fillLogin(page, address);
        if (step === "password") await page.click(signIn);
        else {
          app.clock.advance(60_000);
          await page.click(sendCode);
          await appears(page, code);
          await page.fill(code, (await lastMessage(address))?.code ?? "");
          await page.click("[data-step='code']");
        }
        await page.waitForURL("**/ui/sessions");
        await appears(page, ".facts");
        await page.goBack();
        expect(pathOf(page), step).toBe("/health/live");
      }
    });

    // Finding 27 of our review of the pages: Back left the site from every step.
    test("Back leads to the step before, with what was typed, and Forward does no harm", async () => {
      const { email: address } = await verifiedAccount(app);
      const page = await visitors.open("/health/live");
      await page.goto(at("/ui/login"));
      await page.fill(identifier, address);
      await page.click(sendCode);
      await appears(page, code);
      await page.goBack();
      await appears(page, password);
      expect(await page.inputValue(identifier)).toBe(address);
      await page.goForward();
      await appears(page, password);
      // The form's own button leaves no entry behind.
      app.clock.advance(60_000);
      await page.click(sendCode);
      await appears(page, code);
      await page.click("[data-step='back']");
      await appears(page, password);
      await page.goBack();
      expect(pathOf(page)).toBe("/health/live");
    });

    test("a page that is loaded anew goes on in every step", async () => {
      const { email: address } = await verifiedAccount(app);
      const page = await visitors.open("/ui/login");
      await page.fill(identifier, address);
      await page.click(sendCode);
      await appears(page, code);
      await page.reload();
      await appears(page, code);
      await page.goBack();
      await appears(page, password);
      expect(await page.inputValue(identifier)).toBe(address);
      app.clock.advance(60_000);
      await page.click(sendLink);
      await appears(page, resend);
      await page.reload();
      await appears(page, resend);
      await appears(page, `text=we've sent`);
    });

    // Security rule (SR-PAGES-8): the back/forward cache shows nobody what was shown to a person who has signed out. bug-reports B5.
    test("the back/forward cache shows nothing of a person who has signed out", async () => {
      const { email: address } = await verifiedAccount(app);
      const tab = await visitors.open("/ui/login");
      await fillLogin(tab, address);
      await tab.click(signIn);
      await tab.waitForURL("**/ui/sessions");
      const page = await tab.context().newPage();
      page.setDefaultTimeout(10_000);
      // Chromium keeps no page that listens to it.
      await page.addInitScript(() => Reflect.deleteProperty(window, "BroadcastChannel"));
      await page.goto(at("/ui/settings"));
      await appears(page, `text=Account of ${address}`);
      // As the browser does it when the page is left; the one for tests has no such cache.
      const say = (name: string) =>
        page.evaluate(
          (event) => window.dispatchEvent(new PageTransitionEvent(event, { persisted: true })),
          name,
        );
      await say("pagehide");
      expect(await page.isVisible(`text=Account of ${address}`)).toBe(false);
      await say("pageshow");
      await appears(page, `text=Account of ${address}`);
      await say("pagehide");
      await signOutIn(tab);
      await say("pageshow");
      await page.waitForURL("**/ui/login*");
      await appears(page, identifier);
      expect(await page.textContent("main")).not.toContain(address);
    });
  });

  describe("when an answer is lost", () => {
    // Finding 6 of our review of the pages, and bug-reports 40: "open for too long", and then "An account with these details already exists".
    test.each(["registration", "login"])(
      "the same %s, sent again, is done once and goes on",
      async (kind) => {
        const address = kind === "login" ? (await verifiedAccount(app)).email : freshEmail();
        const page = await visitors.open(`/ui/${kind}`);
        await page.fill(kind === "login" ? identifier : email, address);
        await page.fill(password, goodPassword);
        await page.route(
          "**/SubmitForm",
          async (route) => {
            await route.fetch();
            await route.abort("internetdisconnected");
          },
          { times: 1 },
        );
        await page.click(signIn);
        await appears(page, "text=The server can't be reached.");
        expect(await page.inputValue(password)).toBe(goodPassword);
        await page.click(signIn);
        await page.waitForURL(kind === "login" ? "**/ui/sessions" : "**/ui/verification*");
      },
    );

    test("a registration that is done leads to the login, where nobody is signed in", async () => {
      const address = freshEmail();
      const page = await visitors.open("/ui/registration");
      await page.fill(email, address);
      await page.fill(password, goodPassword);
      await page.route(
        "**/SubmitForm",
        async (route) => {
          await route.fetch();
          await route.abort("internetdisconnected");
        },
        { times: 1 },
      );
      await page.click(signIn);
      await appears(page, "text=The server can't be reached.");
      await page.context().clearCookies({ name: /session/ });
      // Something else is sent, so it is not the same submit again.
      await page.fill("[name='traits.name']", "Ada");
      await page.click(signIn);
      await appears(page, "text=You've already created your account");
      expect(pathOf(page)).toBe("/ui/login");
      expect(await page.inputValue(identifier)).toBe(address);
      await page.fill(password, goodPassword);
      await page.click(signIn);
      await page.waitForURL("**/ui/sessions");
    });

    test("a server that is away, and one that is slow, are told from a refusal", async () => {
      const page = await visitors.open("/ui/login");
      await fillLogin(page, "ada@example.com");
      await page.route(
        "**/SubmitForm",
        (route) => route.fulfill({ status: 503, body: "<h1>Bad gateway</h1>" }),
        {
          times: 1,
        },
      );
      await page.click(signIn);
      await appears(page, "text=The server isn't responding in time.");
      expect(await page.inputValue(identifier)).toBe("ada@example.com");
      visitors.forgive(/status of 503/);

      let answer = (): void => {};
      const held = new Promise<void>((resolve) => {
        answer = resolve;
      });
      await page.route("**/SubmitForm", async (route) => {
        await held;
        await route.continue();
      });
      await page.click(signIn);
      await appears(page, "[role='status'] >> text=One moment…");
      answer();
      await appears(page, "[data-kind='error']");
    });

    test("a page that cannot be opened is tried again by a button", async () => {
      const page = await visitors.open("/ui/login");
      await appears(page, identifier);
      await page.context().setOffline(true);
      await page.click("text=Create one");
      await appears(page, "text=The server can't be reached.");
      await page.context().setOffline(false);
      await page.click("button:has-text('Try again')");
      await appears(page, email);
    });
  });

  describe("with a link", () => {
    // bug-reports 43a: nothing happened, and the token stayed in the address.
    test("that is pasted into the tab which waits for it, goes on there", async () => {
      const { email: address } = await verifiedAccount(app);
      const page = await asksForLink(address);
      const { hash } = new URL(await linkOf(address));
      await page.evaluate((pasted) => window.location.assign(`${window.location.pathname}${pasted}`), hash);
      await appears(page, "[data-step='confirmLink']");
      expect(page.url()).not.toContain("ost_lnk_");
      await page.click("[data-step='confirmLink']");
      await page.waitForURL("**/ui/sessions");
    });

    // Finding 32 of our review of the pages, and bug-reports B16: the tab that waited said so for ever.
    test("that is used in another tab, the tab which waits goes on by itself", async () => {
      const { email: address } = await verifiedAccount(app);
      const page = await asksForLink(address);
      const tab = await tabBeside(page, await linkOf(address));
      await tab.click("[data-step='confirmLink']");
      await tab.waitForURL("**/ui/sessions");
      await page.waitForURL("**/ui/sessions");
      await appears(page, "text=already done");
    });

    test("that is used on another device, the tab which waits says so and lets people sign in here", async () => {
      const { email: address } = await verifiedAccount(app);
      const page = await asksForLink(address);
      const phone = await visitors.open((await linkOf(address)).slice(app.publicUrl.length));
      await phone.click("[data-step='confirmLink']");
      await phone.waitForURL("**/ui/sessions");
      await appears(page, "text=You've already done this in another tab or on another device.");
      await appears(page, password);
      expect(await page.inputValue(identifier)).toBe(address);
    });

    test("that is worth nothing any more, people begin again or go on", async () => {
      const page = await visitors.open("/ui/verification#link=ost_lnk_default_nothing");
      await appears(page, "[role='alert']:has-text('This link has expired or was already used.')");
      expect(await violationsOf(page)).toEqual([]);
      await page.click("button:has-text('Start again')");
      await appears(page, "[name='address']");
      await page.goto(at("/ui/recovery#link=ost_lnk_default_nothing"));
      await page.click("button:has-text('Continue')");
      await appears(page, identifier);
    });
  });

  describe("with a pointer that clicks twice", () => {
    // Finding 26 of our review of the pages: the second click pressed "Resend code", which was under the pointer by then.
    test("150 ms apart, the second click does nothing, and what was said stays", async () => {
      const { email: address } = await verifiedAccount(app);
      const page = await visitors.open("/ui/login");
      await page.fill(identifier, address);
      const steps: string[] = [];
      page.on("request", (request) => {
        if (request.url().endsWith("/SubmitForm")) steps.push(String(request.postDataJSON().step));
      });
      const box = await page.locator(sendCode).boundingBox();
      if (box === null) throw new Error("the button is not there");
      /** Clicks at one place, on what is there then; `time` is the browser's, in milliseconds. */
      const click = (time: number) =>
        page.evaluate(
          ([x = 0, y = 0, timeStamp]) => {
            const button = document.elementFromPoint(x, y)?.closest("button");
            const event = new MouseEvent("click", {
              ...{ bubbles: true, cancelable: true, detail: 1, clientX: x, clientY: y },
            });
            Object.defineProperty(event, "timeStamp", { value: timeStamp });
            button?.dispatchEvent(event);
            return button?.dataset.step;
          },
          [box.x + 30, box.y + box.height / 2, time],
        );
      expect(await click(1000)).toBe("sendCode");
      await appears(page, code);
      expect(["code", "resend", "back"]).toContain(await click(1150));
      await settled(page);
      expect(steps).toEqual(["sendCode"]);
      await appears(page, "text=we've sent it a code");
      // A click that is meant is taken.
      await page.fill(code, "12");
      await page.click("[data-step='code']");
      await appears(page, "[aria-invalid='true'], [data-kind='error']");
      expect(steps).toEqual(["sendCode", "code"]);
    });
  });

  describe("where the browser withholds something", () => {
    // bug-reports B1: "This form was open for too long", for ever.
    test("cookies, the page says so", async () => {
      const page = await visitors.open("/ui/login");
      await appears(page, identifier);
      await page.route("**/ostiary.*/**", async (route) => {
        const headers = { ...route.request().headers(), cookie: "" };
        const response = await route.fetch({ headers });
        const { "set-cookie": _, ...kept } = response.headers();
        await route.fulfill({ response, headers: kept });
      });
      await page.context().clearCookies();
      await fillLogin(page, "ada@example.com");
      await page.click(signIn);
      await appears(page, "[role='alert'] >> text=Your browser blocks cookies for this page");
      expect(await page.inputValue(identifier)).toBe("ada@example.com");
    });

    // Finding 39 of our review of the pages: bare text in the corner.
    test("JavaScript, a page says what to do in both languages", async () => {
      const page = await visitors.open("/ui/login", {
        javaScriptEnabled: false,
        viewport: { width: 320, height: 640 },
      });
      await appears(page, "h1:text('JavaScript is switched off')");
      await appears(page, "[lang='de'] h2:text('JavaScript ist ausgeschaltet')");
      const link = page.getByRole("link", { name: "Reload the page" });
      expect((await link.boundingBox())?.height).toBeGreaterThanOrEqual(44);
      await link.click();
      await appears(page, "h1:text('JavaScript is switched off')");
    });

    test("storage, everything works for as long as the page is open", async () => {
      const { email: address } = await verifiedAccount(app);
      const page = await visitors.open("/health/live");
      await page.addInitScript(() => {
        for (const name of ["sessionStorage", "localStorage"]) {
          Object.defineProperty(window, name, {
            get: () => {
              throw new DOMException("denied", "SecurityError");
            },
          });
        }
      });
      await page.goto(at("/ui/settings"));
      await appears(page, identifier);
      await fillLogin(page, address);
      await page.click(signIn);
      await page.waitForURL("**/ui/sessions");
    });
  });

  describe("with a clock that is ten minutes wrong", () => {
    test.each([-10, 10])(
      "by %i minutes, people sign in, confirm and are told the right thing",
      async (minutes) => {
        const { email: address } = await verifiedAccount(app);
        const page = await visitors.open("/health/live");
        const now = app.clock.now().getTime();
        await page.clock.install({ time: now + minutes * 60_000 });
        await page.goto(at("/ui/settings"));
        await fillLogin(page, address);
        await page.click(signIn);
        await appears(page, `text=Account of ${address}`);
        await page.click("[data-step='deleteAccount']");
        await page.click("dialog >> text=Yes, continue");
        await appears(page, "text=/Your account will be deleted on .*2026/");
      },
    );
  });

  test("what a page cannot read any more leads to the server's own page, which helps", async () => {
    const page = await visitors.open("/ui/login");
    await appears(page, identifier);
    const { hostname } = new URL(app.publicUrl);
    await page.context().addCookies(
      Array.from({ length: 12 }, (_, n) => ({
        ...{ name: `big${n}`, value: "x".repeat(3800), domain: hostname, path: "/" },
      })),
    );
    await page.click("text=Create one");
    await appears(page, "[role='alert']:has-text('too many cookies')");
    await page.click("button:has-text('Reload the page')");
    await appears(page, "h1:text('Your browser is sending too many cookies')");
    await page.click("button:has-text('Delete the cookies')");
    await appears(page, email);
  });

  test("the focus goes to what has happened, and each way on is a button of its own", async () => {
    const page = await visitors.open("/ui/login");
    await appears(page, identifier);
    await page.context().setOffline(true);
    await fillLogin(page, "ada@example.com");
    await page.click(submit);
    await appears(page, "text=can't be reached");
    await expect.poll(() => focused(page)).toBe("ostiary-messages");
    expect(await page.locator(another).count()).toBe(0);
    await page.context().setOffline(false);
  });
});

describe.skipIf(!chromiumInstalled)("nobody gets stuck on the pages of a server that is busy", () => {
  let app: TestApp;
  let visitors: Visitors;
  const throttle = { flow_submit: { count: 2, period: "6s" } };
  servePages({ tenant_defaults: { throttle } }, (served) => {
    ({ app, visitors } = served);
  });

  // Finding 15 of our review of the pages: "Try again in 57 seconds" above the stale "The sign-in details aren't right", of a try that was never compared.
  test("the old mistake goes, the time runs, and the button comes back", async () => {
    const page = await visitors.open("/ui/login");
    await page.fill(identifier, "nobody@example.com");
    for (let count = 0; count < 2; count++) {
      await page.fill(password, "not the password");
      await page.click(signIn);
      // The sentence stays until the next answer, which empties the field.
      await expect.poll(() => page.inputValue(password)).toBe("");
      await appears(page, "text=sign-in details aren't right");
      await settled(page);
    }
    await page.fill(password, goodPassword);
    await page.click(signIn);
    await appears(page, "[role='alert'] >> text=/Too many|too many/");
    expect(await page.isVisible("text=sign-in details aren't right")).toBe(false);
    expect(await page.inputValue(password)).toBe(goodPassword);
    const waiting = page.locator(`${signIn}[aria-disabled='true']`);
    await waiting.waitFor();
    const first = await page.textContent("[role='alert']");
    await expect.poll(() => page.textContent("[role='alert']")).not.toBe(first);
    // Each second is shown, and not read out. Other ways are not closed.
    expect(await page.getAttribute("[role='alert']", "aria-live")).toBe("off");
    expect(await page.locator("[aria-disabled='true']").count()).toBe(1);
    expect(await violationsOf(page)).toEqual([]);
    app.clock.advance(60_000);
    await waiting.waitFor({ state: "detached" });
    await appears(page, "[role='status'] >> text=You can try again now.");
    await page.click(signIn);
    await appears(page, "text=sign-in details aren't right");
  });
});
