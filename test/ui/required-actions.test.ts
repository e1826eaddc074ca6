import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { RequiredActionKind } from "../../gen/ostiary/identity/v1/identity_pb.js";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { TotpDevice } from "../support/totp-device.ts";
import { identifier, password, submit, Visitors } from "./visitors.ts";

const { SET_PASSWORD } = RequiredActionKind;
const terms = { id: "terms", version: "2026-11", title: "Terms of service", url: "/healthz" };

describe.skipIf(!chromiumInstalled)("required actions on the self-service pages, in Chromium", () => {
  let app: TestApp;
  let visitors: Visitors;
  beforeAll(async () => {
    const secondFactor = { policy: "required" };
    app = await startTestApp({
      config: { tenant_defaults: { terms: [terms], second_factor: secondFactor } },
    });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(() => app.stop());

  test("are done one after the other, before the session", async () => {
    const email = freshEmail();
    await app.client(IdentityService).createIdentity({
      traits: { email },
      credentials: { password: { value: { case: "password", value: goodPassword } } },
      requiredActions: [
        { action: { case: "acceptTerms", value: { document: terms.id } } },
        { action: { case: "kind", value: SET_PASSWORD } },
      ],
    });
    const page = await visitors.open("/ui/login");
    await page.fill(identifier, email);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await appears(page, "h1 >> text=One more step");
    const link = page.locator("a", { hasText: "Terms of service (2026-11)" });
    expect(await link.getAttribute("href")).toBe(`${app.publicUrl}/healthz`);
    // The page that is loaded again goes on where it was.
    await page.reload();
    await page.click("[data-step='acceptTerms']");
    await appears(page, "text=Choose a new password before you continue.");
    await page.fill(password, "another long password");
    await page.click("[data-step='password']");
    await appears(page, "text=Set up a second factor before you continue.");
    await page.click("[data-step='totp']");
    await appears(page, "img.ostiary-image");
    const shown = await page.locator(".ostiary-text").allTextContents();
    const key = shown.find((text) => /^[A-Z2-7]{32}$/.test(text)) ?? "";
    const device = TotpDevice.from(key, () => app.clock.now());
    await page.fill("[name='totp.code']", device.code());
    await page.click("[data-step='totp']");
    await page.waitForURL("**/ui/sessions");
  });
});
