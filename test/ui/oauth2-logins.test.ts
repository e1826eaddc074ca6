import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { freshEmail, goodPassword, register } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { OAuth2TestServer } from "../support/oauth2-server.ts";
import { email, identifier, password, submit, Visitors } from "./visitors.ts";

describe.skipIf(!chromiumInstalled)("the pages of a login for an OAuth2 server, in Chromium", () => {
  let oauth2: OAuth2TestServer;
  let app: TestApp;
  let visitors: Visitors;

  beforeAll(async () => {
    oauth2 = await OAuth2TestServer.start({ forBrowsers: true });
    app = await startTestApp({ config: oauth2.config });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(async () => {
    oauth2.misbehaves = () => false;
    await visitors.leave(new URL(oauth2.publicUrl).host);
  });
  afterAll(async () => {
    await app.stop();
    await oauth2.stop();
  });

  const loginPage = (challenge: string) => `/ui/login?${new URLSearchParams({ login_challenge: challenge })}`;

  test("lead from the login to the registration, back to the application, and out again", async () => {
    const challenge = oauth2.ask();
    const page = await visitors.open(loginPage(challenge));
    await appears(page, identifier);
    await appears(page, "text=You'll continue to The Shop afterwards.");
    await page.click("text=Create one");
    await appears(page, email);
    // A reload keeps the request.
    await page.reload();
    await page.fill(email, freshEmail());
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/oauth2/auth?*login_verifier=*");
    await appears(page, "text=The application goes on.");
    expect(oauth2.toldOf(challenge)).toHaveLength(1);
    // The next request needs no form.
    await page.goto(app.publicUrl + loginPage(oauth2.ask()));
    await page.waitForURL("**/oauth2/auth?*login_verifier=*");
    const logout = new URLSearchParams({ logout_challenge: oauth2.ask() });
    await page.goto(`${app.publicUrl}/ui/logout?${logout}`);
    await page.click("main button");
    await page.waitForURL("**/oauth2/sessions/logout?logout_verifier=*");
    await page.goto(`${app.publicUrl}/ui/`);
    await appears(page, identifier);
  });

  test("say that the application could not be told, and tell it again", async () => {
    const { email: address } = await register(app);
    const challenge = oauth2.ask();
    const page = await visitors.open(loginPage(challenge));
    oauth2.misbehaves = (request, response) => {
      if (request.method !== "PUT") return false;
      response.writeHead(503).end();
      return true;
    };
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await appears(page, "text=couldn't get you back to The Shop");
    await page.reload();
    await page.click(submit);
    await appears(page, "[role='alert'] [data-kind='error']");
    oauth2.misbehaves = () => false;
    await page.click(submit);
    await page.waitForURL("**/oauth2/auth?*login_verifier=*");
    expect(oauth2.toldOf(challenge)).toHaveLength(1);
  });

  test("say that a request was answered already, and let people sign in all the same", async () => {
    const challenge = oauth2.ask();
    oauth2.use(challenge);
    const page = await visitors.open(loginPage(challenge));
    await appears(page, "text=This request was already answered");
    await page.click("button:has-text('Start again')");
    await appears(page, identifier);
    expect(page.url()).not.toContain("login_challenge");
  });
});
