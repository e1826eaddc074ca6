import { describe, expect, test } from "vitest";
import { goodPassword } from "../support/accounts.ts";
import type { TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { verifiedAccount } from "../support/deletion.ts";
import { another, identifier, password, servePages, type Visitors } from "./visitors.ts";

const application = "app.example.com";

// Where a proxy sends people who want something of an application: docs/forward-auth.md.
describe.skipIf(!chromiumInstalled)("somebody whose session shows too little", () => {
  let app: TestApp;
  let visitors: Visitors;
  servePages(
    {
      server: { forward_auth: { port: 0, peers: ["127.0.0.1"] } },
      tenant_defaults: { forward_auth: { rules: [{ host: application, session: {} }] } },
    },
    (served) => {
      ({ app, visitors } = served);
    },
    application,
  );

  const asked = (refusal: Record<string, string>) =>
    `/ui/login?${new URLSearchParams({ return_to: `http://${application}/a?b=c`, ...refusal })}`;
  const tooOld = { refusal: "SESSION_AUTHENTICATION_TOO_OLD", maxAgeSeconds: "300" };

  test("is asked for that alone, and comes back to the application", async () => {
    const { email: address } = await verifiedAccount(app);
    const page = await visitors.open("/ui/login");
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await page.waitForURL("**/ui/sessions");
    app.clock.advance(10 * 60_000);
    await page.route(`http://${application}/**`, (route) => route.fulfill({ body: "the application" }));
    await page.goto(app.publicUrl + asked(tooOld));
    await appears(page, 'h1:text("Confirm it\'s you")');
    expect(await page.locator(another).count()).toBe(0);
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await page.waitForURL(`http://${application}/a?b=c`);
  });

  test("signs in where there is no session any more, and comes back as well", async () => {
    const { email: address } = await verifiedAccount(app);
    const page = await visitors.open(asked(tooOld));
    await page.route(`http://${application}/**`, (route) => route.fulfill({ body: "the application" }));
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await page.waitForURL(`http://${application}/a?b=c`);
  });
});
