import { describe, expect, test } from "vitest";
import { chromiumInstalled } from "../support/chromium.ts";
import { misfits, sentences, servePreview } from "./preview-states.ts";

const error = "[data-kind='error'], .ostiary-error";

describe.skipIf(!chromiumInstalled)("every state of the pages", () => {
  const problemsOf = servePreview();

  test("that differs in a sentence shows it, and fits 320 pixels", async () => {
    const narrow = { viewport: { width: 320, height: 640 } };
    const problems = await problemsOf(sentences, narrow, async (page, { name }) => {
      // A session that is refused leads to the login, which need not say why.
      const said = name.startsWith("refused/session-") ? `${error}, main form` : error;
      const isSaid = (await page.locator(said).count()) > 0;
      return [...(isSaid ? [] : ["nothing is said"]), ...(await misfits(page))];
    });
    expect(problems).toEqual([]);
  }, 300_000);
});
