import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { SessionAdminService } from "../../gen/ostiary/session/v1/session_admin_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { deletionConfig, verifiedAccount } from "../support/deletion.ts";
import { formProblemsOf, overflowOf, violationsOf } from "./scan.ts";
import { another, code, email, identifier, name, password, servePages, type Visitors } from "./visitors.ts";

const resume = "[data-step='resume']";
const confirmTitle = 'h1:text("Confirm it\'s you")';

describe.skipIf(!chromiumInstalled)("whose account it is, on the self-service pages", () => {
  let app: TestApp;
  let visitors: Visitors;

  const { tenant_defaults } = deletionConfig();
  servePages({ tenant_defaults: { ...tenant_defaults, link: { enabled: true } } }, (served) => {
    ({ app, visitors } = served);
  });

  const at = (path: string) => app.publicUrl + path;

  /** What a browser says when a person comes back to a tab. */
  const comeBack = (page: Page) => page.evaluate(() => window.dispatchEvent(new Event("focus")));

  async function signIn(page: Page, address: string): Promise<void> {
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
  }

  /** Somebody whose login is long ago, at their settings. */
  async function atSettings(): Promise<{ page: Page; address: string }> {
    const { email: address } = await verifiedAccount(app);
    const page = await visitors.open("/ui/login");
    await signIn(page, address);
    await page.waitForURL("**/ui/sessions");
    app.clock.advance(30 * 60 * 1000);
    await page.goto(at("/ui/settings"));
    await appears(page, `text=Account of ${address}`);
    return { page, address };
  }

  test("is said by a login to confirm who one is for which no change waits", async () => {
    const { page, address } = await atSettings();
    const flowId = await page.evaluate(async () => {
      const answer = await fetch("/ostiary.flow.v1.LoginService/CreateLoginFlow", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ client: "CLIENT_KIND_BROWSER", purpose: "LOGIN_PURPOSE_REFRESH" }),
      });
      return (await answer.json()).flow.id as string;
    });
    await page.goto(at(`/ui/login#flow=${flowId}`));
    await appears(page, confirmTitle);
    await appears(page, `.whose:text-is("You're signed in as ${address}.")`);
    // For programs that keep passwords.
    expect(await page.inputValue("input[autocomplete='username']")).toBe(address);
    expect(await formProblemsOf(page)).toEqual([]);
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await page.waitForURL("**/ui/sessions");
  });

  // Finding 34 of our review of the pages: bare forms.
  test.each(["login", "registration"])(
    "is said to somebody who is signed in and opens the %s",
    async (kind) => {
      const { page, address } = await visitors.register({ viewport: { width: 320, height: 640 } });
      await page.goto(at(`/ui/${kind}`));
      await appears(page, `text=You're signed in as ${address}.`);
      await appears(page, "text=it replaces this one in this browser");
      expect(await violationsOf(page)).toEqual([]);
      expect(await overflowOf(page)).toBe(0);
      await page.click(another);
      await appears(page, kind === "login" ? identifier : email);
      // The answer holds when the page is loaded anew, and nobody was signed out by it.
      await page.reload();
      await appears(page, kind === "login" ? identifier : email);
      await page.goto(at("/ui/sessions"));
      await appears(page, `text=Signed in as ${address}.`);
    },
  );

  test("another account takes the place of the one before", async () => {
    const { page, address } = await visitors.register();
    const { email: second } = await verifiedAccount(app);
    await page.goto(at("/ui/login"));
    await page.click(another);
    await appears(page, `text=Continue as ${address}`);
    await signIn(page, second);
    await appears(page, `text=Signed in as ${second}.`);
  });

  describe("when it will be deleted,", () => {
    async function deleted(): Promise<{ page: Page; address: string }> {
      const { page, address } = await (async () => {
        const { email: own } = await verifiedAccount(app);
        const opened = await visitors.open("/ui/settings");
        await signIn(opened, own);
        await appears(opened, `text=Account of ${own}`);
        return { page: opened, address: own };
      })();
      app.clock.advance(1);
      await page.click("[data-step='deleteAccount']");
      await page.click("dialog >> text=Yes, continue");
      await appears(page, "text=Your account will be deleted on");
      return { page, address };
    }

    // Finding 2 of our review of the pages: nobody was told after the login, and people believed that they had kept it.
    test("its owner is asked after the login, and keeps it", async () => {
      const { page, address } = await deleted();
      // The message leads to the page where that is done.
      const message = (await app.messages(address)).at(-1);
      expect(message).toMatchObject({ template: "account_deletion_scheduled", url: at("/ui/settings") });
      await page.goto(message?.url ?? "");
      await signIn(page, address);
      await appears(page, "[role='status'] >> text=Your account will be deleted on");
      expect(await violationsOf(page)).toEqual([]);
      await page.click("text=Keep the account");
      await appears(page, "text=Your account is kept.");
      await page.goto(at("/ui/sessions"));
      await appears(page, `text=Signed in as ${address}.`);
      expect(await page.isVisible("text=will be deleted")).toBe(false);
    });

    test("every page says so until its owner decides", async () => {
      const { page, address } = await deleted();
      await page.goto(at("/ui/login"));
      await signIn(page, address);
      await appears(page, "text=Delete it as planned");
      // A person who goes elsewhere has not decided.
      for (const path of ["/ui/sessions", "/ui/verification", "/ui/recovery"]) {
        await page.goto(at(path));
        await appears(page, "aside >> text=Your account will be deleted on");
      }
      await page.setViewportSize({ width: 320, height: 640 });
      expect(await overflowOf(page)).toBe(0);
      expect(await violationsOf(page)).toEqual([]);
      await page.click("aside >> text=Delete it as planned");
      await page.goto(at("/ui/sessions"));
      await appears(page, ".facts");
      expect(await page.isVisible("text=will be deleted")).toBe(false);
      // In its settings it can be kept at any time.
      await page.goto(at("/ui/settings"));
      await page.click("[data-step='keepAccount']");
      await appears(page, "[data-step='deleteAccount']");
    });
  });

  describe("when a change needs a login,", () => {
    // Finding 8 of our review of the pages: neither who, nor what for.
    test.each([
      ["the password", "password", "To set the new password"],
      ["the address", "profile", "To change your address"],
      ["the deletion", "deleteAccount", "To delete your account"],
    ])("the page says whose and what for: %s", async (_, step, said) => {
      const { page, address } = await atSettings();
      if (step === "password") await page.fill(password, `${goodPassword}, but another`);
      if (step === "profile") await page.fill(email, freshEmail());
      await page.click(`[data-step='${step}']`);
      if (step === "deleteAccount") await page.click("dialog >> text=Yes, continue");
      await appears(page, confirmTitle);
      await appears(page, `text=${said}`);
      await appears(page, `text=Account of ${address}`);
    });

    // Finding 7 of our review of the pages: there was no way back, and a reload dropped the change.
    test("it can be left, and the settings are as they were typed", async () => {
      const { page } = await atSettings();
      const wanted = freshEmail();
      await page.fill(email, wanted);
      await page.fill(name, "Ada Lovelace");
      for (const leave of ["the button", "the browser"]) {
        await page.click("[data-step='profile']");
        await appears(page, confirmTitle);
        if (leave === "the button") await page.click("text=Cancel");
        else await page.goBack();
        await appears(page, "[data-step='profile']");
        expect([await page.inputValue(email), await page.inputValue(name)], leave).toEqual([
          wanted,
          "Ada Lovelace",
        ]);
      }
    });

    test("it waits also when the page is loaded anew, and in another tab", async () => {
      const { page } = await atSettings();
      await page.fill(password, `${goodPassword}, but another`);
      await page.click("[data-step='password']");
      await appears(page, confirmTitle);
      await page.reload();
      await appears(page, resume);
      const tab = await page.context().newPage();
      tab.setDefaultTimeout(10_000);
      await tab.goto(page.url());
      await tab.click(resume);
      // The settings ask for a password as well.
      await appears(tab, confirmTitle);
      await tab.fill(password, goodPassword);
      await tab.click("[data-step='password']");
      await appears(tab, "text=Your new password is set.");
      // The first tab finds it done.
      await comeBack(page);
      await expect.poll(() => page.locator(resume).count()).toBe(0);
      await appears(page, "text=continued this elsewhere");
    });

    test("what was done elsewhere is seen by who comes back twice within a second", async () => {
      const { page, address } = await atSettings();
      await page.fill(password, `${goodPassword}, but another`);
      await page.click("[data-step='password']");
      await appears(page, confirmTitle);
      await page.clock.install();
      await page.reload();
      await appears(page, resume);
      await page.clock.pauseAt(Date.now() + 60_000);
      const looked = page.waitForResponse("**/GetFlow");
      await comeBack(page);
      // Part of the second: React draws nothing while the clock stands still.
      await page.clock.runFor(100);
      await looked;
      const { identity } = await app.client(IdentityService).lookUpIdentity({
        by: { case: "identifier", value: address },
      });
      await app.client(SessionAdminService).revokeIdentitySessions({ identityId: identity?.id ?? "" });
      await comeBack(page);
      await page.clock.runFor(1000);
      await page.waitForURL("**/ui/login*");
    });

    // Finding 7 of our review of the pages: the change was lost in silence.
    test("a link carries it out where it is opened, and the tab that waited says so", async () => {
      const { page, address } = await atSettings();
      await page.fill(password, `${goodPassword}, but another`);
      await page.click("[data-step='password']");
      await page.click("[data-step='sendLink']");
      await appears(page, "h1:text('Open the link')");
      app.clock.advance(1);
      const tab = await page.context().newPage();
      tab.setDefaultTimeout(10_000);
      await tab.goto((await app.messages(address)).at(-1)?.url ?? "");
      await tab.click("[data-step='confirmLink']");
      await appears(tab, "text=Your new password is set.");
      await appears(page, "[data-step='profile']");
      // The first tab finds nothing that waits.
      await comeBack(page);
      await expect.poll(() => page.locator(resume).count()).toBe(0);
      const told = (await app.messages(address)).map(({ template }) => template);
      expect(told).toContain("password_changed");
    });

    test("a link that is opened on another device takes this session over there, and a login here carries the change out", async () => {
      const { page, address } = await atSettings();
      await page.fill(password, `${goodPassword}, but another`);
      await page.click("[data-step='password']");
      await page.click("[data-step='sendLink']");
      await appears(page, "h1:text('Open the link')");
      app.clock.advance(1);
      const url = (await app.messages(address)).at(-1)?.url ?? "";
      const phone = await visitors.open(url.slice(app.publicUrl.length));
      await phone.click("[data-step='confirmLink']");
      await phone.waitForURL("**/ui/sessions");
      await appears(page, "text=You're no longer signed in.");
      await signIn(page, address);
      await appears(page, "text=Your new password is set.");
    });
  });

  // Finding 35 of our review of the pages: "Your devices", without a word.
  test("something is said once it is created, verified, and has a new password", async () => {
    const page = await visitors.open("/ui/registration");
    const address = freshEmail();
    await page.fill(email, address);
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await appears(page, "[role='status'] >> text=Your account was created.");
    await page.fill(code, (await app.messages(address)).at(-1)?.code ?? "");
    await page.click("[data-step='code']");
    await appears(page, "[role='status'] >> text=Your address is verified.");
    await appears(page, `text=Signed in as ${address}.`);
    expect(await violationsOf(page)).toEqual([]);
    // Once: the next page says nothing of it.
    await page.getByRole("button", { name: "Sign out", exact: true }).click();
    await appears(page, identifier);
    expect(await page.isVisible("text=Your address is verified.")).toBe(false);

    await page.click("text=Forgot your password?");
    app.clock.advance(60_000);
    await page.fill("[name='address']", address);
    await page.click("[data-step='sendCode']");
    await appears(page, code);
    await page.fill(code, (await app.messages(address)).at(-1)?.code ?? "");
    await page.click("[data-step='code']");
    await appears(page, "text=You're back in.");
    await page.fill(password, `${goodPassword}, but another`);
    await page.click("[data-step='password']");
    await appears(page, "[role='status'] >> text=Your new password is set, and you're signed in.");
  });
});
