import { readFile } from "node:fs/promises";
import type { JsonObject } from "@bufbuild/protobuf";
import type { BrowserContext, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { appears, chromiumInstalled, openChromium } from "../support/chromium.ts";
import type { Answer, Asked, DrawnPage } from "./clients/drawn-page.ts";
import { settled } from "./visitors.ts";

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

/** A list, an item of which is drawn by the template, and has the nodes of `item` by itself. */
const list = (name: string, template: JsonObject[], items: JsonObject[][], more: JsonObject = {}) => ({
  name,
  label: { id: 1070002, text: "Phones" },
  list: { template, items: items.map((nodes) => ({ nodes })), ...more },
});
const phone = (name: string, more: JsonObject = {}) => ({
  name,
  label: { id: 1070002, text: "Phone" },
  input: { type: "INPUT_TYPE_PHONE", ...more },
});
/** What tells two variants apart, and a field of each. */
const variants = (prefix: string, chosen?: string): JsonObject[] => {
  const choices = ["card", "bank"].map((value) => ({ value, label: { text: value } }));
  const of = (value: string, text: string) => ({
    name: `${prefix}${text}`,
    label: { id: 1070002, text },
    condition: { name: `${prefix}kind`, values: [value], clears: `${prefix}${text}` },
    input: { type: "INPUT_TYPE_TEXT" },
  });
  const kind: JsonObject = { type: "INPUT_TYPE_TEXT", choices };
  if (chosen !== undefined) kind.value = chosen;
  return [
    { name: `${prefix}kind`, label: { id: 1070002, text: "Kind" }, input: kind },
    of("bank", "Account"),
    of("card", "Number"),
  ];
};

// Both draw the same markup, and behave alike.
const renderers = [
  ["renderForm", "test/ui/clients/render-form.ts"],
  ["FlowForm", "test/ui/clients/flow-form.tsx"],
] as const;

describe.skipIf(!chromiumInstalled).each(renderers)("%s in Chromium", (_, entry) => {
  let context: BrowserContext;
  /** The same for all tests, which load it anew: to make one takes as long as most of them. */
  let page: Page;
  let script: string;

  beforeAll(async () => {
    const result = await build({
      configFile: false,
      logLevel: "silent",
      // As an app has it: what React has for its development is several times as large.
      define: { "process.env.NODE_ENV": JSON.stringify("production") },
      oxc: { jsx: { development: false } },
      build: { write: false, lib: { entry, formats: ["iife"], name: "client" } },
    });
    const [output] = Array.isArray(result) ? result : [result];
    if (output === undefined || !("output" in output)) throw new Error("the page could not be bundled");
    script = output.output[0].code;
    context = await (await openChromium()).newContext();
    page = await context.newPage();
  });

  afterEach(async () => {
    for (const event of ["dialog", "pageerror"]) page.removeAllListeners(event);
    await page.unrouteAll();
    await context.clearPermissions();
  });
  afterAll(() => context.close());

  const draw = (first: JsonObject, ...answers: Answer[]) => drawIn({}, first, ...answers);

  /** Draws a flow in a page of its own. */
  async function drawIn(
    {
      asked = "browser",
      origin = "https://app.example",
      prepare = async () => undefined,
    }: { asked?: Asked; origin?: string; prepare?: (page: Page) => Promise<void> },
    first: JsonObject,
    ...answers: Answer[]
  ): Promise<Page> {
    const body = '<!doctype html><title>A</title><h1 tabindex="-1">Sign in</h1><main></main>';
    await page.route(`${origin}/`, (route) => route.fulfill({ contentType: "text/html", body }));
    await page.goto(`${origin}/`);
    await page.addScriptTag({ content: script });
    await prepare(page);
    await page.evaluate(
      ([flow, rest, how]) => {
        // Less exact than DrawnPage: the compiler gives up on JSON that goes through page.evaluate.
        interface Client {
          readonly page: { draw(flow: object, answers: readonly (object | string)[], asked: string): void };
        }
        (window as unknown as { client: Client }).client.page.draw(flow, rest, how);
      },
      [first, answers, asked] as readonly [object, readonly (object | string)[], string],
    );
    return page;
  }

  const sentBy = (page: Page) =>
    page.evaluate(() => (window as unknown as { client: { page: DrawnPage } }).client.page.sent);
  const questionsOf = (page: Page) =>
    page.evaluate(() =>
      (window as unknown as { client: { page: DrawnPage } }).client.page.questions.map(({ text }) => text),
    );
  const answerQuestion = (page: Page, confirmed: boolean) =>
    page.evaluate(
      (answer) =>
        (window as unknown as { client: { page: DrawnPage } }).client.page.questions.pop()?.answer(answer),
      confirmed,
    );
  const focused = (page: Page) =>
    page.evaluate(() => {
      const element = document.activeElement;
      return element?.getAttribute("name") ?? (element?.className || element?.tagName);
    });
  /** Where the focus goes: React moves it shortly after it has drawn. */
  const expectFocus = (page: Page, expected: string) => expect.poll(() => focused(page)).toBe(expected);

  describe("a field for a code", () => {
    const entry = (more: JsonObject = {}) =>
      flow([
        {
          ...{ name: "code.code", step: "code", label: { id: 1070013, text: "Code" } },
          input: { type: "INPUT_TYPE_CODE", autocomplete: "one-time-code", codeLength: 6 },
          ...more,
        },
        button("code", "Continue"),
        button("resend", "Resend"),
      ]);
    const paste = (page: Page, text: string) =>
      page.evaluate((pasted) => {
        const data = new DataTransfer();
        data.setData("text", pasted);
        const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
        document.querySelector("[name='code.code']")?.dispatchEvent(event);
      }, text);
    const codes = async (page: Page) => (await sentBy(page)).map(({ values }) => values["code.code"]);

    test("takes the code out of what is pasted, and sends it at once", async () => {
      const page = await draw(entry(), entry());
      const described = await page.getAttribute("[name='code.code']", "aria-describedby");
      expect(await page.textContent(`#${described}`)).toContain("sent as soon as all 6 digits are there");
      await paste(page, "Your code: 123-456. It expires in 10 minutes.");
      await expect.poll(() => codes(page)).toEqual(["123456"]);
    });

    test("sends a code that was typed once, when its last digit is there", async () => {
      const page = await draw(entry(), "failure", "end");
      await page.locator("[name='code.code']").pressSequentially("12345");
      expect(await codes(page)).toEqual([]);
      await page.locator("[name='code.code']").pressSequentially("6");
      await expect.poll(() => codes(page), { timeout: 5000 }).toEqual(["123456"]);
      await appears(page, "[data-kind='error']");
      // The same again is not sent by itself; another one is.
      await page.press("[name='code.code']", "End");
      await page.keyboard.press("Backspace");
      await page.locator("[name='code.code']").pressSequentially("6");
      await page.waitForFunction(() => new Promise((resolve) => setTimeout(() => resolve(true), 700)));
      expect(await codes(page)).toEqual(["123456"]);
      await page.press("[name='code.code']", "Backspace");
      await page.locator("[name='code.code']").pressSequentially("7");
      await expect.poll(() => codes(page), { timeout: 5000 }).toEqual(["123456", "123457"]);
    });

    test("sends nothing by itself after one was wrong, nor what is longer", async () => {
      const page = await draw(entry({ messages: wrong("Wrong code.") }), "end");
      await paste(page, "123456");
      expect(await page.inputValue("[name='code.code']")).toBe("123456");
      await page.waitForFunction(() => new Promise((resolve) => setTimeout(() => resolve(true), 700)));
      expect(await codes(page)).toEqual([]);
      const fresh = await draw(entry(), "end");
      await fresh.fill("[name='code.code']", "12345678901234567890");
      await fresh.waitForFunction(() => new Promise((resolve) => setTimeout(() => resolve(true), 700)));
      expect(await codes(fresh)).toEqual([]);
    });
  });

  describe("a new password", () => {
    const email = {
      name: "traits.email",
      label: { id: 1070002, text: "Email" },
      input: { type: "INPUT_TYPE_EMAIL", autocomplete: "username", value: "ada@example.com" },
    };
    const asked = {
      ...password,
      input: { ...password.input, autocomplete: "new-password", minLength: 10, maxLength: 20 },
    };
    const field = "[name='password.password']";
    /** The rules that are shown, each with its state and what its mark says. */
    const rules = (page: Page) =>
      page.locator(".ostiary-rules > li:visible").evaluateAll((items) =>
        (items as HTMLElement[]).map(({ dataset, textContent }, index) => {
          const name = items[index]?.querySelector("[role='img']")?.getAttribute("aria-label");
          return [dataset.state, name, textContent].join(" ");
        }),
      );

    test("shows which of its rules it keeps while it is typed", async () => {
      const page = await draw(flow([email, asked, button("password", "Create")]), flow([email, asked]));
      const open = [
        ...["open To check ○ At least 10 characters", "open To check ○ Different from your name and email"],
        "open To check ○ Not a common password",
      ];
      await expect.poll(() => rules(page)).toEqual(open);
      const described = await page.getAttribute(field, "aria-describedby");
      expect(await page.textContent(`#${described}`)).toContain("At least 10 characters");
      await page.fill(field, "too short");
      expect(await rules(page)).toEqual(open);
      await page.fill(field, "adaexample.com");
      expect((await rules(page)).slice(0, 2)).toEqual([
        ...["kept Met ✓ At least 10 characters", "broken Not met ✗ Different from your name and email"],
      ]);
      // By what is in the field now.
      await page.fill("[name='traits.email']", "bob@example.org");
      await page.fill(field, "lovely rivers flow");
      expect((await rules(page))[1]).toBe("kept Met ✓ Different from your name and email");
      await page.fill(field, "1234567890");
      expect((await rules(page))[2]).toBe("broken Not met ✗ Not a common password");
      await page.fill(field, "x y".repeat(7));
      expect((await rules(page))[1]).toBe("broken Not met ✗ At most 20 characters");
      // What is drawn next begins anew, and what is wrong is said by the server alone.
      await page.click("button[type='submit']");
      await expect.poll(() => rules(page)).toEqual(open);
    });

    test("tells screen readers once for each pause, and only what changed", async () => {
      await page.clock.install();
      try {
        const page = await draw(flow([email, asked, button("password", "Create")]), "end");
        const said = page.locator(".ostiary-rules-status[role='status']");
        await page.locator(field).pressSequentially("lovely rivers");
        expect(await said.textContent()).toBe("");
        await page.clock.runFor(1100);
        expect(await said.textContent()).toBe(
          "Met: At least 10 characters. Met: Different from your name and email.",
        );
        await page.locator(field).pressSequentially(" flow on and on");
        await page.clock.runFor(1100);
        expect(await said.textContent()).toBe("Not met: At most 20 characters.");
      } finally {
        await page.clock.resume();
      }
    });

    test("is not said to be like somebody whom the page does not know", async () => {
      const page = await draw(flow([asked, button("password", "Save")]), "end");
      await page.fill(field, "lovely rivers");
      expect(await rules(page)).toEqual([
        ...["kept Met ✓ At least 10 characters", "open To check ○ Not a common password"],
      ]);
    });
  });

  test("a button that waits counts down, and is then said to be there", async () => {
    await page.clock.install();
    try {
      const resend = { ...button("resend", "Resend code"), button: { wait: "30s" } };
      const page = await draw(flow([code, button("code", "Continue"), resend]), "end");
      const waiting = page.locator("button[data-step='resend']");
      expect(await waiting.isDisabled()).toBe(true);
      expect(await waiting.textContent()).toBe("Resend code in 30 seconds");
      await page.clock.runFor(10_000);
      await expect.poll(() => waiting.textContent()).toBe("Resend code in 20 seconds");
      // Not a word each second.
      expect(await page.textContent("form > [role='status']")).toBe("");
      await page.clock.runFor(20_500);
      await expect.poll(() => waiting.textContent()).toBe("Resend code");
      expect(await waiting.isDisabled()).toBe(false);
      expect(await page.textContent("form > [role='status']")).toContain("Resend code");
    } finally {
      await page.clock.resume();
    }
  });

  test("ignores the second click of a double click, which may meet another button", async () => {
    const next = flow([button("resend", "Send again")]);
    const page = await draw(flow([button("sendCode", "Send a code")]), next, "end");
    const box = await page.locator("button[type='submit']").boundingBox();
    const at = [(box?.x ?? 0) + 5, (box?.y ?? 0) + 5] as const;
    await page.mouse.click(...at);
    await appears(page, "button[data-step='resend']");
    await page.mouse.move(...at);
    await page.mouse.down({ clickCount: 2 });
    await page.mouse.up({ clickCount: 2 });
    await settled(page);
    expect((await sentBy(page)).map(({ step }) => step)).toEqual(["sendCode"]);
    await page.click("button[data-step='resend']");
    await expect.poll(() => sentBy(page)).toHaveLength(2);
  });

  describe("where there are many ways to go on", () => {
    const way = (step: string, method: string) => ({ ...button(step, step), button: { method } });
    const ways = [
      identifier,
      password,
      {
        ...button("password", "Sign in"),
        button: { importance: "BUTTON_IMPORTANCE_PRIMARY", method: "METHOD_KIND_PASSWORD" },
      },
      way("passkey", "METHOD_KIND_PASSKEY"),
      way("sendCode", "METHOD_KIND_CODE"),
      way("sendLink", "METHOD_KIND_LINK"),
    ];

    test("puts the others away, and leaves them open once they were opened", async () => {
      const again = flow(ways, { id: "ost_flw_1" });
      const page = await draw(flow(ways), again, "end");
      const other = page.locator("button[data-step='sendLink']");
      expect(await other.isVisible()).toBe(false);
      await page.click("summary");
      await other.click();
      await expect.poll(() => sentBy(page)).toHaveLength(1);
      await settled(page);
      expect(await page.locator("button[data-step='sendLink']").isVisible()).toBe(true);
    });

    test("shows which button was pressed until the answer is there", async () => {
      const page = await draw(flow(ways), "failure");
      await page.evaluate(() => {
        const seen: string[] = [];
        Reflect.set(window, "seen", seen);
        new MutationObserver(() => {
          const pressed = document.querySelector<HTMLElement>("[data-pending]");
          if (pressed !== null) seen.push(pressed.dataset.step ?? "");
        }).observe(document, { attributes: true, subtree: true });
      });
      await page.fill("[name='password.password']", "secret");
      await page.click("button[data-step='password']");
      await appears(page, "[data-kind='error']");
      expect(await page.evaluate(() => Reflect.get(window, "seen"))).toContain("password");
      expect(await page.locator("[data-pending]").count()).toBe(0);
    });
  });

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

  describe("where a passkey can be made", () => {
    const user = { id: "AAAA", name: "ada", displayName: "Ada" };
    const options = { challenge: "AAAA", rp: { id: "app.example", name: "A" }, user, pubKeyCredParams: [] };
    const offer = flow([
      {
        ...{ name: "passkey.response", step: "passkey" },
        passkey: { options, ceremony: "PASSKEY_CEREMONY_CREATE", conditional: true },
      },
      button("passkey", "Create a passkey"),
    ]);
    const calls = (page: Page) => page.evaluate(() => Reflect.get(window, "calls"));

    /** A browser that makes passkeys, or says no, and records how it was called and what it was told. */
    const browser = (capable: boolean, makes: boolean) => (page: Page) =>
      page.evaluate(
        ([conditionalCreate, isMade]) => {
          const recorded: unknown[] = [];
          Reflect.set(window, "calls", recorded);
          PublicKeyCredential.getClientCapabilities = async () => ({ conditionalCreate });
          for (const method of ["signalAllAcceptedCredentials", "signalCurrentUserDetails"]) {
            const value = async (what: object) => recorded.push([method, what]);
            Object.defineProperty(PublicKeyCredential, method, { value });
          }
          const create = async (given: CredentialCreationOptions = {}) => {
            recorded.push(Reflect.get(given, "mediation") ?? "by hand");
            if (!isMade) throw new DOMException("no", "NotAllowedError");
            const [rawId, clientDataJSON, attestationObject] = [1, 2, 3].map(
              (byte) => Uint8Array.of(byte).buffer,
            );
            const response = { clientDataJSON, attestationObject, getTransports: () => ["internal"] };
            return { id: "AQ", rawId, type: "public-key", response, getClientExtensionResults: () => ({}) };
          };
          Object.defineProperty(navigator.credentials, "create", { value: create, configurable: true });
        },
        [capable, makes] as const,
      );

    test("has the browser make it by itself, and sends it with its step", async () => {
      const page = await drawIn({ prepare: browser(true, true) }, offer, "end");
      await expect.poll(() => sentBy(page)).toMatchObject([{ step: "passkey" }]);
      const [{ values = {} } = {}] = await sentBy(page);
      expect(JSON.parse(values["passkey.response"] ?? "")).toMatchObject({ id: "AQ", type: "public-key" });
      expect(await calls(page)).toEqual(["conditional"]);
    });

    test("says nothing where it makes none, and does not have it try again after a no", async () => {
      const page = await drawIn({ prepare: browser(true, false) }, offer);
      await expect.poll(() => calls(page)).toEqual(["conditional"]);
      expect(await page.locator(".ostiary-message").count()).toBe(0);
      await page.getByRole("button", { name: "Create a passkey" }).click();
      await appears(page, ".ostiary-message[data-kind='error']");
      await settled(page);
      expect(await calls(page)).toEqual(["conditional", "by hand"]);
      expect(await sentBy(page)).toEqual([]);
    });

    test("waits for the button where the browser makes none by itself", async () => {
      const page = await drawIn({ prepare: browser(false, true) }, offer, "end");
      await settled(page);
      expect(await calls(page)).toEqual([]);
      await page.getByRole("button", { name: "Create a passkey" }).click();
      await expect.poll(() => sentBy(page)).toMatchObject([{ step: "passkey" }]);
      expect(await calls(page)).toEqual(["by hand"]);
    });

    test("tells the browser of those that the account has", async () => {
      const passkeys = { rpId: "app.example", userId: "AAAA", allAcceptedCredentialIds: ["AQ"] };
      const named = { ...passkeys, name: "ada", displayName: "Ada" };
      const settings = { changeSettings: { offers: [{ passkey: { accepted: [named] } }] } };
      const page = await drawIn({ prepare: browser(true, true) }, flow([], settings));
      await expect
        .poll(() => calls(page))
        .toEqual([
          ["signalAllAcceptedCredentials", passkeys],
          [
            "signalCurrentUserDetails",
            { rpId: "app.example", userId: "AAAA", name: "ada", displayName: "Ada" },
          ],
        ]);
    });
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
      flow([
        { ...identifier, messages: wrong("Please fill in this field.") },
        password,
        button("password", "Sign in"),
      ]),
      { ...flow([]), form: { nodes, messages: wrong("Wrong.") } },
      flow([code, button("code", "Continue")]),
    );
    await page.getByRole("button", { name: "Sign in" }).click();
    await appears(page, "text=Please fill in this field.");
    await expectFocus(page, "identifier");
    await page.getByRole("button", { name: "Sign in" }).click();
    await appears(page, "text=Wrong.");
    await expectFocus(page, "ostiary-messages");
    await page.getByRole("button", { name: "Sign in" }).click();
    await appears(page, "text=Continue");
    await expectFocus(page, "H1");
  });

  test("says that a form had expired, and that a submit has failed without taking away what was typed", async () => {
    const nodes = [identifier, password, button("password", "Sign in")];
    const page = await draw(flow(nodes), flow(nodes, { id: "ost_flw_2" }), "failure");
    await page.getByRole("button", { name: "Sign in" }).click();
    await appears(page, "text=open for too long");
    await page.getByLabel("Password", { exact: true }).fill("secret");
    await page.getByRole("button", { name: "Sign in" }).click();
    await appears(page, "text=That didn't work.");
    expect(await page.getByLabel("Password", { exact: true }).inputValue()).toBe("secret");
    await expect.poll(() => page.getAttribute("form", "aria-busy")).toBe("false");
  });

  test("adds an item to a list, with the focus in it, until there is no room", async () => {
    const phones = list("traits.phones", [phone("")], [[phone("traits.phones.0")]], { maxItems: 2 });
    const page = await draw(flow([phones, button("password", "Save")]), "end");
    await page.getByRole("button", { name: "Add to Phones" }).click();
    await expectFocus(page, "traits.phones.1");
    expect(await page.locator(".ostiary-add").isVisible()).toBe(false);
    await page.keyboard.type("+41");
    await page.getByRole("button", { name: "Save" }).click();
    await expect
      .poll(async () => (await sentBy(page)).map(({ values }) => values))
      .toEqual([{ "traits.phones.0": "", "traits.phones.1": "+41" }]);
  });

  test("takes an item out of a list, with the focus beside it, and makes room for another", async () => {
    const items = ["+41", "+43"].map((value, at) => [phone(`traits.phones.${at}`, { value })]);
    const phones = list("traits.phones", [phone("")], items, { maxItems: 2 });
    const page = await draw(flow([phones, button("password", "Save")]), "end");
    await page.getByRole("button", { name: "Remove Phones 1" }).click();
    await expectFocus(page, "traits.phones.1");
    await page.getByRole("button", { name: "Add to Phones" }).click();
    await expectFocus(page, "traits.phones.2");
    await page.keyboard.type("+49");
    await page.getByRole("button", { name: "Remove Phones 2" }).click();
    await expectFocus(page, "traits.phones.2");
    await page.getByRole("button", { name: "Remove Phones 3" }).click();
    await expectFocus(page, "ostiary-add");
    await page.getByRole("button", { name: "Save" }).click();
    await expect
      .poll(async () => (await sentBy(page)).map(({ values }) => values))
      .toEqual([{ "traits.phones.0": "", "traits.phones.1": "" }]);
  });

  test("offers to take out nothing that comes before what only an operator changes", async () => {
    const items = ["+41", "+43"].map((value, at) => [
      phone(`traits.phones.${at}`, { value, readOnly: at === 0 }),
    ]);
    const page = await draw(flow([list("traits.phones", [phone("")], items), button("password", "Save")]));
    expect(await page.getByRole("button", { name: "Remove Phones 1" }).count()).toBe(0);
    expect(await page.getByRole("button", { name: "Remove Phones 2" }).count()).toBe(1);
  });

  test("draws a list of choices as boxes, and says that they were drawn if none is ticked", async () => {
    const choices = ["mail", "sms"].map((value) => ({ value, label: { id: 9000201, text: `By ${value}` } }));
    const item = [{ name: "traits.ways.0", input: { value: "mail", choices } }];
    const ways = list("traits.ways", [{ name: "", input: { choices } }], [item], { choices });
    const page = await draw(flow([ways, button("password", "Save")]), "end");
    const boxes = page.getByRole("group", { name: "Phones" });
    expect(await boxes.getByLabel("By mail").isChecked()).toBe(true);
    expect(await boxes.getByLabel("By sms").isChecked()).toBe(false);
    expect(await page.locator(".ostiary-add, .ostiary-remove").count()).toBe(0);
    await boxes.getByLabel("By mail").uncheck();
    await page.getByRole("button", { name: "Save" }).click();
    await expect
      .poll(async () => (await sentBy(page)).map(({ values }) => values))
      .toEqual([{ "traits.ways": "" }]);
  });

  test("draws an object with its label, and hides the label with the last of its fields", async () => {
    const groups: JsonObject[] = [
      { name: "traits.payment", label: { text: "Payment" }, help: { text: "Only once." } },
      { name: "traits.payment.more", label: { text: "More" } },
    ];
    const [kind = {}, account = {}, number = {}] = variants("traits.");
    const nodes = [kind, { ...account, groups }, { ...number, groups: groups.slice(0, 1) }];
    const page = await draw(flow([...nodes, button("password", "Save")]));
    const outer = page.locator(".ostiary-group", { hasText: "Payment" }).first();
    const inner = page.locator(".ostiary-group .ostiary-group");
    expect([await outer.isVisible(), await inner.isVisible()]).toEqual([false, false]);
    await page.getByLabel("Kind").selectOption("card");
    expect([await outer.isVisible(), await inner.isVisible()]).toEqual([true, false]);
    await page.getByLabel("Kind").selectOption("bank");
    expect([await outer.isVisible(), await inner.isVisible()]).toEqual([true, true]);
    const described = await outer.getAttribute("aria-describedby");
    expect(await page.textContent(`#${described}`)).toBe("Only once.");
  });

  test("gives numbers as the server reads them, and a date of which a part is missing as one that is wrong", async () => {
    const number = (name: string, value: number) => ({
      name: `traits.${name}`,
      label: { id: 1070002, text: name },
      input: { type: "INPUT_TYPE_NUMBER", value },
    });
    const day = {
      name: "traits.day",
      label: { id: 1070002, text: "Day" },
      input: { type: "INPUT_TYPE_DATE" },
    };
    const nodes = [number("One", 1.234), number("Two", 2), number("Three", 3), day];
    const page = await draw(flow([...nodes, button("password", "Save")]), "end");
    expect(await page.getByLabel("One").inputValue()).toBe("1.234");
    await page.getByLabel("Two").fill("1 234,5");
    await page.getByLabel("Three").fill("1,234");
    await page.getByLabel("Day").focus();
    await page.keyboard.type("12");
    await page.getByRole("button", { name: "Save" }).click();
    await expect
      .poll(async () => (await sentBy(page)).map(({ values }) => values))
      .toEqual([
        { "traits.One": "1.234", "traits.Two": "1234.5", "traits.Three": "1,234", "traits.day": "-" },
      ]);
  });

  test("opens a link in a new tab, and draws no link that is not a web page", async () => {
    const link = { url: "https://example.com/terms", label: { text: "Terms" } };
    const unsafe = { url: "javascript:alert(1)", label: { text: "Unsafe" } };
    const page = await draw(
      flow([{ ...news, link }, { ...colour, link: unsafe }, button("password", "Save")]),
    );
    const drawn = page.getByRole("link", { name: "Terms (opens in a new tab)" });
    expect(await drawn.getAttribute("target")).toBe("_blank");
    expect(await drawn.getAttribute("rel")).toBe("noopener");
    expect(await page.getByRole("link").count()).toBe(1);
  });

  test("shows the fields of the variant that is chosen, and no others", async () => {
    const page = await draw(flow([...variants("traits.", "card"), button("password", "Save")]));
    expect(await page.getByLabel("Number").isVisible()).toBe(true);
    expect(await page.getByLabel("Account").isVisible()).toBe(false);
    await page.getByLabel("Kind").selectOption("bank");
    expect(await page.getByLabel("Number").isVisible()).toBe(false);
    expect(await page.getByLabel("Account").isVisible()).toBe(true);
  });

  test("shows of an item that is added the fields of the variant that is chosen", async () => {
    const cards = list("traits.cards", variants("."), []);
    const page = await draw(flow([cards, button("password", "Save")]));
    await page.getByRole("button", { name: "Add to Phones" }).click();
    await expectFocus(page, "traits.cards.0.kind");
    expect(await page.locator(".ostiary-field:visible").count()).toBe(1);
    await page.getByLabel("Kind").selectOption("bank");
    expect(await page.getByLabel("Account").isVisible()).toBe(true);
    expect(await page.getByLabel("Number").isVisible()).toBe(false);
  });

  test("moves the focus to what is to be filled in, and not to what is hidden or read only", async () => {
    const known = { ...identifier, input: { type: "INPUT_TYPE_TEXT", readOnly: true } };
    const save = button("password", "Save");
    const messages = [{ id: 1, type: "FORM_MESSAGE_TYPE_INFO", text: "Go on." }];
    const page = await draw(flow([save]), {
      ...flow([]),
      form: { nodes: [known, ...variants("traits.", "card"), save], messages },
    });
    await page.getByRole("button", { name: "Save" }).click();
    await appears(page, "text=Go on.");
    await expectFocus(page, "traits.Number");
  });

  test("moves the focus past an error that nobody can see", async () => {
    const save = button("password", "Save");
    const [kind, account, number] = variants("traits.", "card").map((node) => ({
      ...node,
      messages: wrong(`Wrong ${node.name}`),
    }));
    const page = await draw(flow([save]), flow([account ?? {}, number ?? {}, kind ?? {}, save]));
    await page.getByRole("button", { name: "Save" }).click();
    await appears(page, "text=Wrong traits.Number");
    await expectFocus(page, "traits.Number");
  });

  test("moves the focus to a list that is wrong as a whole, before fields that are wrong after it", async () => {
    const phones = list("traits.phones", [phone("")], []);
    const save = button("password", "Save");
    const page = await draw(
      flow([phones, save]),
      flow([
        { ...phones, messages: wrong("At least one.") },
        { ...identifier, messages: wrong("No.") },
        save,
      ]),
    );
    expect(await page.getAttribute("fieldset", "tabindex")).toBeNull();
    await page.getByRole("button", { name: "Save" }).click();
    await appears(page, "text=At least one.");
    await expectFocus(page, "ostiary-list");
    const described = await page.getAttribute("fieldset", "aria-describedby");
    const ids = (described ?? "").split(" ").map((id) => page.locator(`#${id}`).textContent());
    expect(await Promise.all(ids)).toEqual(["At least one."]);
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

  const dangerous = {
    name: "password.password",
    step: "password",
    label: { id: 1, text: "Delete" },
    button: { danger: true, confirmation: { id: 9000207, text: "Really?" } },
  };

  test("asks once, however often the button is pressed, and can be asked again", async () => {
    const page = await drawIn({ asked: "test" }, flow([dangerous]), "end");
    const remove = page.getByRole("button", { name: "Delete" });
    await remove.click();
    await remove.click();
    expect(await questionsOf(page)).toEqual(["Really?"]);
    await answerQuestion(page, false);
    await expect.poll(() => page.getAttribute("form", "aria-busy")).toBe("false");
    await remove.click();
    await answerQuestion(page, true);
    await expect.poll(async () => (await sentBy(page)).map(({ step }) => step)).toEqual(["password"]);
  });

  test("says that it did not work where nobody can be asked", async () => {
    const page = await drawIn({ asked: "broken" }, flow([dangerous]), "end");
    const errors: Error[] = [];
    page.on("pageerror", (error) => errors.push(error));
    await page.getByRole("button", { name: "Delete" }).click();
    await appears(page, "text=That didn't work.");
    expect([await sentBy(page), errors]).toEqual([[], []]);
  });

  describe("of a text to copy", () => {
    const recovery = { name: "t", text: { text: { id: 1, text: "one two" }, copyable: true } };

    test("copies it, and says so", async () => {
      const page = await draw(flow([recovery]));
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await page.getByRole("button", { name: "Copy" }).click();
      await expect.poll(() => page.getByRole("status").allTextContents()).toContain("Copied.");
      expect(await page.evaluate(() => navigator.clipboard.readText())).toBe("one two");
    });

    test("saves and prints it where it is to be kept", async () => {
      const kept = { name: "backupCodes.codes", text: { text: { id: 1, text: "one\ntwo" }, keepable: true } };
      const page = await draw(flow([kept]));
      const saved = page.waitForEvent("download");
      await page.getByRole("button", { name: "Save as a file" }).click();
      const download = await saved;
      const { host, hostname } = new URL(page.url());
      expect(download.suggestedFilename()).toBe(`${hostname}-backup-codes.txt`);
      expect(await readFile(await download.path(), "utf8")).toBe(`${host}\n\none\ntwo\n`);
      const printed = page.evaluate(
        () => new Promise<void>((resolve) => Object.assign(window, { print: () => resolve() })),
      );
      await page.getByRole("button", { name: "Print" }).click();
      await printed;
    });

    test("says where it could not be copied", async () => {
      const page = await draw(flow([recovery]));
      const errors: Error[] = [];
      page.on("pageerror", (error) => errors.push(error));
      await page.evaluate(() => {
        navigator.clipboard.writeText = () => Promise.reject(new Error("not allowed"));
      });
      await page.getByRole("button", { name: "Copy" }).click();
      await appears(page, "text=couldn't be copied");
      expect(errors).toEqual([]);
    });

    test("offers nothing where there is no clipboard, as in a page over http", async () => {
      const page = await drawIn({ origin: "http://app.example" }, flow([recovery]));
      expect(await page.getByText("one two").isVisible()).toBe(true);
      expect(await page.getByRole("button").count()).toBe(0);
    });
  });

  // Security rule (SR-PAGES-1): whatever a schema or a person has written becomes text, never markup.
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
    await expect.poll(() => page.title()).toBe("A");
    expect(await page.getByRole("button", { name: markup }).count()).toBe(1);
  });
});
