import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { loadConfig } from "./load-config.ts";
import { ConfigError } from "./problems.ts";

const directory = mkdtempSync(join(tmpdir(), "ostiary-brand-files-"));
const custom = join(directory, "custom");
beforeEach(() => {
  rmSync(custom, { recursive: true, force: true });
  mkdirSync(custom);
});
afterAll(() => rmSync(directory, { recursive: true }));

const svg = '<svg xmlns="http://www.w3.org/2000/svg"/>';

function load(branding: object) {
  writeFileSync(join(directory, "ostiary.yaml"), stringify({ tenant_defaults: { branding } }));
  return loadConfig({ file: "ostiary.yaml", workingDirectory: directory, environment: {}, flags: {} });
}

function problemsOf(branding: object): readonly string[] {
  try {
    load(branding);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

/** What is said about files of the custom directory. */
function problemsWith(files: Readonly<Record<string, string>>): readonly string[] {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(custom, name), text);
  const place = `tenant_defaults.branding.custom_directory (ostiary.yaml:3): ${custom}/`;
  return problemsOf({ custom_directory: "custom" }).map((problem) => {
    expect(problem.startsWith(place)).toBe(true);
    return problem.slice(place.length);
  });
}

describe("a picture", () => {
  test.each<[string, string | Buffer, string]>([
    ["is missing", "", "does not exist"],
    ["is something else", "GIF89a", "is no SVG or PNG"],
    ["is an icon, as a logo", Buffer.from([0, 0, 1, 0, 1]), "is no SVG or PNG"],
    ["is no picture to a browser", "<svg/>", "is no SVG or PNG"],
    [
      "has a document type (SR-PAGES-5)",
      `<!DOCTYPE svg [<!ENTITY a "b">]>${svg}`,
      "must have no document type",
    ],
    ["is too large", svg + " ".repeat(262_144), "is larger than 262144 bytes"],
  ])("that %s is refused with key and line", (_, content, message) => {
    const file = join(directory, "logo.svg");
    rmSync(file, { force: true });
    if (content !== "") writeFileSync(file, content);
    expect(problemsOf({ logo_file: "logo.svg" })).toEqual([
      `tenant_defaults.branding.logo_file (ostiary.yaml:3): the file ${file} ${message}`,
    ]);
  });

  test("that is a directory or a device is refused without being read", () => {
    symlinkSync("/dev/zero", join(custom, "zero"));
    expect(problemsOf({ logo_file: "custom", favicon_file: "custom/zero" })).toEqual([
      expect.stringContaining("is a directory"),
      expect.stringContaining("is no ordinary file"),
    ]);
  });

  test.each<[string, string | Buffer, string]>([
    ["logo_file", svg, "image/svg+xml"],
    ["favicon_file", Buffer.from([0, 0, 1, 0, 1]), "image/x-icon"],
    ["logo_dark_file", Buffer.from("\x89PNG\r\n\x1a\n...", "latin1"), "image/png"],
  ])("is what it holds, whatever its name: %s", (key, content, contentType) => {
    writeFileSync(join(directory, "picture"), content);
    const { logo, logoDark, favicon } = load({ [key]: "picture" }).brandFiles();
    expect((logo ?? logoDark ?? favicon)?.contentType).toBe(contentType);
  });
});

describe("the custom directory", () => {
  // Security rule (SR-PAGES-6)
  test.each<[string, string, string, string]>([
    ["an unknown number", "texts.de.json", '{"1": "x"}', "1: there is no such message"],
    [
      "a mistyped number",
      "texts.de.json",
      '{"1070099": "x"}',
      "1070099: there is no such message; did you mean 1070009?",
    ],
    [
      "an unknown word",
      "texts.de.json",
      '{"login.titel": "x"}',
      "login.titel: there is no such text; did you mean login.title?",
    ],
    ["a group of words", "texts.de.json", '{"login": "x"}', "login: there is no such text"],
    ["a key of every object", "texts.de.json", '{"constructor": "x"}', "constructor: there is no such text"],
    [
      "a wrong placeholder",
      "texts.de.json",
      '{"1040005": "To {address}"}',
      "1040005: there is no value address; it has sent_to",
    ],
    [
      "a placeholder where there is none",
      "texts.de.json",
      '{"notNow": "{x}"}',
      "notNow: there is no value x; it has none",
    ],
    [
      "an open brace",
      "texts.de.json",
      '{"notNow": "a {b"}',
      "notNow: has a brace that belongs to no {value}",
    ],
    [
      "an unknown format",
      "texts.de.json",
      '{"1040005": "{sent_to:upper}"}',
      "1040005: {sent_to:upper}: there is no format upper; there is date, date-time",
    ],
    [
      "a condition on no value",
      "texts.de.json",
      '{"1040005[x=1]": "a"}',
      "1040005[x=1]: there is no value x; it has sent_to",
    ],
    ["what is no text", "texts.de.json", '{"notNow": {"a": "b"}}', "notNow: must be a text"],
    ["an empty text", "texts.de.yaml", "notNow: ' '", "notNow: must not be empty"],
    [
      "a text that is too long",
      "texts.de.json",
      JSON.stringify({ notNow: "x".repeat(2_001) }),
      "notNow: is longer than 2000 characters",
    ],
    [
      "control characters",
      "texts.de.json",
      '{"notNow": "a\\u0000"}',
      "notNow: must have no control characters",
    ],
    ["a list", "texts.de.json", "[]", 'must be a map of texts, such as { "login.title": "Welcome" }'],
    [
      "a key that is there twice",
      "texts.de.json",
      '{"notNow": "a",\n"notNow": "b"}',
      "line 2: the key notNow is there twice",
    ],
  ])("is refused with %s", (_, name, text, message) => {
    expect(problemsWith({ [name]: text })).toEqual([expect.stringContaining(`${name}: ${message}`)]);
  });

  test.each([
    ["text.de.json", "{}"],
    ["texts.json", "{}"],
    ["styles.css", ""],
  ])("is refused with %s, which nothing would read", (name, text) => {
    expect(problemsWith({ [name]: text })).toEqual([
      `${name}: is not used; the names are style.css and texts.<language>.json, such as texts.de.json`,
    ]);
  });

  test("is refused with two files of one language", () => {
    expect(problemsWith({ "texts.de.json": "{}", "texts.DE.yaml": "{}" })).toEqual([
      "texts.de.json: there are other texts in this language",
    ]);
  });

  test.each([
    ["a\n@import 'b.css';", "line 2: @import is not allowed: one file is read"],
    [
      "p { background: url(https://evil.example/x.png) }",
      "line 1: url() must be a path of this server or data:",
    ],
    ["p { background: URL( '//evil.example/x.png') }", "line 1: url() must be"],
  ])(
    "is refused with a style sheet that would load something from elsewhere (SR-PAGES-6): %j",
    (text, message) => {
      expect(problemsWith({ "style.css": text })).toEqual([expect.stringContaining(`style.css ${message}`)]);
    },
  );

  test("takes a style sheet, texts in any language, and what is no part of it", () => {
    const files = {
      "style.css": "/* @import 'x' */ p { background: url(/branding/logo), url('data:image/png;base64,') }",
      "texts.de.json": '{"1040005": "An {sent_to}", "login.title": "Hallo"}',
      "texts.pt-BR.yml": "1010022: Entrar",
      "README.md": "ours",
    };
    expect(problemsWith(files)).toEqual([]);
    const { texts, style } = load({ custom_directory: "custom" }).brandFiles();
    expect([...texts.keys()]).toEqual(["de", "pt-br"]);
    expect(Buffer.from(texts.get("pt-br")?.content ?? []).toString()).toBe('{"1010022":"Entrar"}');
    expect(style?.contentType).toBe("text/css; charset=utf-8");
  });

  test("must be there", () => {
    expect(problemsOf({ custom_directory: "nowhere" })).toEqual([
      expect.stringContaining("custom_directory (ostiary.yaml:3): the directory"),
    ]);
  });
});
