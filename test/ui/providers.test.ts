import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { appears, chromiumInstalled, openChromium } from "../support/chromium.ts";
import { type ProviderId, type SocialApp, somebody, startSocialApp, Visitor } from "../support/social.ts";
import { overflowOf, violationsOf } from "./scan.ts";
import { email, focused, password, settled, submit, Visitors } from "./visitors.ts";

/** Where the pictures go, side by side in contact-sheet.png: for eyes, not for the test. */
const folder = ".cache/contact-sheet/providers";
const looks = [
  ["light", 1280],
  ["dark", 1280],
  ["light", 390],
] as const;

const buttonOf = (provider: ProviderId) => `button[name='oidc.provider'][value='${provider}']`;
const welcome = "https://app.example.com/welcome";
const manage = "[data-step='manageCredential']";
const remove = "[data-step='removeCredential']";
const errors = ".ostiary-message[data-kind='error']";

describe.skipIf(!chromiumInstalled)("the pages of other providers", () => {
  let app: SocialApp;
  let visitors: Visitors;
  const shown: { readonly what: string; readonly look: string; readonly picture: string }[] = [];
  beforeAll(async () => {
    await mkdir(folder, { recursive: true });
    app = await startSocialApp({
      tenant: { allowed_return_urls: [welcome] },
      providers: { first: { name: "Acme", logo: "google" }, second: { name: "Bolt" }, github: {} },
    });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave(...Object.values(app.providers).map(({ host }) => host)));
  afterAll(() => app.stop());

  /** Signs in at the provider's own page, to which the button leads. */
  async function signInAt(
    page: Page,
    provider: ProviderId,
    { subject, claims }: { readonly subject: string; readonly claims?: object },
    choice: "consent" | "cancel" = "consent",
  ): Promise<void> {
    if (claims !== undefined) await app.providers[provider].setAccount({ subject, claims: { ...claims } });
    await app.upstream.setTime();
    // A browser that is signed in there already is not asked.
    await page.context().clearCookies({ name: /^(first|second)_/ });
    await page.click(buttonOf(provider));
    await page.fill("[name='subject']", subject);
    await page.click(`[name='choice'][value='${choice}']`);
  }

  /** Presses the button, and gives where it leads. */
  async function leave(page: Page, provider: ProviderId): Promise<string> {
    const left = page.waitForRequest((request) => request.url().startsWith(app.providers[provider].url));
    await page.click(buttonOf(provider));
    return (await left).url();
  }

  /** Comes back by the callback, and gives where that leads. */
  async function comeBack(page: Page, url: string): Promise<string> {
    const answer = await page.context().request.get(url, { maxRedirects: 0 });
    return answer.headers().location ?? "";
  }

  /** Makes an account with a password, as an operator. */
  async function account(address = freshEmail()): Promise<string> {
    await app.client(IdentityService).createIdentity({
      traits: { email: address },
      verifiedAddresses: [{ value: address }],
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    return address;
  }

  async function signInByPassword(page: Page, address: string): Promise<void> {
    await page.fill("[name='identifier']", address);
    await page.fill(password, goodPassword);
    await page.click(submit);
  }

  test("a new person signs in, and is led on", async () => {
    const page = await visitors.open("/ui/login");
    await signInAt(page, "first", somebody());
    await page.waitForURL("**/ui/settings*");
    await appears(page, "text=Account of Ada Lovelace");
  });

  test("a new person fills in what the provider does not know", async () => {
    const page = await visitors.open("/ui/login");
    const { subject } = somebody();
    await signInAt(page, "first", { subject, claims: { name: "Ada Lovelace" } });
    await page.waitForURL("**/ui/registration#flow=*");
    await appears(page, "h1:text('Almost there')");
    expect(await page.inputValue("[name='traits.name']")).toBe("Ada Lovelace");
    expect(await violationsOf(page)).toEqual([]);
    await page.fill(email, freshEmail());
    await page.click("[data-step='oidc']");
    await page.waitForURL("**/ui/verification*");
    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, "text=Account of Ada Lovelace");
  });

  test("somebody who was here before sees what they used last, whatever they type (SR-SOCIAL-12)", async () => {
    const ada = somebody();
    const page = await visitors.open("/ui/login");
    await appears(page, buttonOf("second"));
    expect(await page.locator(".ostiary-hint").count()).toBe(0);
    await signInAt(page, "second", ada);
    await page.waitForURL("**/ui/settings*");
    await page.goto(`${app.publicUrl}/ui/sessions`);
    await page.click("text=Sign out");
    await page.waitForURL("**/ui/login*");
    await appears(page, ".ostiary-hint");
    const marked = page.getByRole("button", { description: "Last used" });
    expect(await marked.allTextContents()).toEqual(["Continue with Bolt"]);
    // Nor for somebody else's name, which has no account at any provider.
    await signInByPassword(page, await account().then((address) => `x${address}`));
    await appears(page, errors);
    expect(await marked.allTextContents()).toEqual(["Continue with Bolt"]);
    const cookies = await page.context().cookies(app.publicUrl);
    expect(cookies.find(({ name }) => name.endsWith("_provider"))).toMatchObject({
      ...{ value: "second", httpOnly: true, sameSite: "Lax", path: "/" },
    });
    await signInAt(page, "second", { subject: ada.subject });
    await page.waitForURL("**/ui/settings*");
    await appears(page, "text=Account of Ada Lovelace");
  });

  test("accounts are linked in the settings, and taken away", async () => {
    const page = await visitors.open("/ui/login");
    await signInByPassword(page, await account());
    await page.waitForURL("**/ui/sessions");
    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, "h2:text('Linked accounts')");
    expect(await page.locator("[name='oidc.provider']").allTextContents()).toEqual([
      ...["Link Acme", "Link Bolt", "Link GitHub"],
    ]);
    const ada = somebody();
    await signInAt(page, "first", ada);
    await page.waitForURL("**/ui/settings#flow=*");
    await appears(page, `text=Acme: ${ada.email} is now linked to your account.`);
    await appears(page, `.ostiary-label:text('Acme: ${ada.email}')`);
    expect(await page.locator("[name='oidc.provider']").allTextContents()).toEqual([
      ...["Link Bolt", "Link GitHub"],
    ]);
    // The button stands below what it is about.
    const part = page.locator(".ostiary-part", { hasText: "Added on" }).first();
    expect(await part.locator(manage).count()).toBe(1);
    await page.click(manage);
    await page.click(remove);
    await page.click("dialog button[value='confirmed']");
    await appears(page, buttonOf("first"));
    await appears(page, `text=Acme: ${ada.email} is no longer linked to your account.`);
    expect(await page.locator(manage).count()).toBe(0);
  });

  test("an account with the same address is proved before it is linked", async () => {
    const address = await account();
    const page = await visitors.open("/ui/registration");
    await signInAt(page, "first", somebody({ email: address }));
    await page.waitForURL("**/ui/login#flow=*");
    await appears(page, "text=There's already an account with your address");
    expect(await violationsOf(page)).toEqual([]);
    // It is about one account, and nobody is asked for its name, nor to make another one.
    expect(await page.locator("[name='identifier']").count()).toBe(0);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/sessions");
    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, `.ostiary-label:text('Acme: ${address}')`);
  });

  test("an address that somebody has already leads from the registration to that account", async () => {
    const address = await account();
    const page = await visitors.open("/ui/registration");
    await signInAt(page, "second", { subject: somebody().subject, claims: { name: "Ada Lovelace" } });
    await page.waitForURL("**/ui/registration#flow=*");
    await page.fill(email, address);
    await page.click("[data-step='oidc']");
    await page.waitForURL("**/ui/login#flow=*");
    await appears(page, "text=There's already an account with your address");
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/sessions");
  });

  test("a login that was cancelled there goes on here, as it was", async () => {
    const page = await visitors.open(`/ui/login?return_to=${encodeURIComponent(welcome)}`);
    await signInAt(page, "first", somebody(), "cancel");
    await page.waitForURL("**/ui/login#flow=*");
    await appears(page, errors);
    expect(await page.textContent(errors)).toContain("Acme didn't sign you in");
    expect(await violationsOf(page)).toEqual([]);
    const url = await leave(page, "second");
    expect(await comeBack(page, await app.upstream.signInAt(url, somebody()))).toBe(welcome);
  });

  test("a provider that is out of order is said to be so, and its button stays", async () => {
    const page = await visitors.open("/ui/login");
    const url = await leave(page, "second");
    const back = await app.upstream.signInAt(url, somebody());
    await app.providers.second.setDown(true);
    await page.goto(back);
    await appears(page, errors);
    await app.providers.second.setDown(false);
    expect(await page.textContent(errors)).toContain("Bolt can't be reached right now");
    expect(await violationsOf(page)).toEqual([]);
    await signInAt(page, "second", somebody());
    await page.waitForURL("**/ui/settings*");
  });

  test("an account elsewhere that leads to none here is said to be so", async () => {
    const ada = somebody();
    const visitor = new Visitor(app);
    await visitor.by("first", ada);
    const { identityId } = await visitor.session();
    await app.client(IdentityService).deactivateIdentity({ identityId });
    const page = await visitors.open("/ui/login");
    await signInAt(page, "first", ada);
    await page.waitForURL("**/ui/login#flow=*");
    await appears(page, `${errors}:text('No account here is linked to that Acme account')`);
    expect(await violationsOf(page)).toEqual([]);
  });

  test("the way back from the provider leads to a page that works", async () => {
    const page = await visitors.open("/ui/login");
    const first = await leave(page, "first");
    await appears(page, "[name='subject']");
    await page.goBack();
    await leave(page, "second");
    await appears(page, "[name='subject']");
    // What was asked for before is no answer any more.
    await page.goto(await app.upstream.signInAt(first, somebody()));
    await appears(page, `${errors}:text('This answer from Acme can no longer be used')`);
    await signInAt(page, "second", somebody());
    await page.waitForURL("**/ui/settings*");
  });

  test("a page from the back/forward cache works, too", async () => {
    const page = await visitors.open("/ui/login");
    // As if the browser had left the page and kept it: the way to the provider ends before it begins.
    await page.route(`${app.providers.first.url}/**`, (route) => route.abort("aborted"));
    const stopped = page.waitForEvent("requestfailed");
    await page.click(buttonOf("first"));
    await stopped;
    await appears(page, "form[aria-busy='true']");
    await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
    await appears(page, "form[aria-busy='false']");
    await page.unroute(`${app.providers.first.url}/**`);
    await signInAt(page, "first", somebody());
    await page.waitForURL("**/ui/settings*");
  });

  test("a change that waits for a login is carried out when the browser is back", async () => {
    const ada = somebody();
    const page = await visitors.open("/ui/login");
    await signInAt(page, "first", ada);
    await page.waitForURL("**/ui/settings*");
    // Where the settings lead to in the end, the login for them does not.
    await page.goto(`${app.publicUrl}/ui/settings?return_to=${encodeURIComponent(welcome)}`);
    await appears(page, password);
    app.clock.advance(20 * 60_000);
    await page.fill(password, goodPassword);
    await page.click("[data-step='password']");
    await appears(page, "h1 >> text=Confirm it's you");
    await signInAt(page, "first", ada, "cancel");
    await page.waitForURL("**/ui/login#flow=*");
    await appears(page, errors);
    await signInAt(page, "second", somebody());
    await appears(page, `${errors}:text('linked to the account you need here')`);
    await signInAt(page, "first", { subject: ada.subject });
    await page.waitForURL("**/ui/settings#flow=*");
    await appears(page, "text=Your new password is set.");
    expect(await page.evaluate(() => window.sessionStorage.length)).toBe(0);
  });

  test("a change that waits is carried out as well by another way in than the provider", async () => {
    const page = await visitors.open("/ui/login");
    await signInByPassword(page, await account());
    await page.waitForURL("**/ui/sessions");
    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, password);
    app.clock.advance(20 * 60_000);
    await page.fill(password, "another harbour lantern");
    await page.click("[data-step='password']");
    await appears(page, "h1 >> text=Confirm it's you");
    await signInAt(page, "first", somebody(), "cancel");
    await page.waitForURL("**/ui/login#flow=*");
    await appears(page, errors);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/settings#flow=*");
    await appears(page, "text=Your new password is set.");
    expect(await page.evaluate(() => window.sessionStorage.length)).toBe(0);
  });

  test("buttons have a name, a size and a place in the order of the keyboard", async () => {
    const page = await visitors.open("/ui/login", { viewport: { width: 320, height: 700 } });
    await appears(page, buttonOf("first"));
    const names = ["Continue with Acme", "Continue with Bolt", "Continue with GitHub"];
    expect(await page.locator("[name='oidc.provider']").allTextContents()).toEqual(names);
    for (const name of names) {
      const button = page.getByRole("button", { name, exact: true });
      expect((await button.boundingBox())?.height).toBeGreaterThanOrEqual(44);
    }
    await settled(page);
    await page.focus(buttonOf("first"));
    await page.keyboard.press("Tab");
    expect(await page.evaluate(() => (document.activeElement as HTMLButtonElement).value)).toBe("second");
    expect(await focused(page)).toBe("oidc.provider");
    // Between the password and a code, and between these and the providers.
    expect(await page.locator(".ostiary-or").count()).toBe(2);
  });

  test.each(looks)(
    "look right, in %s at %i pixels",
    async (colorScheme, width) => {
      const options: BrowserContextOptions = { colorScheme, viewport: { width, height: 800 } };
      const look = async (page: Page, what: string, selector: string) => {
        await appears(page, selector);
        await settled(page);
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
      await signInAt(page, "first", { ...somebody(), claims: { name: "Ada Lovelace" } });
      await look(page, "almost there", "h1:text('Almost there')");
      const address = await account();
      await page.goto(`${app.publicUrl}/ui/login`);
      await signInAt(page, "first", somebody({ email: address }));
      await look(page, "an account to prove", "text=There's already an account");
      await page.goto(`${app.publicUrl}/ui/login`);
      await signInAt(page, "second", somebody(), "cancel");
      await look(page, "cancelled", errors);
      await page.goto(`${app.publicUrl}/ui/login`);
      await signInAt(page, "first", somebody());
      await look(page, "settings", manage);
      await page.click(manage);
      await look(page, "one account", remove);
      await page.goto(`${app.publicUrl}/ui/sessions`);
      await page.click("text=Sign out");
      await look(page, "used last", ".ostiary-hint");
      await page.goto(`${app.publicUrl}/oidc/callback/first?state=none`);
      await look(page, "not known", "h1");
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
    expect(rows).toHaveLength(9);
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

describe.skipIf(!chromiumInstalled)("the pages of providers, in steps", () => {
  let app: SocialApp;
  let visitors: Visitors;
  beforeAll(async () => {
    app = await startSocialApp({
      tenant: { flows: { login: { style: "identifier_first" }, registration: { style: "profile_first" } } },
      providers: { second: { name: "Bolt" } },
    });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave(...Object.values(app.providers).map(({ host }) => host)));
  afterAll(() => app.stop());

  test.each([
    ["login", "identify"],
    ["registration", "profile"],
  ])("are on the first page of a %s, below its button, in German", async (kind, step) => {
    const page = await visitors.open(`/ui/${kind}`, { locale: "de-DE" });
    await appears(page, buttonOf("first"));
    const buttons = page.locator("button[type='submit']");
    const drawn = await buttons.evaluateAll((all) =>
      all.map((each) => each.getAttribute("value") ?? each.dataset.step),
    );
    expect(drawn).toEqual([step, "first", "second", "github"]);
    expect(await page.textContent(buttonOf("second"))).toBe("Weiter mit Bolt");
    expect(await page.textContent(".ostiary-or")).toBe("oder");
    expect(await violationsOf(page)).toEqual([]);
    await app.upstream.setTime();
    const ada = somebody();
    await app.providers.second.setAccount(ada);
    await page.click(buttonOf("second"));
    await page.fill("[name='subject']", ada.subject);
    await page.click("[name='choice'][value='consent']");
    await page.waitForURL("**/ui/settings*");
  });
});
