import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { formProblemsOf } from "./scan.ts";
import { email, identifier, password, Visitors } from "./visitors.ts";

const code = "[name='code.code']";
const halfAnHourMs = 30 * 60 * 1000;

describe.skipIf(!chromiumInstalled)("signing in, in Chromium,", () => {
  let app: TestApp;
  let visitors: Visitors;
  beforeAll(async () => {
    const tenant = { link: { enabled: true }, session: { lifetime: "720h" } };
    app = await startTestApp({ config: { tenant_defaults: tenant } });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(() => app.stop());

  async function createAda(): Promise<string> {
    const address = freshEmail();
    await app.client(IdentityService).createIdentity({
      traits: { email: address },
      verifiedAddresses: [{ value: address }],
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    return address;
  }
  const codeFor = async (address: string) =>
    (await app.messages(address)).findLast((message) => message.code !== "")?.code ?? "";
  const signIn = async (page: Page, address: string, secret = goodPassword) => {
    await page.fill(identifier, address);
    await page.fill(password, secret);
    await page.click("[data-step='password']");
  };
  /** The steps of the buttons that are marked. */
  const marked = (page: Page) =>
    page
      .locator("[data-last-used]")
      .evaluateAll((all) => all.map((each) => (each as HTMLElement).dataset.step));

  // Security rule (SR-PAGES-9): the mark is the browser's, and says nothing of the person who is named.
  test("marks what this browser signed in with last, whatever is typed (SR-PAGES-9)", async () => {
    const address = await createAda();
    const page = await visitors.open("/ui/login");
    await appears(page, identifier);
    expect(await marked(page)).toEqual([]);
    await page.fill(identifier, address);
    await page.click("[data-step='sendCode']");
    await appears(page, code);
    await page.fill(code, await codeFor(address));
    await page.click("[data-step='code']");
    await page.waitForURL("**/ui/sessions");
    // The number of the method, and nothing of the account.
    expect(await page.evaluate(() => window.localStorage.getItem("ostiary.last-method"))).toBe("2");
    await page.click("header button");
    await appears(page, identifier);
    expect(await marked(page)).toEqual(["sendCode"]);
    const described = await page.getAttribute("[data-step='sendCode']", "aria-describedby");
    expect(await page.textContent(`#${described}`)).toBe("Last used");

    // Another name changes nothing, nor does a login that fails.
    const other = await createAda();
    await signIn(page, other, "not the password");
    await appears(page, "[data-kind='error']");
    expect(await marked(page)).toEqual(["sendCode"]);
    await page.reload();
    await appears(page, identifier);
    expect(await marked(page)).toEqual(["sendCode"]);
    await signIn(page, other);
    await page.waitForURL("**/ui/sessions");
    await page.click("header button");
    await appears(page, identifier);
    expect(await marked(page)).toEqual(["password"]);

    const elsewhere = await visitors.open("/ui/login");
    await elsewhere.fill(identifier, address);
    expect(await marked(elsewhere)).toEqual([]);
  });

  test("says that the page is on its way, once that takes longer than an instant", async () => {
    const page = await visitors.open("/ui/example-login");
    const held: (() => void)[] = [];
    await page.route("**/CreateLoginFlow", async (route) => {
      await new Promise<void>((resolve) => held.push(resolve));
      await route.continue();
    });
    await page.goto(`${app.publicUrl}/ui/login`);
    await appears(page, "text=One moment…");
    expect(await page.getAttribute(".loading", "role")).toBe("status");
    for (const release of held) release();
    await appears(page, identifier);
    expect(await page.locator(".loading").count()).toBe(0);
  });

  test("says where a code went, counts down, and sends a link again as a link", async () => {
    const address = await createAda();
    const page = await visitors.open("/ui/login");
    await page.fill(identifier, address);
    await page.click("[data-step='sendCode']");
    await appears(page, code);
    expect(await page.textContent(".page")).toContain(address);
    // Finding 17 of our review of the pages: who had no verified address waited in vain, without a hint.
    expect(await page.textContent(".aside")).toContain("only to addresses that have been verified");
    expect(await page.getAttribute(".aside a", "href")).toBe("/ui/verification");
    const resend = page.locator("[data-step='resend']");
    expect(await resend.isDisabled()).toBe(true);
    expect(await resend.textContent()).toMatch(/^Resend code in (30|29|28) seconds$/);
    await page.fill(code, "000000");
    await page.click("[data-step='code']");
    await appears(page, ".ostiary-error");
    // Still, after one was wrong.
    expect(await page.textContent(".page")).toContain(address);
    await page.click("text=Use another address");
    await appears(page, identifier);
    expect(await page.inputValue(identifier)).toBe(address);
    await page.click("[data-step='sendLink']");
    await appears(page, "text=/^Resend link/");
    expect(await page.locator("[data-importance='primary']").count()).toBe(0);
    app.clock.advance(31_000);
    await page.reload();
    await appears(page, "[data-step='resend']:enabled");
    expect(await resend.textContent()).toBe("Resend link");
  });

  test("begins the title of the page with the error, and takes that away again", async () => {
    const page = await visitors.open("/ui/login");
    await signIn(page, await createAda(), "not the password");
    await expect.poll(() => page.title()).toBe("Error: Sign in · Ostiary");
  });

  test("has a name beside each password that is asked for alone, for programs that keep passwords", async () => {
    const address = await createAda();
    const page = await visitors.open("/ui/login");
    await signIn(page, address);
    await page.waitForURL("**/ui/sessions");
    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, "[data-step='password']");
    expect(await formProblemsOf(page), "the settings").toEqual([]);
    const names = () =>
      page
        .locator("input[autocomplete='username']")
        .evaluateAll((all) => all.map((each) => (each as HTMLInputElement).value));
    expect(await names()).toEqual([address]);
    app.clock.advance(halfAnHourMs);
    await page.fill(password, `${goodPassword}, but another`);
    await page.click("[data-step='password']");
    await appears(page, "text=Confirm it's you");
    expect(await formProblemsOf(page), "a fresh login").toEqual([]);
    expect(await names()).toEqual([address]);
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await appears(page, "text=Your new password is set.");

    await page.context().clearCookies();
    await page.goto(`${app.publicUrl}/ui/recovery`);
    await page.fill("[name='address']", address);
    await page.click("[data-step='sendCode']");
    await appears(page, code);
    await page.fill(code, await codeFor(address));
    await page.click("[data-step='code']");
    await page.waitForURL("**/ui/settings*");
    await appears(page, password);
    expect(await formProblemsOf(page), "after a recovery").toEqual([]);
    expect(await names()).toEqual([address]);
    expect(await page.textContent("label[for$='password']")).toContain("New password");
    // Out of sight, and never sent: the server would refuse it.
    await page.fill(password, `${goodPassword}, the third`);
    await page.click("[data-step='password']");
    await page.waitForURL("**/ui/sessions");
  });
});

describe.skipIf(!chromiumInstalled)("signing up in steps, in Chromium,", () => {
  test("has the name of the first step beside the password of the second", async () => {
    const flows = { registration: { style: "profile_first" }, login: { style: "identifier_first" } };
    const app = await startTestApp({ config: { tenant_defaults: { flows } } });
    const visitors = await Visitors.of(app.publicUrl);
    try {
      const page = await visitors.open("/ui/registration");
      const address = freshEmail();
      await page.fill(email, address);
      await page.click("[data-step='profile']");
      await appears(page, password);
      expect(await formProblemsOf(page)).toEqual([]);
      expect(await page.inputValue("input[autocomplete='username']")).toBe(address);
      expect(await page.getAttribute(password, "enterkeyhint")).toBe("go");
      await page.fill(password, goodPassword);
      await page.click("[data-step='password']");
      await page.waitForURL("**/ui/verification*");
      // Who has just registered is signed in, so the header says so and leads to the account.
      await expect.poll(() => page.textContent("header .who")).toBe(`Signed in as ${address}.`);
      await page.context().clearCookies();
      await page.goto(`${app.publicUrl}/ui/login`);
      await page.fill(identifier, address);
      await page.click("[data-step='identify']");
      await appears(page, password);
      expect(await formProblemsOf(page)).toEqual([]);
      await visitors.leave();
    } finally {
      await app.stop();
    }
  });
});
