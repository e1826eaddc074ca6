import { describe, expect, test } from "vitest";
import type { JsonObject } from "../json.ts";
import { compileSchema } from "./compiled-schema.ts";
import { checkChange, withoutWriteOnly } from "./own-traits.ts";

function compile(document: JsonObject) {
  return compileSchema({ id: "test", version: 1, createdAt: new Date(0), document });
}

const secret = { type: "string", writeOnly: true };

// Security rule (SR-TRAIT-2): what is write-only is not shown again, wherever it stands.
describe("what is write-only is left out", () => {
  test.each<[string, JsonObject, JsonObject, JsonObject]>([
    [
      "of an object in an object",
      { a: { properties: { pin: secret } } },
      { a: { pin: "x", b: 1 } },
      { a: { b: 1 } },
    ],
    ["with all that is in it", { a: { writeOnly: true } }, { a: { b: 1 }, c: 2 }, { c: 2 }],
    [
      "of the items of a list",
      { devices: { items: { properties: { name: {}, key: secret } } } },
      { devices: [{ name: "a", key: "x" }, { name: "b" }] },
      { devices: [{ name: "a" }, { name: "b" }] },
    ],
    ["with the list that it is all of", { words: { items: secret } }, { words: ["x"], a: 1 }, { a: 1 }],
    [
      "of a list in a list",
      { rows: { items: { items: { properties: { key: secret } } } } },
      { rows: [[{ key: "x", a: 1 }]] },
      { rows: [[{ a: 1 }]] },
    ],
    [
      "of a tuple, whose other places stay",
      { pair: { prefixItems: [secret, {}] } },
      { pair: ["x", "y"] },
      { pair: [null, "y"] },
    ],
    [
      "of one of several variants, whether it holds or not",
      { a: { oneOf: [{ properties: { pin: secret } }, { properties: { other: { type: "number" } } }] } },
      { a: { pin: 7, other: "b" } },
      { a: { other: "b" } },
    ],
    [
      "behind a condition",
      { a: { if: { required: ["b"] }, else: { properties: { pin: secret } } } },
      { a: { pin: "x" } },
      { a: {} },
    ],
    [
      "of names that the schema does not know",
      { a: { properties: { b: {} }, patternProperties: { "^s_": secret }, additionalProperties: secret } },
      { a: { b: "b", s_1: "x", c: "x" } },
      { a: { b: "b" } },
    ],
    [
      "of a schema that refers to itself, at any depth",
      { tree: { $ref: "#/$defs/tree" } },
      { tree: { of: [{ key: "x", of: [{ key: "x", name: "n" }] }] } },
      { tree: { of: [{ of: [{ name: "n" }] }] } },
    ],
  ])("%s", (_what, properties, traits, shown) => {
    const tree = { properties: { key: secret, of: { items: { $ref: "#/$defs/tree" } } } };
    expect(withoutWriteOnly(compile({ properties, $defs: { tree } }), traits)).toEqual(shown);
  });

  test("and nothing else is", () => {
    const traits = { a: [{ b: null }], pin: "x" };
    expect(withoutWriteOnly(compile({ properties: { a: {} } }), traits)).toBe(traits);
  });
});

// Security rule (SR-TRAIT-1): what is read-only is the operator's to set, however deep it stands.
test("what is read-only is enforced deeper than a form draws, and in a schema that refers to itself", () => {
  const node = { properties: { number: { readOnly: true }, next: { $ref: "#/$defs/node" } } };
  const schema = compile({ properties: { first: { $ref: "#/$defs/node" } }, $defs: { node } });
  const nested = (depth: number, number: number): JsonObject =>
    depth === 0 ? { number } : { next: nested(depth - 1, number) };
  for (const depth of [0, 7, 8, 25]) {
    const change = checkChange(schema, { first: nested(depth, 1) }, { first: nested(depth, 2) });
    expect(change).toMatchObject({ valid: false, violations: [{ rule: "readOnly" }] });
    expect(checkChange(schema, { first: nested(depth, 1) }, { first: nested(depth, 1) }).valid).toBe(true);
  }
});

test("what is read-only and not enforced is named with its place", () => {
  const fixed = { readOnly: true };
  const { warnings } = compile({
    properties: {
      a: fixed,
      b: { anyOf: [{ properties: { c: fixed } }, { properties: { d: {} } }] },
      e: { additionalProperties: fixed },
    },
    if: { required: ["a"] },
    else: { properties: { f: { items: fixed } } },
  });
  expect(warnings.filter((warning) => warning.startsWith("readOnly"))).toEqual([
    expect.stringContaining("at /properties/b/anyOf/0/properties/c has no effect"),
    expect.stringContaining("at /else/properties/f/items has no effect"),
  ]);
});
