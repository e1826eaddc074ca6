import type { BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, openChromium } from "../support/chromium.ts";

/** Where things are on the pages. */
export const email = "[name='traits.email']";
export const identifier = "[name='identifier']";
export const password = "[name='password.password']";
export const submit = "button[type='submit']";
export const code = "[name='code.code']";
export const name = "[name='traits.name']";

/** What has the focus: the name of a field, else the class or the tag. To be polled: the focus moves after a drawing. */
export function focused(page: Page): Promise<string | undefined> {
  return page.evaluate(() => {
    const element = document.activeElement;
    return element?.getAttribute("name") ?? (element?.className || element?.tagName);
  });
}

/** Waits until what follows the last drawing is done, above all that the focus was moved: what is typed then stays where it is. */
export function settled(page: Page): Promise<void> {
  return page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve)));
      }),
  );
}

/** The button by which a person who is signed in comes to the form all the same. */
export const another = "button:has-text('Use another account')";

/** Waits for the form of a login or a registration, and asks for it where somebody is signed in. */
export async function reachForm(page: Page, field: string): Promise<void> {
  await appears(page, `${field}, ${another}`);
  if (await page.isVisible(another)) await page.click(another);
  await appears(page, field);
}

/** A server with its pages, and the people who visit them. */
export interface Served {
  readonly app: TestApp;
  readonly visitors: Visitors;
}

/**
 * Serves the pages to the tests of a `describe`, and sees after each of them that nothing broke. `begin` gets what is served. `others`: the
 * hosts that a test may lead to.
 */
export function servePages(
  config: NonNullable<Parameters<typeof startTestApp>[0]>["config"],
  begin: (served: Served) => void,
  ...others: readonly string[]
): void {
  let served: Served | undefined;
  beforeAll(async () => {
    const app = await startTestApp({ config });
    served = { app, visitors: await Visitors.of(app.publicUrl) };
    begin(served);
  });
  afterEach(() => served?.visitors.leave(...others));
  afterAll(() => served?.app.stop());
}

/** People who visit the pages of one server, each with a browser of their own. */
export class Visitors {
  readonly #publicUrl: string;
  readonly #contexts: BrowserContext[] = [];
  readonly #complaints: string[] = [];
  readonly #hosts = new Set<string>();

  private constructor(publicUrl: string) {
    this.#publicUrl = publicUrl;
  }

  /** With the browser that the tests of this process share. */
  static async of(publicUrl: string): Promise<Visitors> {
    return new Visitors(publicUrl);
  }

  /** Opens a page with a browser that has no cookies. */
  async open(path: string, options: BrowserContextOptions = {}): Promise<Page> {
    const context = await (await openChromium()).newContext({
      locale: "en-GB",
      reducedMotion: "reduce",
      ...options,
    });
    this.#contexts.push(context);
    const page = await context.newPage();
    // Well below the time of a test, so that what was waited for is said.
    page.setDefaultTimeout(10_000);
    page.on("pageerror", (error) => this.#complaints.push(error.message));
    page.on("console", (message) => {
      // A call that the server refuses or that never arrives is an error to the browser, and no mistake of the page.
      const isAnswer = /status of 4\d\d|ERR_INTERNET_DISCONNECTED/.test(message.text());
      if (message.type() === "error" && !isAnswer) this.#complaints.push(message.text());
    });
    // What the browser recommends for forms, such as a name beside a password; it is in no console event.
    const session = await context.newCDPSession(page);
    session.on("Log.entryAdded", ({ entry: { source, text, url = "" } }) => {
      if (source === "recommendation") this.#complaints.push(`${text} ${new URL(url, "http://a").pathname}`);
    });
    await session.send("Log.enable");
    page.on("request", (request) => this.#hosts.add(new URL(request.url()).host));
    await page.goto(this.#publicUrl + path);
    return page;
  }

  /** Makes an account, and ends at its sessions. */
  async register(options: BrowserContextOptions = {}): Promise<{ page: Page; address: string }> {
    const page = await this.open("/ui/registration", options);
    const address = freshEmail();
    await page.fill(email, address);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/verification*");
    await page.click(".aside a[href='/ui/sessions']");
    await page.waitForURL("**/ui/sessions");
    await appears(page, ".facts");
    return { page, address };
  }

  /** Takes back what a test provoked. */
  forgive(complaint: RegExp): void {
    const others = this.#complaints.filter((said) => !complaint.test(said));
    expect(others.length).toBeLessThan(this.#complaints.length);
    this.#complaints.splice(0, this.#complaints.length, ...others);
  }

  /**
   * After each test: nothing broke the content security policy or threw, the browser recommends nothing, and no one else was asked for anything but `others`.
   */
  async leave(...others: readonly string[]): Promise<void> {
    for (const context of this.#contexts.splice(0)) await context.close();
    expect(this.#complaints.splice(0)).toEqual([]);
    // Nobody was there: a test that needs no browser.
    if (this.#hosts.size === 0) return;
    const hosts = [...this.#hosts].filter((host) => !others.includes(host));
    expect(hosts).toEqual([new URL(this.#publicUrl).host]);
  }
}
