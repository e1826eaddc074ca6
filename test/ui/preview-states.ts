import type { BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll } from "vitest";
import type { PreviewState } from "../../src/preview/preview-state.ts";
import { PreviewWindow, previewOfNothing, servePreviewOfNothing } from "../support/preview.ts";
import { overflowOf } from "./scan.ts";

/*
 * What the tests of every state of the pages have in common. They are three files, so that they run side by side; each shows its states in one
 * window, one after the other.
 */

const { states } = await previewOfNothing();

/** States that differ from another one in a sentence alone. */
export const sentences = states.filter(({ name }) => /^(message|refused)\//.test(name));
/** All others. */
export const whole = states.filter((state) => !sentences.includes(state));

/** The one answer that is no mistake of a page: the server refuses a call. */
const isRefusal = (complaint: string) => /the server responded with a status of [45]\d\d/.test(complaint);

/** Says what is wrong with states, each with its name. */
export type FindProblems = (
  shown: readonly PreviewState[],
  options: BrowserContextOptions,
  look: (page: Page, state: PreviewState) => Promise<readonly string[]>,
) => Promise<readonly string[]>;

/** Serves the preview to the tests of a `describe`. */
export function servePreview(): FindProblems {
  let server: Awaited<ReturnType<typeof servePreviewOfNothing>>;
  beforeAll(async () => {
    server = await servePreviewOfNothing();
  });
  afterAll(() => server.stop());

  return async (shown, options, look) => {
    const browser = await PreviewWindow.open(server.url, options);
    const problems: string[] = [];
    for (const state of shown) {
      await browser.show(state);
      problems.push(...(await look(browser.page, state)).map((problem) => `${state.name}: ${problem}`));
    }
    await browser.close();
    return [...problems, ...browser.complaints.filter((complaint) => !isRefusal(complaint))];
  };
}

/** Whether a page is wider than its window. */
export async function misfits(page: Page): Promise<readonly string[]> {
  const overflow = await overflowOf(page);
  return overflow === 0 ? [] : [`${overflow} pixels wider than the window`];
}
