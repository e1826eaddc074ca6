import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, logIn } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { startLocalhostApp } from "../support/passkeys.ts";
import { formProblemsOf, overflowOf, violationsOf } from "./scan.ts";
import { email, focused, identifier, password, settled, Visitors } from "./visitors.ts";

/** How the pages are looked at. 200 % zoom leaves half of the CSS pixels of a window. */
const looks = [
  ["light", { viewport: { width: 1280, height: 800 } }],
  ["dark", { viewport: { width: 1280, height: 800 }, colorScheme: "dark" }],
  ["forced colours", { viewport: { width: 1280, height: 800 }, forcedColors: "active" }],
  ["320 px", { viewport: { width: 320, height: 640 } }],
  ["200 % zoom", { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 }],
  ["German, dark, 320 px", { viewport: { width: 320, height: 640 }, colorScheme: "dark", locale: "de-DE" }],
] as const satisfies readonly (readonly [string, BrowserContextOptions])[];

/** As the built-in one, with names of any length. */
const person = {
  type: "object",
  required: ["email"],
  properties: {
    email: {
      ...{ type: "string", format: "email", title: "E-mail" },
      ostiary: { identifier: "email", verifiable: "email", recovery: "email" },
    },
    name: { type: "string", title: "Name", ostiary: { display_name: true } },
  },
};

describe.skipIf(!chromiumInstalled)("the pages of an account, in Chromium,", () => {
  let app: TestApp;
  let visitors: Visitors;
  beforeAll(async () => {
    app = await startLocalhostApp({
      identity: { default_schema: "person", schemas: [{ id: "person", document: person }] },
      sms_factor: { enabled: true },
      link: { enabled: true },
      flows: { settings: { account_deletion: { enabled: true } } },
    });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(() => app.stop());

  async function createAda(traits: { email?: string; name?: string } = {}, verified = true): Promise<string> {
    const address = traits.email ?? freshEmail();
    await app.client(IdentityService).createIdentity({
      traits: { name: "Ada Lovelace", ...traits, email: address },
      verifiedAddresses: verified ? [{ value: address }] : [],
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    return address;
  }
  async function signIn(address: string, options: BrowserContextOptions = {}): Promise<Page> {
    const page = await visitors.open("/ui/login", options);
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    // A login by password may offer a passkey first.
    await page.waitForURL(/ui\/(sessions|settings)/);
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await appears(page, ".facts");
    return page;
  }

  test("say who is signed in, lead to each other and to the settings, and sign out from each", async () => {
    const page = await signIn(await createAda());
    const who = page.locator("header .who");
    await expect.poll(() => who.textContent()).toBe("Signed in as Ada Lovelace.");
    const nav = page.getByRole("navigation", { name: "Your account" });
    for (const [link, path, mark] of [
      ["Activity", "activity", ".events > li"],
      ["Settings", "settings", "[data-step='profile']"],
      ["Devices", "sessions", ".facts"],
    ] as const) {
      await nav.getByRole("link", { name: link, exact: true }).click();
      await page.waitForURL(`**/ui/${path}*`);
      await appears(page, mark);
      expect(await page.getByRole("link", { name: link, exact: true }).getAttribute("aria-current")).toBe(
        "page",
      );
      await expect.poll(() => who.textContent()).toBe("Signed in as Ada Lovelace.");
    }
    await who.getByRole("link").click();
    await page.waitForURL("**/ui/settings*");
    await appears(page, "[data-step='profile']");
    await page.click("header button");
    await page.waitForURL("**/ui/login*");
    await appears(page, identifier);
    expect(await page.locator("header .who").count()).toBe(0);
  });

  test("draw the settings as sections, each to be gone to, and keep the flow in the address", async () => {
    const page = await signIn(await createAda({}, false));
    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, "[data-step='deleteAccount']");
    const before = page.url();
    const sections = await page
      .locator("section[data-section]")
      .evaluateAll((all) =>
        all.map((each) => [
          (each as HTMLElement).dataset.section,
          document.getElementById(each.getAttribute("aria-labelledby") ?? "")?.textContent,
        ]),
      );
    expect(sections).toEqual([
      ["profile", "Profile"],
      ["addresses", "Addresses"],
      ["password", "Password"],
      ["passkey", "Passkeys"],
      ["totp", "Authenticator app"],
      ["sms", "Codes by text message"],
      ["backup_code", "Backup codes"],
      ["deletion", "Delete account"],
    ]);
    await page.getByRole("navigation").getByRole("link", { name: "Authenticator app" }).click();
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.textContent))
      .toBe("Authenticator app");
    expect(page.url()).toBe(before);
  });

  test("say what holds of an address, and lead to its verification; a change waits, and what was typed stays", async () => {
    const address = await createAda({}, false);
    const page = await signIn(address);
    await page.goto(`${app.publicUrl}/ui/settings`);
    const said = page.locator("section[data-section='addresses']");
    await appears(page, "section[data-section='addresses']");
    expect(await said.textContent()).toMatch(/Not verified/);
    const link = said.getByRole("link", { name: `Verify ${address}` });
    expect(await link.getAttribute("href")).toMatch(/\/ui\/verification$/);

    const added = freshEmail();
    await page.fill(email, added);
    await page.click("[data-step='profile']");
    await appears(page, "[name='code.code']");
    await page.click("[data-step='back']");
    await appears(page, email);
    expect(await page.inputValue(email)).toBe(added);
    await expect.poll(() => said.textContent()).toContain(added);
    expect(await said.textContent()).toMatch(/Not changed yet/);
    // Of many sections none is the next one: the focus stays at the top.
    await expect.poll(() => focused(page)).toBe("H1");
    // Messages sort by their time, which stands still otherwise.
    app.clock.advance(30_000);
    await page.click("[data-step='profile']");
    await appears(page, "[name='code.code']");
    await page.fill("[name='code.code']", (await app.messages(added)).at(-1)?.code ?? "");
    await page.click("[data-step='code']");
    await appears(page, `text=${added} is verified and saved.`);
    expect(await said.textContent()).toContain(`${added}Verified · primary`);
  });

  test("show devices with names that differ, ends one, and then all others", async () => {
    const address = await createAda();
    const page = await signIn(address);
    for (let count = 0; count < 3; count++) await logIn(app, address);
    await page.reload();
    const others = page.locator(".list > li");
    await others.nth(2).waitFor();
    const names = await page
      .locator(".list .small-button")
      .evaluateAll((all) => all.map((each) => each.getAttribute("aria-label")));
    expect(new Set(names).size).toBe(3);
    const times = await page
      .locator(".facts time")
      .evaluateAll((all) => all.map((each) => each.getAttribute("datetime")));
    expect(times).toHaveLength(12);
    for (const time of times) expect(new Date(time ?? "").toISOString()).toBe(time);
    await page.click(".list .small-button >> nth=0");
    await expect.poll(() => others.count()).toBe(2);
    await page.click("text=Sign out of all other devices");
    await expect.poll(() => others.count()).toBe(0);
  });

  test("show who signed in and who tried, with what and from where", async () => {
    const address = await createAda();
    await logIn(app, address, "not the password");
    app.clock.advance(60_000);
    const page = await signIn(address);
    await page.goto(`${app.publicUrl}/ui/activity`);
    const [own, failed] = [page.locator(".events > li").nth(0), page.locator(".events > li").nth(1)];
    await own.waitFor();
    expect(await own.textContent()).toMatch(
      /^Signed in · Password · this sessionChrome on Linux · 127\.0\.0\.1/,
    );
    expect(await failed.textContent()).toMatch(/^Couldn't sign in · Password/);
    expect(await own.locator("time").getAttribute("datetime")).toMatch(/^2026-/);
  });

  test.each([320, 1280])("fit with a long address and a name without blanks, at %i pixels", async (width) => {
    const local = `${"l".repeat(40)}${freshEmail()}`.slice(-64);
    const address = await createAda({ email: local, name: "N".repeat(4000) });
    const page = await signIn(address, { viewport: { width, height: 640 } });
    await logIn(app, address);
    for (const [path, mark] of [
      ["sessions", ".list > li"],
      ["activity", ".events > li"],
      ["settings", "[data-step='profile']"],
    ] as const) {
      await page.goto(`${app.publicUrl}/ui/${path}`);
      await appears(page, mark);
      expect(await overflowOf(page), path).toBe(0);
      // What leads out is in sight, however long the name is.
      const box = await page.locator("header button").boundingBox();
      expect((box?.x ?? 0) + (box?.width ?? 0), path).toBeLessThanOrEqual(width);
    }
    await page.fill(email, `x${address}`);
    await page.click("[data-step='profile']");
    await appears(page, "[name='code.code']");
    expect(await overflowOf(page), "a code to a long address").toBe(0);
  });

  test.each(looks)(
    "have no accessibility violations and fit: %s",
    async (what, options) => {
      const address = await createAda();
      await logIn(app, address);
      const page = await visitors.open("/ui/login", options);
      const look = async (where: string, mark: string) => {
        await appears(page, mark);
        await settled(page);
        expect(await violationsOf(page), `${where}, ${what}`).toEqual([]);
        expect(await overflowOf(page), `${where}, ${what}`).toBe(0);
        expect(await formProblemsOf(page), `${where}, ${what}`).toEqual([]);
      };
      await look("sign in", identifier);
      await page.click("summary");
      await look("other ways", "[data-step='sendCode']");
      await page.fill(identifier, address);
      await page.click("[data-step='sendCode']");
      await look("a code", "[name='code.code']");
      await page.click("[data-step='back']");
      await page.fill(identifier, address);
      await page.fill(password, goodPassword);
      await page.click("[data-step='password']");
      await page.waitForURL(/ui\/(sessions|settings)/);
      for (const [path, mark] of [
        ["sessions", ".list > li"],
        ["activity", ".events > li"],
        ["settings", "[data-step='deleteAccount']"],
      ] as const) {
        await page.goto(`${app.publicUrl}/ui/${path}`);
        await look(path, mark);
      }
      await page.fill(email, freshEmail());
      await page.click("[data-step='profile']");
      await look("a code for a new address", "[name='code.code']");
      await page.click("[data-step='back']");
      await look("a change that waits", "[data-step='profile']");
    },
    60_000,
  );

  test("tell the main button from the others in forced colours", async () => {
    const page = await visitors.open("/ui/login", { forcedColors: "active" });
    await appears(page, identifier);
    await page.click("summary");
    const colourOf = (selector: string) =>
      page.locator(selector).evaluate((button) => getComputedStyle(button).backgroundColor);
    expect(await colourOf("[data-step='password']")).not.toBe(await colourOf("[data-step='sendCode']"));
  });
});
