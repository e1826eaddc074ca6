import { afterAll, beforeAll, describe, test } from "vitest";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { type SocialApp, somebody, startSocialApp } from "../support/social.ts";
import { Visitors } from "./visitors.ts";

describe.skipIf(!chromiumInstalled)("the page to sign out at", () => {
  let app: SocialApp;
  let visitors: Visitors;
  beforeAll(async () => {
    app = await startSocialApp({ providers: { first: { logout_at_provider: true } } });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterAll(() => app.stop());

  test("leads on to the provider, to be signed out there as well", async () => {
    const { first } = app.providers;
    const { subject, claims } = somebody();
    await first.setAccount({ subject, claims });
    await app.upstream.setTime();
    const page = await visitors.open("/ui/login");
    await page.click("button[name='oidc.provider'][value='first']");
    await page.fill("[name='subject']", subject);
    await page.click("[name='choice'][value='consent']");
    await page.waitForURL("**/ui/settings*");
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.click("text=Sign out");
    await page.waitForURL(`${first.url}/session/end?client_id=*`);
    await page.click("button[name='logout']");
    await appears(page, "h1:text('Signed out')");
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.waitForURL("**/ui/login*");
    await visitors.leave(first.host);
  });
});
