import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { MessageContent } from "../../domain/courier/message.ts";
import { messageTemplates, sampleContent } from "../../domain/courier/message.ts";
import { LiquidRenderer } from "./liquid-renderer.ts";
import { languagesOf, readTemplateFiles, templateFile } from "./template-files.ts";

let folder: string | undefined;
afterEach(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true });
  folder = undefined;
});

/** A renderer with these files over the built-in ones. */
function rendererWith(
  own: Record<string, string> = {},
  defaultLanguage = "en",
  pageDomain = "id.example.com",
  support = "",
): LiquidRenderer {
  folder = mkdtempSync(join(tmpdir(), "ostiary-templates-"));
  for (const [name, text] of Object.entries(own)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  const { files } = readTemplateFiles(folder);
  return new LiquidRenderer({
    files,
    defaultLanguage,
    serviceName: "Acme & Sons",
    support,
    pageDomain,
  });
}

async function mail(renderer: LiquidRenderer, content: MessageContent, language = "en") {
  const message = await renderer.render(content, "email", language);
  if (message.channel !== "email") throw new Error("no mail");
  return message;
}

const code: MessageContent = { template: "login_code", data: { code: "048213", minutes: 10 } };

describe("the built-in templates", () => {
  const { files } = readTemplateFiles(undefined);

  test("are complete in English and German, and render", async () => {
    expect(languagesOf(files)).toEqual(["de", "en"]);
    for (const language of languagesOf(files)) {
      for (const template of messageTemplates) {
        for (const part of ["subject", "text", "html", "sms"] as const) {
          expect(files.has(templateFile(language, template, part))).toBe(true);
        }
      }
    }
    await rendererWith().check();
  });

  test.each(["en", "de"])(
    "bind a code by text message to the pages in its last line, in %s",
    async (language) => {
      const bound = rendererWith();
      const unbound = rendererWith({}, "en", "");
      for (const template of messageTemplates) {
        const content = sampleContent(template);
        const lines = async (renderer: LiquidRenderer) =>
          (await renderer.render(content, "sms", language)).text.split("\n");
        const isCode = "code" in content.data;
        expect((await lines(bound)).at(-1) === "@id.example.com #123456").toBe(isCode);
        expect((await lines(unbound)).join("\n")).not.toContain("#123456");
      }
    },
  );

  test.each(messageTemplates)(
    "%s says what it is to say in every part, without tracking",
    async (template) => {
      const renderer = rendererWith();
      for (const language of ["en", "de"]) {
        const content = sampleContent(template);
        const { subject, text, html } = await mail(renderer, content, language);
        const sms = (await renderer.render(content, "sms", language)).text;
        expect(subject).not.toBe("");
        expect(sms.length).toBeLessThan(300);
        expect(html).toContain(`<html lang="${language}">`);
        // No remote images, styles or scripts; a link is there only where the message is one.
        expect(html).not.toMatch(/<(img|script|link|iframe|object)|@import|url\(/i);
        expect(html.match(/https?:\/\//g)?.length ?? 0).toBe("url" in content.data ? 2 : 0);
        for (const [name, value] of Object.entries(content.data)) {
          // The kind of a credential is said in words of the language.
          if (value instanceof Date || ["kind", "enabled"].includes(name)) continue;
          for (const part of [text, html, sms]) expect(part).toContain(String(value));
        }
      }
    },
  );

  test("write a date as the language does", async () => {
    const renderer = rendererWith();
    const content = sampleContent("account_deletion_scheduled");
    expect((await mail(renderer, content, "de")).text).toContain("24. Dezember 2026");
    expect((await mail(renderer, content, "en")).text).toContain("December 24, 2026");
    const invitation = sampleContent("invitation");
    expect((await mail(renderer, invitation, "de")).text).toContain("24. Dezember 2026 um 12:00 UTC");
    expect((await mail(renderer, invitation, "en")).text).toContain("December 24, 2026 at 12:00 PM UTC");
    const added = sampleContent("credential_added");
    expect((await mail(renderer, added, "en")).text).toContain("When: December 24, 2026 at 12:00 PM UTC");
  });
});

describe("a notice about an account", () => {
  const notices = messageTemplates.filter((template) => "time" in sampleContent(template).data);

  test.each(notices)("%s says of what service, when and on which device, in mail", async (template) => {
    const content = sampleContent(template);
    for (const [language, when] of [
      ["en", "When: December 24, 2026 at 12:00 PM UTC"],
      ["de", "Wann: 24. Dezember 2026 um 12:00 UTC"],
    ] as const) {
      const { text, html } = await mail(rendererWith(), content, language);
      for (const said of ["Acme", when, "Firefox, Linux, 192.0.2.1"]) {
        expect(text).toContain(said);
        expect(html).toContain(said);
      }
    }
  });

  test.each(["en", "de"])("says whom to ask for help, where that is configured, in %s", async (language) => {
    const changed = sampleContent("password_changed");
    const configured = rendererWith({}, "en", "id.example.com", "help@example.com");
    expect((await mail(configured, changed, language)).text).toContain("help@example.com");
    expect((await mail(configured, changed, language)).html).toContain("help@example.com");
    expect((await mail(rendererWith(), changed, language)).text).toMatch(/our support team|unseren Support/);
  });

  test("of an older release, which knew neither time nor device, is said without them", async () => {
    const { text } = await mail(rendererWith(), { template: "password_changed", data: {} });
    expect(text).toContain("The password for your Acme & Sons account was changed.");
    expect(text).not.toMatch(/When|Where|undefined/);
  });
});

describe("the language", () => {
  test.each([
    ["de", "en", "Ihr Anmeldecode: 048213"],
    ["de-AT", "en", "Ihr Anmeldecode: 048213"],
    ["DE", "en", "Ihr Anmeldecode: 048213"],
    ["fr", "de", "Ihr Anmeldecode: 048213"],
    ["fr", "it", "Your sign-in code: 048213"],
    ["", "de", "Ihr Anmeldecode: 048213"],
    ["../../etc", "en", "Your sign-in code: 048213"],
  ])("%s with the default %s", async (language, defaultLanguage, subject) => {
    expect((await mail(rendererWith({}, defaultLanguage), code, language)).subject).toBe(subject);
  });

  test("of a template is one, in all parts: a language is used where the template is there", async () => {
    const renderer = rendererWith({
      "fr/login_code.subject.liquid": "Votre code",
      "fr/login_code.text.liquid": "{{ code }} est votre code",
      "fr/login_code.html.liquid": "<p>{{ code }} est votre code</p>",
    });
    expect(await mail(renderer, code, "fr-CA")).toMatchObject({ text: "048213 est votre code" });
    expect((await mail(renderer, sampleContent("password_changed"), "fr")).subject).toBe(
      "Your password was changed",
    );
  });
});

// Security rule (SR-MAIL-1): HTML, line breaks and template syntax in data reach neither markup, header nor engine.
describe("hostile data", () => {
  const hostile = "<img src=x onerror=alert(1)>\"'\r\nBcc: x@example.com\r\n{{ 7 | times: 6 }}{% raw %}";
  const content: MessageContent = {
    template: "address_changed",
    data: { new_address_masked: hostile },
  };

  test("is escaped in HTML and not taken for a template", async () => {
    const { html, text } = await mail(rendererWith(), content);
    expect(html).not.toContain("<img");
    expect(html).toContain("&lt;img src=x onerror=alert(1)&gt;&#34;&#39;");
    expect(html).toContain("{{ 7 | times: 6 }}{% raw %}");
    expect(text).toContain("{{ 7 | times: 6 }}{% raw %}");
    expect(text).not.toContain("42");
  });

  test("makes no second line of a subject", async () => {
    const renderer = rendererWith({
      "en/address_changed.subject.liquid": "Now {{ new_address_masked }}\nX: y",
    });
    expect((await mail(renderer, content)).subject).not.toMatch(/[\r\n\u2028\u2029]/);
  });

  test("is escaped in the name of the service", async () => {
    expect((await mail(rendererWith(), code)).html).toContain("Acme &amp; Sons");
  });
});

describe("a template of one's own", () => {
  test("replaces one part and leaves the others", async () => {
    const message = await mail(rendererWith({ "en/login_code.subject.liquid": "Code {{ code }}" }), code);
    expect(message.subject).toBe("Code 048213");
    expect(message.text).toContain("Here is your code");
  });

  test("can replace the layout and include partials", async () => {
    const renderer = rendererWith({
      "en/layout.html.liquid": `{% render "_brand.liquid" %}{% block content %}{% endblock %}`,
      "_brand.liquid": "<h1>Brand</h1>",
    });
    expect((await mail(renderer, code)).html).toMatch(/^<h1>Brand<\/h1>.*048213/s);
  });

  test.each([
    ["a syntax error", "one\ntwo {{ code ", "en/login_code.text.liquid:2"],
    ["an unknown variable", "one\n\n{{ cod }}", "en/login_code.text.liquid:3: undefined variable: cod"],
    ["an unknown filter", "{{ code | shout }}", "en/login_code.text.liquid:1: undefined filter: shout"],
    ["an unknown tag", "{% shout %}", "en/login_code.text.liquid:1"],
    ["a file outside the folder", `{% render "/etc/passwd" %}`, "en/login_code.text.liquid:1"],
    ["a file above the folder", `{% include "../secret.liquid" %}`, "en/login_code.text.liquid:1"],
    ["a prototype", "{{ code.constructor.name }}", "en/login_code.text.liquid:1"],
    ["endless loops", "{% for i in (1..1000000000) %}x{% endfor %}", "en/login_code.text.liquid:1"],
    [
      "too much output",
      `${"{% for i in (1..90000) %}"}${"x".repeat(20)}{% endfor %}`,
      "en/login_code.text.liquid",
    ],
  ])("with %s is refused with its file and line", async (_name, text, where) => {
    const renderer = rendererWith({ "en/login_code.text.liquid": text });
    const error = await renderer.check().catch((thrown: unknown) => thrown);
    expect(String(error)).toContain(where);
    expect(String(error)).not.toContain("\n");
  });

  test.each([
    ["of no template", "en/login_cod.text.liquid", "is no template"],
    ["of no part", "en/login_code.txt.liquid", "is no template"],
    ["beside the languages", "login_code.text.liquid", "is no template"],
    ["that needs others", "fr/login_code.text.liquid", "subject.liquid: is missing"],
  ])("with a file %s is refused", (_name, file, message) => {
    expect(() => rendererWith({ [file]: "x" })).toThrow(message);
  });
});
