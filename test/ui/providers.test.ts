import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { appears, chromiumInstalled, openChromium } from "../support/chromium.ts";
import { type SocialApp, somebody, startSocialApp } from "../support/social.ts";
import { overflowOf, violationsOf } from "./scan.ts";
import { identifier, password, submit, Visitors } from "./visitors.ts";

/** Where the pictures go, side by side in contact-sheet.png: for eyes, not for the test. */
const folder = ".cache/contact-sheet/providers";
const looks = [
  ["light", 1280],
  ["dark", 1280],
  ["light", 390],
] as const;

const buttonOf = (provider: string) => `button[name='oidc.provider'][value='${provider}']`;

describe.skipIf(!chromiumInstalled)("the pages of other providers", () => {
  let app: SocialApp;
  let visitors: Visitors;
  const shown: { readonly what: string; readonly look: string; readonly picture: string }[] = [];
  beforeAll(async () => {
    await mkdir(folder, { recursive: true });
    app = await startSocialApp({
      providers: { first: { name: "Acme", logo: "google" }, second: { name: "Bolt" }, github: {} },
    });
    const { first, second, github } = app.providers;
    visitors = await Visitors.of(app.publicUrl, [first.host, second.host, github.host]);
  });
  afterEach(() => visitors.leave());
  afterAll(() => app.stop());

  /** Signs in at the provider's own page, to which the button leads. */
  async function signInAt(page: Page, provider: string, subject: string, choice = "consent") {
    await page.click(buttonOf(provider));
    await page.fill("[name='subject']", subject);
    await page.click(`[name='choice'][value='${choice}']`);
  }

  test.each(looks)("look right, in %s at %i pixels", async (colorScheme, width) => {
    const options = { colorScheme, viewport: { width, height: 800 } };
    const look = async (page: Page, what: string, selector: string) => {
      await appears(page, selector);
      expect(await violationsOf(page), what).toEqual([]);
      expect(await overflowOf(page), what).toBe(0);
      const name = `${what.replaceAll(" ", "-")}-${colorScheme}-${width}.png`;
      await page.screenshot({ path: join(folder, name), fullPage: true });
      shown.push({ what, look: `${colorScheme} ${width}`, picture: name });
    };
    const page = await visitors.open("/ui/login", options);
    await look(page, "sign in", buttonOf("first"));
    await page.goto(`${app.publicUrl}/ui/registration`);
    await look(page, "sign up", buttonOf("first"));
    await page.goto(`${app.publicUrl}/ui/login`);
    const ada = somebody();
    await app.providers.first.setAccount({ subject: ada.subject, claims: ada.claims });
    await signInAt(page, "first", ada.subject);
    await look(page, "settings", "[data-step='manageCredential']");
    await page.click("[data-step='manageCredential']");
    await look(page, "one account", "[data-step='removeCredential']");
  }, 60_000);
});
