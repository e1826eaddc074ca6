import { describe, expect, test } from "vitest";
import { chromiumInstalled } from "../support/chromium.ts";
import { misfits, servePreview, whole } from "./preview-states.ts";
import { formProblemsOf, violationsOf } from "./scan.ts";

describe.skipIf(!chromiumInstalled)("every state of the pages", () => {
  const problemsOf = servePreview();

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
});
