import type { JsonObject } from "@bufbuild/protobuf";
import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { chromiumInstalled, launchChromium } from "../support/chromium.ts";
import type { DrawnPage } from "./clients/rendered-form.ts";

const identifier = {
  name: "identifier",
  label: { id: 1070004, text: "ID" },
  input: { type: "INPUT_TYPE_TEXT", required: true, autocomplete: "username", value: "ada" },
};
const password = {
  name: "password.password",
  step: "password",
  label: { id: 1070001, text: "Password" },
  input: { type: "INPUT_TYPE_PASSWORD", required: true, autocomplete: "current-password" },
};
const code = {
  name: "code.code",
  step: "code",
  label: { id: 1070013, text: "Code" },
  input: { type: "INPUT_TYPE_TEXT", autocomplete: "one-time-code" },
};
const colour = {
  name: "traits.colour",
  label: { id: 1070002, text: "Colour" },
  input: {
    type: "INPUT_TYPE_TEXT",
    choices: [
      { value: "red", label: { id: 9000201, text: "Red" } },
      { value: 7, label: { id: 9000201, text: "Seven" } },
    ],
  },
};
const news = {
  name: "traits.news",
  label: { id: 1070002, text: "News" },
  input: { type: "INPUT_TYPE_CHECKBOX", value: true },
};
const button = (step: string, text: string) => ({ name: step, step, label: { id: 1, text }, button: {} });

function flow(nodes: JsonObject[], more: JsonObject = {}): JsonObject {
  const client = "CLIENT_KIND_BROWSER";
  return { id: "ost_flw_1", kind: "FLOW_KIND_LOGIN", client, form: { nodes }, ...more };
}

const wrong = (text: string) => [{ id: 4000006, type: "FORM_MESSAGE_TYPE_ERROR", text }];

describe.skipIf(!chromiumInstalled)("renderForm in Chromium", () => {
  let browser: Browser;
  let script: string;

  beforeAll(async () => {
    const result = await build({
      configFile: false,
      logLevel: "silent",
      build: {
        write: false,
        minify: false,
        lib: { entry: "test/ui/clients/rendered-form.ts", formats: ["iife"], name: "client" },
      },
    });
    const [output] = Array.isArray(result) ? result : [result];
    if (output === undefined || !("output" in output)) throw new Error("the page could not be bundled");
    script = output.output[0].code;
    browser = await launchChromium();
  });

  afterAll(() => browser.close());

  async function draw(first: JsonObject, ...answers: (JsonObject | "end" | "failure")[]): Promise<Page> {
    const page = await browser.newPage();
    await page.setContent('<h1 tabindex="-1">Sign in</h1><main></main>');
    await page.addScriptTag({ content: script });
    await page.evaluate(
      ([flow, rest]) => {
        // Less exact than DrawnPage: the compiler gives up on JSON that goes through page.evaluate.
        interface Client {
          readonly page: { draw(flow: object, answers: readonly (object | string)[]): void };
        }
        (window as unknown as { client: Client }).client.page.draw(flow, rest);
      },
      [first, answers] as readonly [object, readonly (object | string)[]],
    );
    return page;
  }

  const sentBy = (page: Page) =>
    page.evaluate(() => (window as unknown as { client: { page: DrawnPage } }).client.page.sent);
  const focused = (page: Page) =>
    page.evaluate(() => document.activeElement?.getAttribute("name") ?? document.activeElement?.tagName);

  test("draws labels, values and buttons, and sends what was filled in with the step that was pressed", async () => {
    const page = await draw(flow([identifier, password, button("password", "Sign in"), colour, news]), "end");
    expect(await page.getByLabel("ID").inputValue()).toBe("ada");
    await page.getByLabel("Password", { exact: true }).fill("secret");
    await page.getByLabel("Colour").selectOption("Seven");
    await page.getByLabel("News").uncheck();
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect
      .poll(() => sentBy(page))
      .toEqual([
        {
          step: "password",
          values: { identifier: "ada", "password.password": "secret", "traits.colour": "7" },
        },
      ]);
  });

  test("ties each label and error to its own field, in whatever letters its name is", async () => {
    const names = ["名前", "住所", "a\\.b", "a-b", "a.b", "", "A", "a"];
    const nodes = names.map((name, index) => ({
      name: `traits.${name}`,
      label: { id: 1070002, text: `Field ${index}` },
      messages: wrong(`Wrong ${index}`),
      input: { type: "INPUT_TYPE_TEXT" },
    }));
    const page = await draw(flow([...nodes, button("password", "Save")]), "end");
    for (const [index, name] of names.entries()) {
      const field = page.getByLabel(`Field ${index}`);
      expect(await field.getAttribute("name")).toBe(`traits.${name}`);
      const described = await field.getAttribute("aria-describedby");
      expect(await page.locator(`#${described}`).textContent()).toBe(`Wrong ${index}`);
      await page.click(`text=Field ${index}`);
      expect(await focused(page)).toBe(`traits.${name}`);
    }
  });

  test("lets Enter press the button of the field's own step", async () => {
    const nodes = [identifier, password, button("password", "Sign in"), code, button("code", "Use the code")];
    const page = await draw(flow(nodes), "end");
    expect(await page.locator(".ostiary-or").count()).toBe(1);
    await page.getByLabel("Code").press("Enter");
    await expect.poll(async () => (await sentBy(page)).map(({ step }) => step)).toEqual(["code"]);
  });

  test("lets Enter in a field of every step press the first button", async () => {
    const nodes = [identifier, password, button("password", "Sign in"), code, button("code", "Use the code")];
    const page = await draw(flow(nodes), "end");
    await page.getByLabel("ID").press("Enter");
    await expect.poll(async () => (await sentBy(page)).map(({ step }) => step)).toEqual(["password"]);
  });

  test("moves the focus to the first field that is wrong, else to the message, else to the heading", async () => {
    const nodes = [identifier, password, button("password", "Sign in")];
    const page = await draw(
      flow(nodes),
      flow([{ ...identifier, messages: wrong("Fill this in.") }, password, button("password", "Sign in")]),
      { ...flow([]), form: { nodes, messages: wrong("Wrong.") } },
      flow([code, button("code", "Continue")]),
    );
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForSelector("text=Fill this in.");
    await expect.poll(() => focused(page)).toBe("identifier");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForSelector("text=Wrong.");
    await expect.poll(() => page.evaluate(() => document.activeElement?.className)).toBe("ostiary-messages");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForSelector("text=Continue");
    await expect.poll(() => focused(page)).toBe("H1");
  });

  test("says that a form had expired, and that a submit has failed without taking away what was typed", async () => {
    const nodes = [identifier, password, button("password", "Sign in")];
    const page = await draw(flow(nodes), flow(nodes, { id: "ost_flw_2" }), "failure");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForSelector("text=open for too long");
    await page.getByLabel("Password", { exact: true }).fill("secret");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForSelector("text=That did not work.");
    expect(await page.getByLabel("Password", { exact: true }).inputValue()).toBe("secret");
    await expect.poll(() => page.getAttribute("form", "aria-busy")).toBe("false");
  });

  test("adds an item to a list, with the focus in it, until there is no room", async () => {
    const phone = { label: { id: 1070002, text: "Phone" }, input: { type: "INPUT_TYPE_PHONE" } };
    const list = {
      name: "traits.phones",
      label: { id: 1070002, text: "Phones" },
      list: {
        template: [{ ...phone, name: "" }],
        items: [{ nodes: [{ ...phone, name: "traits.phones.0" }] }],
        maxItems: 2,
      },
    };
    const page = await draw(flow([list, button("password", "Save")]), "end");
    await page.getByRole("button", { name: "Add to Phones" }).click();
    expect(await focused(page)).toBe("traits.phones.1");
    expect(await page.locator(".ostiary-add").isVisible()).toBe(false);
    await page.keyboard.type("+41");
    await page.getByRole("button", { name: "Save" }).click();
    await expect
      .poll(async () => (await sentBy(page)).map(({ values }) => values))
      .toEqual([{ "traits.phones.0": "", "traits.phones.1": "+41" }]);
  });

  test("shows the fields of the variant that is chosen, and no others", async () => {
    const kind = {
      name: "traits.kind",
      label: { id: 1070002, text: "Kind" },
      input: {
        type: "INPUT_TYPE_TEXT",
        value: "card",
        choices: ["card", "bank"].map((value) => ({ value, label: { text: value } })),
      },
    };
    const of = (value: string, text: string) => ({
      name: `traits.${text}`,
      label: { id: 1070002, text },
      condition: { name: "traits.kind", values: [value], clears: `traits.${text}` },
      input: { type: "INPUT_TYPE_TEXT" },
    });
    const page = await draw(
      flow([kind, of("card", "Number"), of("bank", "Account"), button("password", "Save")]),
    );
    expect(await page.getByLabel("Number").isVisible()).toBe(true);
    expect(await page.getByLabel("Account").isVisible()).toBe(false);
    await page.getByLabel("Kind").selectOption("bank");
    expect(await page.getByLabel("Number").isVisible()).toBe(false);
    expect(await page.getByLabel("Account").isVisible()).toBe(true);
  });

  test("asks before a button does what it says is dangerous, and sends its value with it", async () => {
    const remove = {
      name: "password.password",
      step: "password",
      label: { id: 1, text: "Delete" },
      button: { danger: true, confirmation: { id: 9000207, text: "Really?" }, value: "all" },
    };
    const page = await draw(flow([remove]), "end");
    const questions: string[] = [];
    page.on("dialog", (dialog) => {
      questions.push(dialog.message());
      void (questions.length === 1 ? dialog.dismiss() : dialog.accept());
    });
    await page.getByRole("button", { name: "Delete" }).click();
    expect(await sentBy(page)).toEqual([]);
    await page.getByRole("button", { name: "Delete" }).click();
    await expect
      .poll(() => sentBy(page))
      .toEqual([{ step: "password", values: { "password.password": "all" } }]);
    expect(questions).toEqual(["Really?", "Really?"]);
  });

  // Security rule: whatever a schema or a person has written becomes text, never markup.
  test("draws markup as the text that it is", async () => {
    const markup = '<img src=x onerror="document.title=1">"><script>document.title=2</script>';
    const page = await draw({
      ...flow([]),
      form: {
        nodes: [
          {
            ...identifier,
            name: `traits.${markup.replaceAll(".", "\\.")}`,
            label: { id: 1070002, text: markup },
            messages: wrong(markup),
            input: {
              type: "INPUT_TYPE_TEXT",
              value: markup,
              choices: [{ value: markup, label: { text: markup } }],
            },
          },
          button("password", markup),
        ],
        messages: wrong(markup),
      },
    });
    expect(await page.locator("main img, main script").count()).toBe(0);
    expect(await page.title()).toBe("");
    expect(await page.getByRole("button", { name: markup }).count()).toBe(1);
  });
});
