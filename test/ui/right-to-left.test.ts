import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { overflowOf } from "./scan.ts";
import { email, identifier, submit, Visitors } from "./visitors.ts";

/** Draws the page as in a language that is read from right to left, and has longer words than any of ours. */
function drawFromRightToLeft(page: Page): Promise<void> {
  return page.evaluate(() => {
    document.documentElement.dir = "rtl";
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = texts.nextNode(); node !== null; node = texts.nextNode()) {
      // A browser draws a list to choose from as wide as its longest choice.
      if (node.parentElement?.localName === "option") continue;
      const said = node.nodeValue?.trim() ?? "";
      // Letters of Hebrew for ours, and a half more of them; at the end of sentences and headings a word of 40 letters.
      if (node.parentElement?.localName === "button")
        node.nodeValue = said.replace(/[a-z]/gi, "ש").replace(/שש/g, "שלש");
      else if (said !== "")
        node.nodeValue = `${said.replace(/[a-z]/gi, "ש").replace(/שש/g, "שלש")} ${"ש".repeat(40)}`;
    }
  });
}

describe.skipIf(!chromiumInstalled)("the self-service pages from right to left", () => {
  let app: TestApp;
  let visitors: Visitors;

  beforeAll(async () => {
    app = await startTestApp();
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(async () => {
    await app.stop();
  });

  test.each([
    ["login", identifier],
    ["registration", email],
    ["recovery", submit],
  ])("fit %s into 320 pixels", async (path, mark) => {
    const page = await visitors.open(`/ui/${path}`, { viewport: { width: 320, height: 640 } });
    await appears(page, mark);
    expect(await page.evaluate(() => document.documentElement.dir)).toBe("ltr");
    await drawFromRightToLeft(page);
    expect(await reachesOut(page)).toEqual([]);
    expect(await overflowOf(page)).toBe(0);
  });

  test("fit those of an account, mirrored", async () => {
    const { page } = await visitors.register({ viewport: { width: 320, height: 640 } });
    for (const path of ["sessions", "settings"]) {
      await page.goto(`${app.publicUrl}/ui/${path}`);
      await appears(page, path === "sessions" ? ".facts" : submit);
      await drawFromRightToLeft(page);
      expect(await reachesOut(page)).toEqual([]);
      expect(await overflowOf(page)).toBe(0);
    }
  });

  test("mirror the button that shows a password, and leave addresses as they are", async () => {
    const page = await visitors.open("/ui/registration");
    await appears(page, email);
    await drawFromRightToLeft(page);
    const [button, field] = await Promise.all(
      [".ostiary-reveal", ".ostiary-secret"].map((each) => page.locator(each).first().boundingBox()),
    );
    // At the left, where a line ends.
    expect((button?.x ?? 0) - (field?.x ?? 0)).toBeLessThan(20);
    const written = await page.locator(email).evaluate((input) => {
      const { direction, textAlign } = getComputedStyle(input);
      return { direction, textAlign };
    });
    expect(written).toEqual({ direction: "ltr", textAlign: "right" });
  });
});

/** What begins before the page does: scrolling does not reach it, so it counts as no overflow. */
function reachesOut(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll("body *")]
      .filter((element) => {
        const { left, right, width } = element.getBoundingClientRect();
        return width > 1 && (left < -0.5 || right > window.innerWidth + 0.5);
      })
      .map((element) => element.outerHTML.slice(0, 120)),
  );
}
