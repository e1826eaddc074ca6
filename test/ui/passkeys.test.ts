import { createServer } from "node:net";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freshEmail } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { VirtualAuthenticator } from "../support/virtual-authenticator.ts";
import { email, Visitors } from "./visitors.ts";

const passkey = "[data-step='passkey']";
const saved = "[data-kind='success']";
const failed = "[role='alert'] [data-kind='error']";

/** A port that is free now: browsers make no passkeys for an IP address, so the public URL is told in advance. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" && address !== null ? address.port : 0;
}

describe.skipIf(!chromiumInstalled)("passkeys on the self-service pages, in Chromium", () => {
  let app: TestApp;
  let visitors: Visitors;
  beforeAll(async () => {
    const port = await freePort();
    app = await startTestApp({
      config: {
        server: { public: { port } },
        tenant_defaults: { public_url: `http://localhost:${port}` },
      },
    });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(() => app.stop());

  /** Makes an account with a passkey and nothing else. */
  async function signUp(page: Page): Promise<string> {
    const address = freshEmail();
    await page.goto(`${app.publicUrl}/ui/registration`);
    await page.fill(email, address);
    await page.click(passkey);
    await appears(page, "[data-step='back']");
    await page.click(passkey);
    await page.waitForURL("**/ui/verification*");
    return address;
  }

  async function signOut(page: Page): Promise<void> {
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.click("text=Sign out");
    await page.waitForURL("**/ui/login*");
  }

  test("make an account, and sign in to it from the field of the name, without typing", async () => {
    const page = await visitors.open("/ui/login");
    const device = await VirtualAuthenticator.for(page);
    const address = await signUp(page);
    expect(await device.names()).toEqual([address]);
    // The authenticator answers what the browser offers in the field.
    await signOut(page);
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=Signed in as ${address}.`);
  });

  test("sign in by the button, and say so where there is none, in the language of the page", async () => {
    const page = await visitors.open("/ui/login", { locale: "de-CH" });
    const device = await VirtualAuthenticator.for(page);
    const address = await signUp(page);
    await device.setPresence(false);
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.click("text=Abmelden");
    await page.waitForURL("**/ui/login*");
    await device.setUserVerified(false);
    await device.setPresence(true);
    await page.click(passkey);
    await appears(page, failed);
    expect(await page.textContent(failed)).toContain("Es wurde kein Passkey verwendet");
    await device.setUserVerified(true);
    await page.click(passkey);
    await page.waitForURL("**/ui/sessions");
    await appears(page, `text=${address}`);
  });

  test("are added in the settings, named, refused twice on one device, and removed", async () => {
    const { page } = await visitors.register();
    await VirtualAuthenticator.for(page);
    const add = async (label: string) => {
      await page.goto(`${app.publicUrl}/ui/settings`);
      await page.click(passkey);
      await appears(page, "[data-step='back']");
      await page.fill("[name='passkey.label']", label);
      await page.click(passkey);
    };
    await add("Laptop");
    await appears(page, saved);
    await appears(page, "text=Change or remove: Laptop");
    await add("Again");
    await appears(page, failed);
    expect(await page.textContent(failed)).toContain("has a passkey for your account already");
    await page.goto(`${app.publicUrl}/ui/settings`);
    await page.click("[data-step='manageCredential']");
    await page.click("[data-step='removeCredential']");
    await page.click("dialog >> text=Yes, go on");
    await appears(page, saved);
    expect(await page.locator("[data-step='manageCredential']").count()).toBe(0);
  });
});
