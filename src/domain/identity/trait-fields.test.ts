import { describe, expect, test } from "vitest";
import type { JsonObject, JsonValue } from "../json.ts";
import { type CompiledSchema, compileSchema } from "./compiled-schema.ts";

const draft07 = "http://json-schema.org/draft-07/schema#";

function compile(document: JsonObject): CompiledSchema {
  return compileSchema({ id: "test", version: 3, createdAt: new Date(0), document });
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
      /unknown key "title"; known are .*, titles, descriptions, multi_line, ui/,
    ],
  ])("is refused: %s", (_, ostiary, message) => {
    expect(reading(ostiary)).toThrow(message);
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
