import { describe, expect, test } from "vitest";
import type { JsonObject, JsonValue } from "../json.ts";
import { type CompiledSchema, compileSchema } from "./compiled-schema.ts";

const draft07 = "http://json-schema.org/draft-07/schema#";

function compile(document: JsonObject): CompiledSchema {
  return compileSchema({ id: "test", version: 3, createdAt: new Date(0), document });
}

function fieldsOf(properties: JsonObject): CompiledSchema["fields"] {
  return compile({ properties }).fields;
}

describe("what no form can draw", () => {
  const warningsOf = (properties: JsonObject) => {
    const email = { type: "string", ostiary: { identifier: "email" } };
    return compile({ required: ["email"], properties: { email, ...properties } }).warnings;
  };

  test.each<[string, JsonObject, string]>([
    ["anyOf", { x: { anyOf: [{ type: "string" }, { type: "number" }] } }, "x, because of anyOf"],
    ["a tuple", { x: { type: "array", prefixItems: [{ type: "string" }] } }, "x, because of prefixItems"],
    ["boxes in a list", { x: { type: "array", items: { type: "boolean" } } }, "x, because of items"],
    [
      "free names",
      { x: { type: "object", additionalProperties: { type: "string" } } },
      "x, because of additionalProperties",
    ],
    ["several types", { "a.b": { type: ["string", "number"] } }, "a\\.b, because of type"],
    [
      "members that depend on others",
      { x: { properties: { a: { type: "string" } }, if: {}, else: { properties: { b: {} } } } },
      "x, because of else",
    ],
    [
      "a list within an item",
      {
        x: {
          type: "array",
          items: { properties: { a: { type: "string" }, b: { type: "array", items: { type: "string" } } } },
        },
      },
      "x.b, because of items",
    ],
  ])("is warned of with its path and keyword: %s", (_, properties, what) => {
    expect(warningsOf(properties)).toEqual([`no form can draw ${what}`]);
  });

  test("is counted beyond ten", () => {
    const many = Object.fromEntries(Array.from({ length: 13 }, (_, at) => [`x${at}`, {}]));
    expect(warningsOf(many)).toHaveLength(11);
    expect(warningsOf(many).at(-1)).toBe("3 more traits that no form can draw");
  });

  test("is nothing in a schema that a form draws whole", () => {
    expect(
      warningsOf({ x: { type: "array", items: { properties: { a: { enum: [1, 2] } } } }, y: false }),
    ).toEqual([]);
  });
});

describe("a field", () => {
  test("of an object with a title says so, and of one without does not", () => {
    const inner = { type: "object", properties: { b: { type: "string" } } };
    const [titled, plain, deep] = fieldsOf({
      a: { ...inner, title: "A", description: "Of a." },
      c: inner,
      d: { type: "object", title: "D", properties: { e: { ...inner, title: "E" } } },
    });
    expect(titled?.groups).toMatchObject([
      { path: ["a"], title: { text: "A" }, description: { text: "Of a." } },
    ]);
    expect(plain?.groups).toEqual([]);
    expect(deep?.groups.map(({ path }) => path)).toEqual([["d"], ["d", "e"]]);
  });

  test("for yes alone is a box, and one for yes or no is not", () => {
    const fields = fieldsOf({
      a: { type: "boolean", const: true },
      b: { type: "boolean", enum: [true] },
      c: { type: "boolean" },
      d: { type: "boolean", enum: [true, false] },
    });
    expect(fields.map((field) => field.kind === "field" && [field.isConsent, field.choices.length])).toEqual([
      [true, 0],
      [true, 0],
      [false, 0],
      [false, 2],
    ]);
  });

  test("for numbers knows their steps and bounds", () => {
    const fields = fieldsOf({
      a: { type: "integer", exclusiveMinimum: 0, exclusiveMaximum: 10 },
      b: { type: "number", multipleOf: 0.5, minimum: 1, maximum: 2 },
      c: { type: "number", exclusiveMinimum: 0 },
    });
    const told = fields.map((field) => field.kind === "field" && [field.step, field.minimum, field.maximum]);
    expect(told).toEqual([
      [1, 1, 9],
      [0.5, 1, 2],
      [undefined, undefined, undefined],
    ]);
  });

  test("for a long text has several lines, unless the schema says how", () => {
    const long = { type: "string", maxLength: 2000 };
    const fields = fieldsOf({
      a: long,
      b: { ...long, ostiary: { multi_line: false } },
      c: { ...long, pattern: "^a" },
      d: { type: "string", maxLength: 100 },
      e: { type: "string", ostiary: { multi_line: true } },
    });
    const told = fields.map((field) => field.kind === "field" && field.multiLine);
    expect(told).toEqual([true, false, false, false, true]);
  });
});

describe("how a trait is drawn", () => {
  const reading = (ostiary: JsonValue) => () => compile({ properties: { x: { type: "array", ostiary } } });

  test.each<[string, JsonObject, RegExp]>([
    ["a language that is none", { titles: { "de_CH!": "x" } }, /titles: "de_CH!" is no language tag/],
    ["a title that is no text", { titles: { de: 1 } }, /titles\/de must be a text/],
    ["several lines that are neither", { multi_line: "yes" }, /multi_line must be true or false/],
    ["annotations that are no object", { ui: [] }, /ui must be an object/],
    ["annotations that are too many", { ui: { a: "x".repeat(5000) } }, /ui must be at most 4096 bytes/],
    [
      "an unknown key",
      { title: "x" },
      /unknown key "title"; known are .*, titles, descriptions, multi_line, .*, link, ui/,
    ],
    ["an autofill token that is none", { autocomplete: "vorname" }, /autocomplete must be a token of HTML/],
    ["a token for a secret", { autocomplete: "current-password" }, /autocomplete must be a token of HTML/],
    ["a sentence for nothing", { error: "No." }, /error has no effect: it belongs beside pattern or format/],
    ["translations of no sentence", { errors: { de: "Nein." } }, /errors needs error beside it/],
    ["a link without a title", { link: { url: "https://a.example" } }, /link\/title must be a text/],
    [
      "a link with more",
      { link: { href: "" } },
      /link has an unknown key "href"; known are url, urls, title, titles/,
    ],
  ])("is refused: %s", (_, ostiary, message) => {
    expect(reading(ostiary)).toThrow(message);
  });

  // Security rule (SR-TRAIT-7): a link of a schema leads to a web page.
  test.each([
    "javascript:alert(1)",
    "data:text/html,x",
    "/terms",
    "http://example.com/terms",
    "https://user:secret@example.com/",
    `https://example.com/${"x".repeat(2048)}`,
  ])("is no link to %s, in any language", (url) => {
    const link = { url: "https://example.com", title: "Terms" };
    expect(reading({ link })).not.toThrow();
    expect(reading({ link: { ...link, url } })).toThrow(/link\/url must be a URL that begins with https/);
    expect(reading({ link: { ...link, urls: { de: url } } })).toThrow(/link\/urls\/de must be a URL/);
  });

  test.each([
    "given-name",
    "bday",
    "work tel",
    "shipping street-address",
    "section-a billing postal-code",
    "off",
  ])("takes the autofill token %s", (autocomplete) => {
    const [field] = fieldsOf({ x: { type: "string", ostiary: { autocomplete } } });
    expect(field).toMatchObject({ autocomplete });
  });

  test("may stand at a list, unlike what a trait is for", () => {
    expect(reading({ titles: { "pt-BR": "x" } })).not.toThrow();
    expect(reading({ identifier: "email" })).toThrow(/belongs on a string/);
  });
});

describe("fields", () => {
  test("are there for scalars and for lists of them or of objects of them, and say what is read-only", () => {
    const schema = compile({
      $defs: { word: { type: "string" }, fixed: { readOnly: true } },
      properties: {
        words: { type: ["array", "null"], items: { $ref: "#/$defs/word" }, maxItems: 3 },
        colours: { type: "array", items: { enum: ["red", "blue"] } },
        boxes: { type: "array", items: { type: "boolean" } },
        pair: { type: "array", prefixItems: [{ type: "string" }], items: { type: "string" } },
        lists: { type: "array", items: { type: "array", items: { type: "string" } } },
        objects: { type: "array", items: { properties: { x: { type: "string" } } } },
        listOrText: { type: ["array", "string"], items: { type: "string" } },
        alike: { type: "string", enum: ["1", 1] },
        customer: { type: "string", readOnly: true },
        account: { properties: { number: { allOf: [{ $ref: "#/$defs/fixed" }], type: "string" } } },
        log: { type: "array", items: { type: "string", readOnly: true } },
      },
    });
    expect(schema.fields.map(({ path }) => path.join("."))).toEqual([
      ...["words", "colours", "objects", "listOrText"],
      ...["customer", "account.number", "log"],
    ]);
    expect(schema.fields[0]).toMatchObject({ kind: "list", minItems: 0, maxItems: 3 });
    expect(schema.fields.flatMap((field) => (field.readOnly ? [field.path.join(".")] : []))).toEqual([
      ...["customer", "account.number", "log"],
    ]);
    const traits = { customer: "C", account: { number: 1 }, log: ["a"] };
    const readOnly = schema.readOnlyIn(traits).map((path) => path.join("."));
    expect(readOnly).toEqual(["customer", "account.number", "log"]);
  });

  test("are not there for lists within items, however deep a schema refers to itself", () => {
    const tree = { properties: { name: { type: "string" }, of: { items: { $ref: "#/$defs/tree" } } } };
    const { fields } = compile({
      properties: { tree: { items: { $ref: "#/$defs/tree" } } },
      $defs: { tree },
    });
    expect(fields).toMatchObject([{ kind: "list", item: [{ path: ["name"] }] }]);
  });

  test("are not there for the places of a tuple of draft-07", () => {
    const items = [{ type: "string" }];
    expect(compile({ $schema: draft07, properties: { pair: { items } } }).fields).toEqual([]);
  });

  test("are scalars in document order, with what a form needs", () => {
    const schema = compile({
      required: ["email", "name", "tags"],
      properties: {
        email: { type: "string", format: "email", title: "E-mail", ostiary: { identifier: "email" } },
        name: {
          type: "object",
          required: ["first"],
          properties: {
            first: { type: "string", minLength: 1, maxLength: 40, pattern: "^\\p{L}" },
            last: { type: ["string", "null"] },
          },
        },
        address: { type: "object", required: ["city"], properties: { city: { type: "string" } } },
        tags: { type: "array", title: "Tags", minItems: 1, items: { type: "string" } },
        plan: { enum: ["free", "paid"] },
        age: { type: "integer" },
        news: { type: "boolean" },
        nick: { type: "string", ostiary: { identifier: "username" } },
        phone: { type: "string", format: "tel" },
        full: { type: "string", ostiary: { display_name: true } },
        anything: {},
        never: false,
        objects: { type: "array", items: { type: "object", properties: { x: { type: "string" } } } },
        either: { type: ["string", "number"] },
      },
    });
    const lines = schema.fields.map((field) => {
      const [type, autocomplete] = field.kind === "list" ? ["list"] : [field.type, field.autocomplete];
      return `${field.path.join(".")} ${type}${field.required ? " required" : ""} ${autocomplete ?? "-"}`;
    });
    expect(lines).toEqual([
      "email string required email",
      "name.first string required -",
      "name.last string -",
      "address.city string -",
      "tags list required -",
      "plan string -",
      "age integer -",
      "news boolean -",
      "nick string username",
      "phone string tel",
      "full string name",
      "objects list -",
    ]);
    expect(schema.fields[1]).toMatchObject({
      minLength: 1,
      maxLength: 40,
      pattern: "^\\p{L}",
      title: { text: "first" },
    });
    expect(schema.fields[4]).toMatchObject({ title: { text: "Tags" }, minItems: 1 });
    expect(schema.fields[5]).toMatchObject({ choices: [{ value: "free" }, { value: "paid" }] });
    expect(schema.fields[8]).toMatchObject({ identifier: "username" });
  });

  test("look into references and allOf, and end where a schema contains itself", () => {
    const schema = compile({
      $defs: {
        node: { properties: { label: { type: "string" }, child: { $ref: "#/$defs/node" } } },
        base: { required: ["mail"], properties: { mail: { type: "string", title: "Mail" } } },
      },
      allOf: [{ $ref: "#/$defs/base" }],
      properties: { tree: { $ref: "#/$defs/node" } },
    });
    expect(schema.fields.find((field) => field.path[0] === "mail")).toMatchObject({
      required: true,
      title: { text: "Mail" },
    });
    expect(schema.fields.length).toBeLessThan(20);
  });
});
