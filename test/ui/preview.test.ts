import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { PreviewState } from "../../src/preview/preview-state.ts";
import { chromiumInstalled } from "../support/chromium.ts";
import { PreviewWindow, previewOfNothing, servePreviewOfNothing } from "../support/preview.ts";
import { formProblemsOf, overflowOf, violationsOf } from "./scan.ts";

const { states } = await previewOfNothing();
/** States that differ from another one in a sentence alone. */
const sentences = states.filter(({ name }) => /^(message|refused)\//.test(name));
const whole = states.filter((state) => !sentences.includes(state));

/** The one answer that is no mistake of a page: the server refuses a call. */
const isRefusal = (complaint: string) => /the server responded with a status of [45]\d\d/.test(complaint);

describe.skipIf(!chromiumInstalled)("every state of the pages", () => {
  let server: Awaited<ReturnType<typeof servePreviewOfNothing>>;

  beforeAll(async () => {
    server = await servePreviewOfNothing();
  });
  afterAll(() => server.stop());

  /** What is wrong with these states, each with its name. */
  const problemsOf = async (
    shown: readonly PreviewState[],
    options: BrowserContextOptions,
    look: (page: Page, state: PreviewState) => Promise<readonly string[]>,
  ): Promise<readonly string[]> => {
    const browser = await PreviewWindow.open(server.url, options);
    const problems: string[] = [];
    for (const state of shown) {
      await browser.show(state);
      problems.push(...(await look(browser.page, state)).map((problem) => `${state.name}: ${problem}`));
    }
    await browser.close();
    return [...problems, ...browser.complaints.filter((complaint) => !isRefusal(complaint))];
  };

  test("has no accessibility violations and no faults of forms, and fits 1280 and 320 pixels", async () => {
    const wide = { width: 1280, height: 800 };
    const problems = await problemsOf(whole, { viewport: wide }, async (page) => {
      const found = [
        ...(await violationsOf(page)),
        ...(await misfits(page)),
        ...(await formProblemsOf(page)),
      ];
      await page.setViewportSize({ width: 320, height: 640 });
      found.push(...(await misfits(page)));
      await page.setViewportSize(wide);
      return found;
    });
    expect(problems).toEqual([]);
  }, 300_000);

  test("that differs in a sentence shows it, and fits 320 pixels", async () => {
    const problems = await problemsOf(
      sentences,
      { viewport: { width: 320, height: 640 } },
      async (page, { name }) => {
        // A session that is refused leads to the login, which need not say why.
        const said = name.startsWith("refused/session-") ? `${error}, main form` : error;
        const isSaid = (await page.locator(said).count()) > 0;
        return [...(isSaid ? [] : ["nothing is said"]), ...(await misfits(page))];
      },
    );
    expect(problems).toEqual([]);
  }, 300_000);

  test("stays so in dark, in German, in forced colours, at a zoom of 200 %, and with the keyboard alone", async () => {
    const narrow = { width: 320, height: 640 };
    const options = { colorScheme: "dark", locale: "de-DE", viewport: narrow } as const;
    const problems = await problemsOf(whole, options, async (page) => {
      const found = [...(await violationsOf(page)), ...(await misfits(page)), ...(await walkByTab(page))];
      // As a window of 1280 pixels is laid out at that zoom.
      await page.setViewportSize({ width: 640, height: 400 });
      await page.emulateMedia({ colorScheme: "light", forcedColors: "active" });
      found.push(...(await violationsOf(page)), ...(await misfits(page)));
      await page.emulateMedia({ colorScheme: "dark", forcedColors: "none" });
      await page.setViewportSize(narrow);
      return found;
    });
    expect(problems).toEqual([]);
  }, 300_000);
});

const error = "[data-kind='error'], .ostiary-error";
const controls = "a[href], button, input, select, textarea";

async function misfits(page: Page): Promise<readonly string[]> {
  const overflow = await overflowOf(page);
  return overflow === 0 ? [] : [`${overflow} pixels wider than the window`];
}

/** Presses Tab once for each control and a few times more: which ones had no focus, and on which could it not be seen? */
async function walkByTab(page: Page): Promise<readonly string[]> {
  const all = await page.locator(controls).evaluateAll((elements) =>
    elements.flatMap((element, place) => {
      const isHere = element.checkVisibility({ visibilityProperty: true }) && !element.matches(":disabled");
      return isHere ? [{ place, shown: element.outerHTML.slice(0, 120) }] : [];
    }),
  );
  const outlines = new Map<number, string>();
  // Each part of a date or a time takes the focus by itself.
  const dates = await page.locator("input:is([type='date'], [type='datetime-local'], [type='time'])").count();
  for (let press = 0; press < all.length + 3 + 8 * dates; press++) {
    await page.keyboard.press("Tab");
    const [place, outline] = await page.evaluate((selector) => {
      const focused = document.activeElement ?? document.body;
      const { outlineStyle } = getComputedStyle(focused);
      return [[...document.querySelectorAll(selector)].indexOf(focused), outlineStyle] as const;
    }, controls);
    outlines.set(place, outline);
  }
  return all.flatMap(({ place, shown }) => {
    const outline = outlines.get(place);
    if (outline === undefined) return [`Tab misses ${shown}`];
    return outline === "none" ? [`no focus is seen on ${shown}`] : [];
  });
}
