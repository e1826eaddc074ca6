import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { RequiredActionKind } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { appears, chromiumInstalled, openChromium } from "../support/chromium.ts";
import { startLocalhostApp } from "../support/passkeys.ts";
import { TotpDevice } from "../support/totp-device.ts";
import { VirtualAuthenticator } from "../support/virtual-authenticator.ts";
import { overflowOf, violationsOf } from "./scan.ts";
import { identifier, password, submit, Visitors } from "./visitors.ts";

/** Where the pictures go, side by side in contact-sheet.png: for eyes, not for the test. */
const folder = ".cache/contact-sheet";
const looks = [
  ["light", 1280],
  ["dark", 1280],
  ["light", 390],
] as const;
const terms = { id: "terms", version: "2026-11", title: "Terms of service", url: "/healthz" };

describe.skipIf(!chromiumInstalled)("the pages of second factors, passkeys and required actions", () => {
  let app: TestApp;
  let visitors: Visitors;
  const shown: { readonly what: string; readonly look: string; readonly picture: string }[] = [];
  beforeAll(async () => {
    await mkdir(folder, { recursive: true });
    app = await startLocalhostApp({
      terms: [terms],
      sms_factor: { enabled: true },
      code: { login: false },
      flows: { recovery: { hold: "72h" } },
    });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(async () => {
    await app.stop();
  });

  test.each(looks)(
    "have no accessibility violations and fit, in %s at %i pixels",
    async (colorScheme, width) => {
      const options = { colorScheme, viewport: { width, height: 800 } };
      const look = async (what: string, selector: string) => {
        await appears(page, selector);
        expect(await violationsOf(page), what).toEqual([]);
        expect(await overflowOf(page), what).toBe(0);
        const name = `${what.replaceAll(" ", "-")}-${colorScheme}-${width}.png`;
        await page.screenshot({ path: join(folder, name), fullPage: true });
        shown.push({ what, look: `${colorScheme} ${width}`, picture: name });
      };
      const address = freshEmail();
      await app.client(IdentityService).createIdentity({
        traits: { email: address },
        verifiedAddresses: [{ value: address }],
        credentials: { password: { value: { case: "password", value: goodPassword } } },
        requiredActions: [
          { action: { case: "acceptTerms", value: { document: terms.id } } },
          { action: { case: "kind", value: RequiredActionKind.SET_PASSWORD } },
          { action: { case: "kind", value: RequiredActionKind.ENROL_FACTOR } },
        ],
      });
      const page: Page = await visitors.open("/ui/login", options);
      await VirtualAuthenticator.for(page);
      const signIn = async (secret: string) => {
        await page.fill(identifier, address);
        await page.fill(password, secret);
        await page.click(submit);
      };
      await look("sign in", identifier);
      await signIn(goodPassword);
      await look("terms to accept", "[data-step='acceptTerms']");
      await page.click("[data-step='acceptTerms']");
      await look("a new password first", password);
      const second = "another long password";
      await page.fill(password, second);
      await page.click("[data-step='password']");
      await look("a second factor first", "[data-step='totp']");
      await page.click("[data-step='totp']");
      await look("the key of an app", "img.ostiary-image");
      const texts = await page.locator(".ostiary-text").allTextContents();
      const key = texts.find((text) => /^[A-Z2-7]{32}$/.test(text)) ?? "";
      const device = TotpDevice.from(key, () => app.clock.now());
      await page.fill("[name='totp.code']", device.code());
      await page.click("[data-step='totp']");
      await look("the offer of a passkey", "text=Sign in faster next time");

      await page.goto(`${app.publicUrl}/ui/settings`);
      await look("the settings", "[data-step='backupCodes']");
      await page.click("[data-step='backupCodes']");
      await look("backup codes", "text=won't be shown again");
      await page.click("[data-step='backupCodes']");
      await page.fill("[name='sms.phoneNumber']", "+49 171 2345678");
      await page.click("[data-step='sms']");
      await look("a code by text message", "[name='sms.code']");
      await page.click("[data-step='back']");
      await page.click("[data-step='manageCredential'] >> nth=1");
      await look("one credential", "[data-step='removeCredential']");

      app.clock.advance(60_000);
      await page.context().clearCookies();
      await page.goto(`${app.publicUrl}/ui/login`);
      await signIn(second);
      await look("the second factor", "[name='totp.code']");
      await page.fill("[name='totp.code']", "000000");
      await page.click("[data-step='totp']");
      await look("a wrong code", ".ostiary-error");
    },
    90_000,
  );

  test("are on one contact sheet, side by side", async () => {
    const rows = [...new Set(shown.map(({ what }) => what))].map((what) => {
      const pictures = shown
        .filter((each) => each.what === what)
        .map(
          ({ look, picture }) => `<figure><img src="${picture}"><figcaption>${look}</figcaption></figure>`,
        );
      return `<section><h2>${what}</h2><div>${pictures.join("")}</div></section>`;
    });
    expect(rows).toHaveLength(12);
    const style =
      "body{font:14px sans-serif;margin:16px}div{display:flex;gap:12px;align-items:start}img{height:420px;border:1px solid #888}figure{margin:0}";
    const file = join(process.cwd(), folder, "index.html");
    await writeFile(file, `<!doctype html><title>Pages</title><style>${style}</style>${rows.join("")}`);
    const context = await (await openChromium()).newContext({ viewport: { width: 1700, height: 900 } });
    const page = await context.newPage();
    await page.goto(`file://${file}`);
    await page.screenshot({ path: join(folder, "contact-sheet.png"), fullPage: true });
    await context.close();
  });
});
