import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { codeSentTo, freshPhone } from "../support/factors.ts";
import { TotpDevice } from "../support/totp-device.ts";
import { identifier, password, submit, Visitors } from "./visitors.ts";

const saved = "[data-kind='success']";
const textsIn = (page: Page) => page.locator(".ostiary-text").allTextContents();

describe.skipIf(!chromiumInstalled)("second factors on the self-service pages, in Chromium", () => {
  let app: TestApp;
  let visitors: Visitors;
  beforeAll(async () => {
    app = await startTestApp();
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(() => app.stop());

  /** Sets up an authenticator app on the page of the settings. */
  async function setUp(page: Page): Promise<TotpDevice> {
    await page.goto(`${app.publicUrl}/ui/settings`);
    await page.click("[data-step='totp']");
    await appears(page, "img.ostiary-image");
    // The image was loaded, in spite of the policy of the page.
    const width = () =>
      page.locator("img.ostiary-image").evaluate((image) => (image as HTMLImageElement).naturalWidth);
    await expect.poll(width).toBeGreaterThan(0);
    const key = (await textsIn(page)).find((text) => /^[A-Z2-7]{32}$/.test(text)) ?? "";
    const device = TotpDevice.from(key, () => app.clock.now());
    await page.fill("[name='totp.code']", device.code());
    await page.click("[data-step='totp']");
    await appears(page, saved);
    return device;
  }

  async function signIn(page: Page, address: string): Promise<void> {
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.click("text=Sign out");
    await page.waitForURL("**/ui/login*");
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    await page.click(submit);
  }

  test("are set up, asked for, renamed and removed", async () => {
    const { page, address } = await visitors.register();
    const device = await setUp(page);
    app.clock.advance(30_000);
    await signIn(page, address);
    await appears(page, "[name='totp.code']");
    await page.fill("[name='totp.code']", "000000");
    await page.click("[data-step='totp']");
    await appears(page, "text=isn't the code your app is showing now");
    await page.fill("[name='totp.code']", device.code());
    await page.click("[data-step='totp']");
    await page.waitForURL("**/ui/sessions");

    await page.goto(`${app.publicUrl}/ui/settings`);
    await page.click("[data-step='manageCredential']");
    await page.fill("[name='renameCredential.label']", "My phone");
    await page.click("[data-step='renameCredential']");
    await appears(page, "text=Change or remove: My phone");
    await page.click("[data-step='manageCredential']");
    await page.click("[data-step='removeCredential']");
    await page.click("dialog >> text=Yes, continue");
    await appears(page, "text=Set up an authenticator app");
  });

  test("can be replaced by a backup code, which is shown in lines of its own", async () => {
    const { page, address } = await visitors.register();
    await setUp(page);
    await page.click("[data-step='backupCodes']");
    await appears(page, "text=won't be shown again");
    const shown = page.locator(".ostiary-text", { hasText: /^[0-9A-Z]{4}-/ });
    const [code = "", ...others] = (await shown.innerText()).split("\n");
    expect(others).toHaveLength(11);
    await page.click("[data-step='backupCodes']");
    await appears(page, "text=12 of 12 backup codes left");
    await signIn(page, address);
    await page.fill("[name='backupCode.code']", code);
    await page.click("[data-step='backupCode']");
    await page.waitForURL("**/ui/sessions");
    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, "text=11 of 12 backup codes left");
  });

  test("speak German", async () => {
    const { page } = await visitors.register({ locale: "de-CH" });
    await setUp(page);
    await appears(page, "text=Erstellen Sie Ersatzcodes");
    await appears(page, "text=Ändern oder entfernen: Authenticator-App");
    await page.click("[data-step='backupCodes']");
    await appears(page, "text=Ich habe sie gespeichert");
  });
});

describe.skipIf(!chromiumInstalled)("codes by text message on the self-service pages, in Chromium", () => {
  let app: TestApp;
  let visitors: Visitors;
  beforeAll(async () => {
    app = await startTestApp({ config: { tenant_defaults: { sms_factor: { enabled: true } } } });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(() => app.stop());

  const next = "[data-step='sms']:not([name='sms.resend'])";
  const code = "[name='sms.code']";

  async function setUp(page: Page): Promise<string> {
    const number = freshPhone();
    await page.goto(`${app.publicUrl}/ui/settings`);
    await page.fill("[name='sms.phoneNumber']", number);
    await page.click(next);
    await appears(page, code);
    expect(await page.getAttribute(code, "autocomplete")).toBe("one-time-code");
    await page.fill(code, await codeSentTo(app, number));
    await page.click(next);
    await appears(page, saved);
    return number;
  }

  test("are set up, asked for, sent again and shown", async () => {
    const { page, address } = await visitors.register();
    const number = await setUp(page);
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.click("text=Sign out");
    await page.waitForURL("**/ui/login*");
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await appears(page, `text=We can text a code to +49****${number.slice(-2)}`);
    await page.click(next);
    await appears(page, code);
    const first = await codeSentTo(app, number);
    expect(await page.isDisabled("[name='sms.resend']")).toBe(true);
    // The browser counts its own seconds; what the server says is what holds now.
    app.clock.advance(60_000);
    await page.reload();
    await page.click("[name='sms.resend']");
    await expect.poll(() => codeSentTo(app, number)).not.toBe(first);
    await page.fill(code, first);
    await page.click(next);
    await appears(page, "text=isn't the latest code");
    await page.fill(code, await codeSentTo(app, number));
    await page.click(next);
    await page.waitForURL("**/ui/sessions");
  });

  test("speak German", async () => {
    const { page } = await visitors.register({ locale: "de-CH" });
    await setUp(page);
    await appears(page, "text=Ändern oder entfernen: Codes per SMS");
    await appears(page, "text=Andere Nummer verwenden");
  });
});
