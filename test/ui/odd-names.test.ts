import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { email, password, submit, Visitors } from "./visitors.ts";

/** Names of traits in other letters, and such as differ in little, with the titles of their fields. */
const titles = {
  名前: "Name",
  住所: "Address",
  имя: "First name",
  "a.b": "Dotted",
  "a-b": "Hyphened",
  a_b: "Lined",
  A: "Capital",
  a: "Small",
  "": "Nameless",
  "x[0]": "Bracketed",
};
const person = {
  type: "object",
  required: ["email", "住所"],
  additionalProperties: false,
  properties: {
    email: { type: "string", format: "email", ostiary: { identifier: "email" } },
    ...Object.fromEntries(Object.entries(titles).map(([name, title]) => [name, { type: "string", title }])),
    answers: {
      type: "object",
      properties: { "1": { type: "string", title: "First" }, "2": { type: "string", title: "Second" } },
    },
    tags: { type: "array", title: "Tag", items: { type: "string" } },
    orders: { type: "array", items: { type: "object" } },
    news: { type: "boolean", title: "News" },
    since: { type: "string", format: "date-time", title: "Since" },
    motto: { type: "string", title: "Motto" },
    size: { enum: ["", "small", "large"], title: "Size" },
  },
};

describe.skipIf(!chromiumInstalled)("the pages in Chromium, with traits of all kinds of names", () => {
  let app: TestApp;
  let visitors: Visitors;

  beforeAll(async () => {
    app = await startTestApp({
      config: {
        tenant_defaults: { identity: { default_schema: "p", schemas: [{ id: "p", document: person }] } },
      },
    });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(async () => {
    await app.stop();
  });

  const control = (page: Page, title: string) => page.getByLabel(title, { exact: false });
  const focused = (page: Page) => page.evaluate(() => document.activeElement?.getAttribute("name"));
  const traitsOf = async (address: string) =>
    (await app.client(IdentityService).lookUpIdentity({ by: { case: "identifier", value: address } }))
      .identity;

  test("tie each label and each error to its own field, and register", async () => {
    const page = await visitors.open("/ui/registration");
    await appears(page, email);
    for (const [name, title] of Object.entries(titles)) {
      await page.click(`label:text("${title}")`);
      expect(await focused(page), title).toBe(`traits.${name.replace(".", "\\.")}`);
    }
    const ids = await page.evaluate(() => [...document.querySelectorAll("[id]")].map(({ id }) => id));
    expect(new Set(ids).size).toBe(ids.length);

    const address = freshEmail();
    await page.fill(email, address);
    await page.fill(password, goodPassword);
    await control(page, "First (").fill("one");
    await control(page, "Second").fill("two");
    await control(page, "Nameless").fill("x");
    await page.click(submit);
    await appears(page, "[aria-invalid='true']");
    const wrong = page.locator("[aria-invalid='true']");
    expect(await wrong.evaluateAll((all) => all.map((one) => one.getAttribute("name")))).toEqual([
      "traits.住所",
    ]);
    expect(await wrong.getAttribute("aria-describedby")).toBe(
      await page.locator(".ostiary-error").getAttribute("id"),
    );
    await wrong.fill("Rue X");
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/sessions");
    expect((await traitsOf(address))?.traits).toEqual({
      email: address,
      住所: "Rue X",
      answers: { "1": "one", "2": "two" },
      "": "x",
    });
  });

  test("save what was changed in the settings, and nothing else", async () => {
    const address = freshEmail();
    const traits = {
      email: address,
      住所: "Rue X",
      answers: { "1": "one", "2": "two" },
      tags: ["a", "b"],
      orders: [{ number: 1 }, { number: 2 }],
      news: true,
      since: "2026-03-04T05:06:07.123Z",
      motto: "two\nlines",
      size: "",
    };
    const { identity } = await app.client(IdentityService).createIdentity({
      traits,
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    const page = await visitors.open("/ui/login");
    await page.fill("[name='identifier']", address);
    await page.fill(password, goodPassword);
    await page.click(submit);
    await page.waitForURL("**/ui/sessions");
    await page.goto(`${app.publicUrl}/ui/settings`);
    const save = async () => {
      await page.click("button[data-step='profile']");
      await appears(page, ".ostiary-message[data-kind='success']");
      return (await app.client(IdentityService).getIdentity({ identityId: identity?.id ?? "" })).identity
        ?.traits;
    };
    await appears(page, "[name='traits.tags.1']");
    expect(await save()).toEqual(traits);

    await page.goto(`${app.publicUrl}/ui/settings`);
    await page.click("[aria-label='Add to Tag']");
    await page.fill("[name='traits.tags.0']", "");
    await page.fill("[name='traits.tags.2']", "c");
    await control(page, "News").uncheck();
    await control(page, "Size").selectOption("large");
    expect(await save()).toEqual({ ...traits, tags: ["b", "c"], news: false, size: "large" });
  });
});
