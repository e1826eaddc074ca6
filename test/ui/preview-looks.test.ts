import type { Page } from "playwright-core";
import { describe, expect, test } from "vitest";
import { chromiumInstalled } from "../support/chromium.ts";
import { misfits, servePreview, whole } from "./preview-states.ts";
import { violationsOf } from "./scan.ts";

describe.skipIf(!chromiumInstalled)("every state of the pages", () => {
  const problemsOf = servePreview();

  test("stays right in dark, in German, in forced colours, at a zoom of 200 %, and with the keyboard alone", async () => {
    const narrow = { width: 320, height: 640 };
    const options = { colorScheme: "dark", locale: "de-DE", viewport: narrow } as const;
    const problems = await problemsOf(whole, options, async (page) => {
      const found = [...(await violationsOf(page)), ...(await misfits(page)), ...(await walkByTab(page))];
      // As a window of 1280 pixels is laid out at that zoom.
      await page.setViewportSize({ width: 640, height: 400 });
      await page.emulateMedia({ colorScheme: "light", forcedColors: "active" });
      // What is in the page is the same as before, and only how it is drawn is not.
      found.push(...(await violationsOf(page, ["color-contrast", "target-size"])), ...(await misfits(page)));
      await page.emulateMedia({ colorScheme: "dark", forcedColors: "none" });
      await page.setViewportSize(narrow);
      return found;
    });
    expect(problems).toEqual([]);
  }, 300_000);
});

const controls = "a[href], button, input, select, textarea";

/** Presses Tab once for each control and a few times more: which ones had no focus, and on which could it not be seen? */
async function walkByTab(page: Page): Promise<readonly string[]> {
  const presses = await page.evaluate((selector) => {
    const all = [...document.querySelectorAll(selector)];
    const isHere = (element: Element) =>
      element.checkVisibility({ visibilityProperty: true }) && !element.matches(":disabled");
    const walk = { missed: new Set(all.filter(isHere)), unseen: new Set<string>() };
    const onFocus = ({ target }: FocusEvent) => {
      if (!(target instanceof Element)) return;
      walk.missed.delete(target);
      if (getComputedStyle(target).outlineStyle === "none") walk.unseen.add(target.outerHTML.slice(0, 120));
    };
    document.addEventListener("focusin", onFocus);
    const end = () => {
      document.removeEventListener("focusin", onFocus);
      const missed = [...walk.missed].map((element) => `Tab misses ${element.outerHTML.slice(0, 120)}`);
      return [...missed, ...[...walk.unseen].map((shown) => `no focus is seen on ${shown}`)];
    };
    Object.assign(window, { endWalk: end });
    // Each part of a date or a time takes the focus by itself.
    const dates = document.querySelectorAll(
      "input:is([type='date'], [type='datetime-local'], [type='time'])",
    );
    return walk.missed.size + 3 + 8 * dates.length;
  }, controls);
  for (let press = 0; press < presses; press++) await page.keyboard.press("Tab");
  return page.evaluate(() => (window as unknown as { endWalk(): readonly string[] }).endWalk());
}
