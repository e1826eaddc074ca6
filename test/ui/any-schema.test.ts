import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { IdentityService } from "../../gen/ostiary/identity/v1/identity_service_pb.js";
import { freshEmail, goodPassword, logIn } from "../support/accounts.ts";
import { startTestApp, type TestApp } from "../support/app.ts";
import { appears, chromiumInstalled } from "../support/chromium.ts";
import { richSchemas } from "../support/rich-schema.ts";
import { overflowOf, violationsOf } from "./scan.ts";
import { email, focused, identifier, password, settled, Visitors } from "./visitors.ts";

const german = { locale: "de-DE", timezoneId: "Europe/Berlin" };
const trait = (name: string) => `[name='traits.${name}']`;
const signUp = "button[data-step='password']";

describe.skipIf(!chromiumInstalled)("the pages, with a schema that has everything,", () => {
  let app: TestApp;
  let visitors: Visitors;

  beforeAll(async () => {
    app = await startTestApp({
      config: { tenant_defaults: { identity: { schemas: richSchemas, default_country: "DE" } } },
    });
    visitors = await Visitors.of(app.publicUrl);
  });
  afterEach(() => visitors.leave());
  afterAll(async () => {
    await app.stop();
  });

  /** What is said at each field, by the name of its control. */
  const saidOn = (page: Page): Promise<Record<string, string>> =>
    page.evaluate(() => {
      const wrong = Array.from(document.querySelectorAll("[aria-invalid='true'], [data-invalid]"));
      return Object.fromEntries(
        wrong.map((element) => {
          const ids = (element.getAttribute("aria-describedby") ?? "").split(" ");
          const said = ids.filter((id) => id.endsWith("_errors")).map((id) => document.getElementById(id));
          const name = element.getAttribute("name") ?? element.querySelector("legend")?.textContent ?? "";
          return [name, said.map((each) => each?.textContent ?? "").join(" ")];
        }),
      );
    });

  async function traitsOf(address: string) {
    const { identity } = await app.client(IdentityService).lookUpIdentity({
      by: { case: "identifier", value: address },
    });
    return identity?.traits;
  }

  /** Fills in what an account must have. */
  async function fillInNeeded(page: Page): Promise<string> {
    const address = freshEmail();
    await page.fill(email, address);
    await page.fill(trait("name.first"), "Ada");
    await page.fill(trait("name.last"), "Lovelace");
    await page.check(trait("terms"));
    await page.fill(password, goodPassword);
    return address;
  }

  /** Adds an item to a list. The focus goes to its first field, and what is typed before would go there with it. */
  async function addItem(page: Page, button: string): Promise<void> {
    await page.getByRole("button", { name: button }).click();
    await settled(page);
  }

  test("take what a person fills in as people of their language write it, and show it so again", async () => {
    const page = await visitors.open("/ui/registration", german);
    await appears(page, email);
    const address = await fillInNeeded(page);
    await page.fill(trait("phone"), "0171 / 234 56-78");
    await page.fill(trait("handle"), "ada_1");
    await page.fill(trait("birthday"), "1990-12-10");
    await page.fill(trait("call_at"), "2026-12-01T09:30");
    await page.fill(trait("height"), "1,72");
    await page.fill(trait("employees"), "1234");
    await page.fill(trait("website"), "https://example.com/ada");
    await page.fill(trait("about"), "One line,\nand another.");
    await page.selectOption(trait("plan"), { label: "Mit Betreuung" });
    await page.check("text=Per Post");
    await page.check("text=Per E-Mail");
    await page.selectOption(trait("payment.kind"), { label: "Per Lastschrift" });
    await page.fill(trait("payment.account"), "DE02");
    await addItem(page, "Zu Interessen hinzufügen");
    await page.fill(trait("tags.0"), "Schach");
    await addItem(page, "Zu Anschriften hinzufügen");
    await page.fill(trait("addresses.0.city"), "Bern");
    await page.fill(trait("answer"), "Rex");
    await page.click(signUp);
    await page.waitForURL("**/ui/verification*");
    const saved = {
      email: address,
      phone: "+491712345678",
      handle: "ada_1",
      name: { first: "Ada", last: "Lovelace" },
      birthday: "1990-12-10",
      call_at: "2026-12-01T08:30:00.000Z",
      height: 1.72,
      employees: 1234,
      website: "https://example.com/ada",
      about: "One line,\nand another.",
      plan: "paid",
      channels: ["mail", "post"],
      payment: { kind: "debit", account: "DE02" },
      tags: ["Schach"],
      addresses: [{ city: "Bern" }],
      terms: true,
      answer: "Rex",
    };
    expect(await traitsOf(address)).toEqual(saved);

    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, trait("height"));
    expect(await page.inputValue(trait("height"))).toBe("1,72");
    expect(await page.inputValue(trait("call_at"))).toBe("2026-12-01T09:30");
    expect(await page.isChecked("text=Per SMS")).toBe(false);
    expect(await page.isChecked("text=Per Post")).toBe(true);
    // A form that nobody touched changes nothing, and what is only written is not shown.
    expect(await page.inputValue(trait("answer"))).toBe("");
    await page.click("button[data-step='profile']");
    await appears(page, "[data-kind='success']");
    expect(await traitsOf(address)).toEqual(saved);

    await page.fill(trait("height"), "1,8");
    await page.getByRole("checkbox", { name: "Per Post" }).uncheck();
    await page.getByRole("checkbox", { name: "Per SMS" }).check();
    await page.getByRole("button", { name: "Anschriften 1 entfernen" }).click();
    await page.click("button[data-step='profile']");
    await expect.poll(async () => (await traitsOf(address))?.height).toBe(1.8);
    expect(await traitsOf(address)).toEqual({
      ...saved,
      height: 1.8,
      channels: ["mail", "sms"],
      addresses: [],
    });

    // They also sign in with the number as they write it.
    expect((await logIn(app, "01712345678")).case).toBe("completed");
  });

  test("mark all that is wrong at once, in the language of the person, without a word of a program", async () => {
    const page = await visitors.open("/ui/registration", german);
    await appears(page, email);
    await page.fill(email, "nichts");
    await page.fill(trait("phone"), "0171");
    await page.fill(trait("handle"), "9");
    await page.fill(trait("height"), "1.234");
    await page.fill(trait("employees"), "-1");
    await page.fill(trait("website"), "example.com");
    await page.check("text=Per E-Mail");
    await page.check("text=Per SMS");
    await page.check("text=Per Post");
    await page.selectOption(trait("payment.kind"), { label: "Per Lastschrift" });
    await page.fill(password, "kurz");
    await page.click(signUp);
    await expect.poll(() => focused(page)).toBe("traits.email");
    expect(await saidOn(page)).toEqual({
      "traits.email": "Geben Sie eine gültige E-Mail-Adresse ein.",
      "traits.phone":
        "Geben Sie eine gültige Telefonnummer ein. Eine aus einem anderen Land beginnt mit + und ihrer Ländervorwahl.",
      "traits.handle": "Nehmen Sie 3 bis 20 Kleinbuchstaben und Ziffern, zuerst einen Buchstaben.",
      "traits.name.first": "Bitte ausfüllen.",
      "traits.name.last": "Bitte ausfüllen.",
      "traits.height": "Geben Sie die Zahl ohne Tausendertrennzeichen ein, zum Beispiel 1234 oder 1,5.",
      "traits.employees": "Geben Sie mindestens 0 ein.",
      "traits.website":
        "Geben Sie eine vollständige Internetadresse ein, zum Beispiel https://example.com/seite.",
      "Wie dürfen wir Sie erreichen?": "Geben Sie höchstens 2 an.",
      "traits.payment.account": "Bitte ausfüllen.",
      "traits.terms": "Setzen Sie dieses Häkchen, um fortzufahren.",
      "password.password": "Ihr Passwort braucht mindestens 8 Zeichen.",
    });
    // What was typed stays, also what could not be read.
    expect(await page.inputValue(trait("height"))).toBe("1.234");
    expect(await page.isChecked("text=Per SMS")).toBe(true);

    const address = await fillInNeeded(page);
    await page.fill(trait("phone"), "");
    await page.fill(trait("handle"), "");
    await page.fill(trait("height"), "2,75");
    await page.fill(trait("employees"), "1,5");
    await page.fill(trait("website"), "");
    await page.uncheck("text=Per SMS");
    await page.fill(trait("payment.account"), "DE");
    await page.click(signUp);
    await expect.poll(() => focused(page)).toBe("traits.height");
    expect(await saidOn(page)).toEqual({
      "traits.height": "Geben Sie höchstens 2,5 ein.",
      "traits.employees": "Geben Sie eine ganze Zahl ein, zum Beispiel 42.",
      "traits.payment.account": "Verwenden Sie mindestens 4 Zeichen.",
    });
    await page.fill(trait("height"), "");
    await page.fill(trait("employees"), "");
    await page.fill(trait("payment.account"), "DE02");
    await page.fill(password, goodPassword);
    await page.click(signUp);
    await page.waitForURL("**/ui/verification*");
    expect(await traitsOf(address)).toMatchObject({
      channels: ["mail", "post"],
      payment: { account: "DE02" },
    });
  });

  test("read numbers of the language, and say so of one that may be another", async () => {
    const page = await visitors.open("/ui/registration");
    await appears(page, email);
    const address = await fillInNeeded(page);
    await page.fill(trait("height"), "1,234");
    await page.click(signUp);
    await expect.poll(() => focused(page)).toBe("traits.height");
    expect(await saidOn(page)).toEqual({
      "traits.height": "Enter the number without thousands separators, for example 1234 or 1.5.",
    });
    await page.fill(trait("height"), "1.72");
    await page.fill(password, goodPassword);
    await page.click(signUp);
    await page.waitForURL("**/ui/verification*");
    expect((await traitsOf(address))?.height).toBe(1.72);
  });

  test("do not lose a date of which only a part was filled in", async () => {
    const page = await visitors.open("/ui/registration");
    await appears(page, email);
    const address = await fillInNeeded(page);
    await page.focus(trait("birthday"));
    await page.keyboard.type("12");
    await page.click(signUp);
    await expect.poll(() => focused(page)).toBe("traits.birthday");
    expect(await saidOn(page)).toEqual({
      "traits.birthday": "Enter a valid date.",
    });
    // It may also be left empty.
    await page.fill(password, goodPassword);
    await page.click(signUp);
    await page.waitForURL("**/ui/verification*");
    expect(await traitsOf(address)).not.toHaveProperty("birthday");
  });

  test("let an operator's number be seen and not changed, and lead to the terms in a new tab", async () => {
    const address = freshEmail();
    await app.client(IdentityService).createIdentity({
      traits: { email: address, name: { first: "A", last: "B" }, terms: true, customer: "C-1" },
      credentials: { password: { value: { case: "password", value: goodPassword } } },
    });
    const page = await visitors.open("/ui/login", german);
    await page.fill(identifier, address);
    await page.fill(password, goodPassword);
    await page.click("button[data-step='password']");
    await page.waitForURL("**/ui/sessions");
    await page.goto(`${app.publicUrl}/ui/settings`);
    await appears(page, trait("customer"));
    expect(await page.getAttribute(trait("customer"), "readonly")).toBe("");
    const link = page.getByRole("link", { name: "Nutzungsbedingungen (öffnet einen neuen Tab)" });
    expect(await link.getAttribute("href")).toBe("https://example.com/agb");
    expect([await link.getAttribute("target"), await link.getAttribute("rel")]).toEqual([
      "_blank",
      "noopener",
    ]);
    // Consent that must be given cannot be taken back by an empty box.
    await page.uncheck(trait("terms"));
    await page.click("button[data-step='profile']");
    await expect.poll(() => focused(page)).toBe("traits.terms");
    expect(await saidOn(page)).toEqual({ "traits.terms": "Setzen Sie dieses Häkchen, um fortzufahren." });
  });

  test.each([
    ["light", 1280, "en-GB"],
    ["dark", 320, "de-DE"],
  ] as const)(
    "have no accessibility violations and fit, in %s at %i pixels, in %s, also with all that can be wrong",
    async (colorScheme, width, locale) => {
      const page = await visitors.open("/ui/registration", {
        ...{ colorScheme, locale },
        viewport: { width, height: 700 },
      });
      await appears(page, email);
      for (const add of await page.locator(".ostiary-add").all()) await add.click();
      await page.selectOption(trait("payment.kind"), "debit");
      await settled(page);
      expect(await violationsOf(page)).toEqual([]);
      expect(await overflowOf(page)).toBe(0);
      await page.click(signUp);
      await appears(page, "[aria-invalid='true']");
      await settled(page);
      expect(await violationsOf(page)).toEqual([]);
      expect(await overflowOf(page)).toBe(0);
    },
  );
});
