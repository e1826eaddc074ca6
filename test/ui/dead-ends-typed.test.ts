import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { code, email, identifier, name, password, servePages, type Visitors } from "./visitors.ts";

const address = "[name='address']";
const back = "[data-step='back']";
const welcome = "https://app.example.com/welcome";

describe.skipIf(!chromiumInstalled)(
  "what people have typed, and where they want to go, on the self-service pages",
  () => {
    let app: TestApp;
    let visitors: Visitors;

    servePages(
      { tenant_defaults: { link: { enabled: true }, allowed_return_urls: [welcome] } },
      (served) => {
        ({ app, visitors } = served);
      },
      "app.example.com",
    );

    const codeOf = async (recipient: string) => (await app.messages(recipient)).at(-1)?.code ?? "";

    /** A page that is sent here by an app, which is there as well. */
    async function sentBy(page: Page): Promise<void> {
      await page.route("https://app.example.com/**", (route) =>
        route.fulfill({ contentType: "text/html", body: "<title>The app</title><main>The app</main>" }),
      );
    }

    /** Presses a step whose message is told apart from the one before by its time, which stands still otherwise. */
    async function press(page: Page, step: string): Promise<void> {
      app.clock.advance(60_000);
      await page.click(`[data-step='${step}']`);
    }

    // Finding 28 of our review of the pages: the identifier was empty after Back, and was not carried to the recovery.
    test("the name goes along from the login to the registration and the recovery, and back", async () => {
      const typed = freshEmail();
      const page = await visitors.open("/ui/login");
      await page.fill(identifier, typed);
      await page.fill(password, "typed and taken nowhere");
      await page.click("text=Forgot your password?");
      await appears(page, address);
      expect(await page.inputValue(address)).toBe(typed);
      await page.click(".aside a");
      await appears(page, identifier);
      expect([await page.inputValue(identifier), await page.inputValue(password)]).toEqual([typed, ""]);
      await page.click("text=Create one");
      await appears(page, email);
      expect([await page.inputValue(email), await page.inputValue(password)]).toEqual([typed, ""]);
      const other = freshEmail();
      await page.fill(email, other);
      await page.click(".aside a");
      await appears(page, identifier);
      expect(await page.inputValue(identifier)).toBe(other);
      // Nowhere but in memory.
      expect(page.url()).not.toContain("example.com");
      expect(await page.evaluate(() => JSON.stringify({ ...sessionStorage, ...localStorage }))).not.toContain(
        other,
      );
    });

    // Security rule (SR-FLOW-3): what one person has typed is not shown to the next one.
    test("the name is not shown to the person who comes next", async () => {
      const { email: own } = await verifiedAccount(app);
      const page = await visitors.open("/ui/login");
      await page.fill(identifier, own);
      await page.fill(password, goodPassword);
      await page.click("[data-step='password']");
      await page.waitForURL("**/ui/sessions");
      await page.getByRole("button", { name: "Sign out", exact: true }).click();
      await appears(page, identifier);
      expect(await page.inputValue(identifier)).toBe("");
      await page.click("text=Forgot your password?");
      await appears(page, address);
      expect(await page.inputValue(address)).toBe("");
    });

    test("everything stays on the way back from a code, in each kind of flow", async () => {
      const { email: own } = await verifiedAccount(app);
      const page = await visitors.open("/ui/login");
      await page.fill(identifier, own);
      await press(page, "sendCode");
      await appears(page, code);
      await page.click(back);
      await appears(page, password);
      expect(await page.inputValue(identifier)).toBe(own);

      await page.goto(`${app.publicUrl}/ui/recovery`);
      await page.fill(address, own);
      await press(page, "sendCode");
      await appears(page, code);
      await page.click(back);
      await appears(page, "[data-step='sendCode']");
      expect(await page.inputValue(address)).toBe(own);

      await page.goto(`${app.publicUrl}/ui/registration`);
      const fresh = freshEmail();
      await page.fill(email, fresh);
      await page.fill(name, "Ada");
      await press(page, "sendCode");
      await appears(page, code);
      await page.click(back);
      await appears(page, password);
      expect([await page.inputValue(email), await page.inputValue(name)]).toEqual([fresh, "Ada"]);
    });

    // Finding 28 of our review of the pages: the new email was gone after Back in the settings.
    test("a new address and what was changed beside it stay on the way back from its code, also when loaded anew", async () => {
      const { page } = await visitors.register();
      await page.goto(`${app.publicUrl}/ui/settings`);
      const fresh = freshEmail();
      await page.fill(email, fresh);
      await page.fill(name, "Ada Lovelace");
      await press(page, "profile");
      await appears(page, code);
      await page.click(back);
      await appears(page, "[data-step='profile']");
      expect([await page.inputValue(email), await page.inputValue(name)]).toEqual([fresh, "Ada Lovelace"]);
      await page.reload();
      await appears(page, "[data-step='profile']");
      expect([await page.inputValue(email), await page.inputValue(name)]).toEqual([fresh, "Ada Lovelace"]);
      // It is sent again without being touched.
      app.clock.advance(30_000);
      await press(page, "profile");
      await appears(page, code);
      await page.fill(code, await codeOf(fresh));
      await page.click("[data-step='code']");
      await appears(page, `text=${fresh} is verified and saved.`);
      expect(await page.inputValue(email)).toBe(fresh);
    });

    // Finding 12 of our review of the pages: "Create one" and "Recover your account" dropped it, and "Not now" led to the sessions.
    test("the way to the app survives the login, the registration and the verification", async () => {
      const page = await visitors.open("/health/live");
      await sentBy(page);
      await page.goto(`${app.publicUrl}/ui/login?return_to=${encodeURIComponent(welcome)}`);
      await page.click("text=Create one");
      await page.fill(email, freshEmail());
      await page.fill(password, goodPassword);
      await page.click("[data-step='password']");
      await page.waitForURL("**/ui/verification*");
      await page.reload();
      await appears(page, code);
      await page.click("text=Continue to the app");
      await page.waitForURL(welcome);
    });

    test("it survives the recovery and the new password, and a visitor who is signed in goes there at once", async () => {
      const { email: own } = await verifiedAccount(app);
      const page = await visitors.open("/health/live");
      await sentBy(page);
      await page.goto(`${app.publicUrl}/ui/login?return_to=${encodeURIComponent(welcome)}`);
      await page.fill(identifier, own);
      await page.click("text=Forgot your password?");
      await appears(page, address);
      expect(await page.inputValue(address)).toBe(own);
      await press(page, "sendCode");
      await appears(page, code);
      await page.fill(code, await codeOf(own));
      await page.click("[data-step='code']");
      await page.waitForURL("**/ui/settings*");
      await page.fill(password, `${goodPassword}, but another`);
      await page.click("[data-step='password']");
      await page.waitForURL(welcome);

      await page.goto(`${app.publicUrl}/ui/login?return_to=${encodeURIComponent(welcome)}`);
      await page.click(`text=Continue as ${own}`);
      await page.waitForURL(welcome);
      await page.goto(`${app.publicUrl}/ui/settings?return_to=${encodeURIComponent(welcome)}`);
      await page.click("text=Continue to the app");
      await page.waitForURL(welcome);
    });

    // Security rule (SR-FLOW-9): the server's list decides where anybody is sent, whichever page carries it along.
    test("an address that is not allowed is dropped, and people begin without it", async () => {
      const page = await visitors.open("/ui/login?return_to=https://evil.example/");
      await appears(page, "[role='alert'] >> text=set up to return to that address");
      await page.click("button:has-text('Start again')");
      await appears(page, identifier);
      expect(page.url()).not.toContain("return_to");
      await page.click("text=Create one");
      await appears(page, email);
      expect(page.url()).not.toContain("evil");
    });
  },
);
