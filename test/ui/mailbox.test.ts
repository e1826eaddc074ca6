import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { runCommandLine } from "../../src/cli/cli.ts";
import type { MessageContent } from "../../src/domain/courier/message.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { openAppQueue } from "../support/app-queue.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { sealingSecret } from "../support/messages.ts";
import { overflowOf, violationsOf } from "./scan.ts";
import { Visitors } from "./visitors.ts";

describe.skipIf(!chromiumInstalled)("the development mailbox in Chromium", () => {
  let app: TestApp;
  let queue: Awaited<ReturnType<typeof openAppQueue>>;
  let visitors: Visitors;
  let id: string;

  const code: MessageContent = { template: "login_code", data: { code: "271828", minutes: 10 } };
  const link: MessageContent = {
    template: "login_link",
    data: { url: "https://id.example.com/login?x=1", minutes: 10 },
  };
  const longAddress = `${"long-".repeat(12)}@${"sub.".repeat(20)}example.com`;

  beforeAll(async () => {
    app = await startTestApp({ config: { secrets: { sealing: [sealingSecret] } } });
    queue = await openAppQueue(app);
    visitors = await Visitors.of(app.publicUrl);
    id = await queue.enqueue(code, { recipient: "ada@example.com" });
    await queue.enqueue(link, { recipient: longAddress });
  });
  afterEach(() => visitors.leave());
  afterAll(async () => {
    await queue.close();
    await app.stop();
  });

  /** Opens a link of the command line, as a browser does that is let in. */
  async function enter(options: BrowserContextOptions = {}): Promise<Page> {
    let address = "";
    const exit = await runCommandLine(["mailbox", "--link", "--data-directory", app.dataDirectory], {
      environment: {},
      isTerminal: false,
      readInput: async () => "",
      print: (line) => {
        address = line;
      },
      warn: () => {},
    });
    expect(exit).toBe(0);
    // At the name of the pages: their banner leads here, and a cookie is of one name.
    expect(new URL(address).origin).toBe(app.publicUrl);
    const page = await visitors.open(address.slice(app.publicUrl.length), options);
    await appears(page, "h1");
    expect(new URL(page.url()).search).toBe("");
    return page;
  }

  test.each([
    ["light", 320],
    ["dark", 1280],
  ] as const)("can be read by everybody, in %s at %i pixels", async (colorScheme, width) => {
    const page = await enter({ colorScheme, viewport: { width, height: 640 } });
    for (const path of ["", "?refresh=off", "?to=nobody", `/message?id=${id}`, "/message?id=0"]) {
      await page.goto(`${app.publicUrl}/mailbox${path}`);
      await appears(page, "h1");
      expect(await violationsOf(page), path).toEqual([]);
      expect(await overflowOf(page), path).toBe(0);
    }
  });

  test("is filtered by recipient, in the field or by a click on one", async () => {
    const page = await enter();
    await page.fill("input[name=to]", "ADA@");
    await page.keyboard.press("Enter");
    await page.waitForURL("**/mailbox?to=ADA*");
    expect(await page.locator("ol > li").count()).toBe(1);
    expect(await page.inputValue("input[name=to]")).toBe("ADA@");
    await page.click("text=All messages");
    await page.click(`text=${longAddress}`);
    await page.waitForURL("**/mailbox?to=long*");
    await appears(page, "text=Open the link of this message");
  });

  test("copies a code", async () => {
    const page = await enter({ permissions: ["clipboard-read", "clipboard-write"] });
    await page.click("[data-copy='271828']");
    await appears(page, "text=Copied.");
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("271828");
  });

  test("says how to copy a code where the browser does not allow it", async () => {
    const page = await enter({ permissions: [] });
    await page.evaluate(() => {
      Object.defineProperty(navigator.clipboard, "writeText", {
        value: () => Promise.reject(new Error("no")),
      });
    });
    await page.click("[data-copy='271828']");
    await appears(page, "text=select the code");
  });

  test("shows what is new by itself, until that is stopped", async () => {
    const page = await enter();
    await queue.enqueue(code, { recipient: "new-1@example.com" });
    await appears(page, "text=new-1@example.com");
    await page.click("text=Stop that");
    await page.waitForURL("**/mailbox?refresh=off");
    await appears(page, "text=Show new ones by themselves");
    expect(await page.locator("[data-version]").count()).toBe(0);
  });

  test("writes times as the reader does", async () => {
    const page = await enter({ timezoneId: "Asia/Kolkata", locale: "en-GB" });
    const time = page.locator("time").first();
    const at = new Date((await time.getAttribute("datetime")) ?? "");
    const expected = at.toLocaleString("en-GB", {
      ...{ dateStyle: "medium", timeStyle: "medium", timeZone: "Asia/Kolkata" },
    });
    expect(await time.textContent()).toBe(expected);
    expect(await time.getAttribute("title")).toMatch(/ UTC$/);
  });

  test("can be used without a script, with times in UTC", async () => {
    const page = await enter({ javaScriptEnabled: false });
    await appears(page, "text=271828");
    expect(await page.locator("button[data-copy]").first().isVisible()).toBe(false);
    expect(await page.locator("time").first().textContent()).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/);
    await page.fill("input[name=to]", "ada");
    await page.click("text=Filter");
    await page.waitForURL("**/mailbox?to=ada");
  });

  test("is a click away from the pages, for a browser that was let in", async () => {
    const page = await enter();
    await page.goto(`${app.publicUrl}/ui/login`);
    const [opened] = await Promise.all([page.waitForEvent("popup"), page.click("text=Open the mailbox")]);
    await appears(opened, "text=Development mailbox");
  });
});
