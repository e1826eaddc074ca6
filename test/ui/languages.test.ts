import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { deletionConfig } from "../support/deletion.ts";
import { submit, Visitors } from "./visitors.ts";

const dayMs = 86_400_000;

describe.skipIf(!chromiumInstalled)("the languages of the self-service pages, in Chromium", () => {
  let app: TestApp;
  let visitors: Visitors;

  beforeAll(async () => {
    app = await startTestApp({ config: deletionConfig() });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(async () => {
    await app.stop();
  });

  test.each([
    ["en-GB", "en", "Welcome back."],
    ["de-CH", "de", "Willkommen zurück."],
    ["fr-CH", "en", "Welcome back."],
  ])("with %s load the texts of %s alone", async (locale, language, said) => {
    const page = await visitors.open("/ui/login", { locale });
    await appears(page, `text=${said}`);
    expect(await page.evaluate(() => document.documentElement.lang)).toBe(language);
    const loaded = await page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .flatMap(({ name }) => /\/(en|de)-[\w-]+\.js$/.exec(name)?.[1] ?? []),
    );
    expect(loaded).toEqual([language]);
  });

  test.each([
    ["en-US", "Pacific/Kiritimati"],
    ["en-GB", "Pacific/Pago_Pago"],
    ["de-AT", "Europe/Vienna"],
  ])("in %s and %s write days as their reader does", async (locale, timezoneId) => {
    const { page } = await visitors.register({ locale, timezoneId });
    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, submit);
    await page.click("[data-step='deleteAccount']");
    const before = app.clock.now().getTime();
    await page.click("dialog [value='confirmed']");
    const day = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: timezoneId });
    await appears(page, `[role='status'] >> text=${day.format(new Date(before + 30 * dayMs))}`);
  });
});
