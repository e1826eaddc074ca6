import { describe, expect, test } from "vitest";
import { compileSchema } from "../identity/compiled-schema.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { traitProblems } from "./trait-problems.ts";

/** The message for a value. */
function saidOf(schema: JsonObject, value: JsonValue, country = "") {
  const document = { type: "object", properties: { x: schema }, additionalProperties: false };
  const compiled = compileSchema({ id: "a", version: 1, createdAt: new Date(0), document });
  const result = compiled.validate({ x: value });
  return result.valid ? [] : traitProblems(result.violations, country).fields;
}

const wrong: readonly (readonly [what: string, schema: JsonObject, value: JsonValue, id: number])[] = [
  ["a pattern", { type: "string", pattern: "^[a-z][a-z0-9_]{2,19}$" }, "9", 4000004],
  ["a constant", { const: "a" }, "b", 9000116],
  ["a box", { type: "boolean", const: true }, false, 9000117],
  ["a choice", { enum: ["a", "b"] }, "c", 9000116],
  ["a titled choice", { oneOf: [{ const: "a" }, { const: "b" }] }, "c", 9000116],
  ["a number", { type: "number" }, "ten", 9000110],
  ["a whole number", { type: "integer" }, 1.5, 9000111],
  ["a number with separators", { type: ["number", "null"] }, "1,234", 9000112],
  ["a least number", { type: "number", minimum: 1 }, 0, 4000018],
  ["a bound", { type: "number", exclusiveMinimum: 1 }, 1, 9000113],
  ["an upper bound", { type: "number", exclusiveMaximum: 1 }, 1, 9000114],
  ["a step", { type: "number", multipleOf: 0.5 }, 0.7, 9000115],
  ["too few", { type: "array", minItems: 2 }, [1], 9000118],
  ["too many", { type: "array", maxItems: 1 }, [1, 2], 9000119],
  ["twice", { type: "array", uniqueItems: true }, [1, 1], 9000121],
  ["another type", { type: "string" }, 1, 4000026],
  ["another format", { type: "string", format: "ipv4" }, "1", 9000105],
  ["what must not be", { not: { type: "string" } }, "a", 4000001],
  ["one that several deny", { anyOf: [{ type: "string" }, { minimum: 5 }] }, 1, 4000018],
  ["what must be contained", { type: "array", contains: { const: 1 } }, [2], 9000116],
  ["a property of another", { type: "object", dependentRequired: { a: ["b"] } }, { a: 1 }, 4000002],
  ["an unknown property", { type: "object", unevaluatedProperties: false }, { a: 1 }, 9000002],
  ["too much", { type: "object" }, { a: "x".repeat(4000).repeat(1), b: deep(40) }, 9000123],
  [
    "a name that is too long",
    { type: "string", ostiary: { identifier: "username" } },
    "a".repeat(400),
    4000017,
  ],
];

function deep(levels: number): JsonValue {
  return levels === 0 ? 1 : { a: deep(levels - 1) };
}

describe("what is said of a trait", () => {
  test.each(wrong)("has a number of its own, for %s", (_, schema, value, id) => {
    expect(saidOf(schema, value).map(({ message }) => message.id)).toContain(id);
  });

  test.each(wrong)("holds no words of a validator and no regular expression, for %s", (_, schema, value) => {
    for (const { message } of saidOf(schema, value)) {
      expect(message.text).not.toMatch(/must (be|not|NOT|have|match|pass)|[\^$\\[\]{}]|keyword|schema/);
    }
  });

  test("is the sentence of the schema, with its translations and the trait's name without indices", () => {
    const ostiary = { error: "Small letters.", errors: { de: "Kleinbuchstaben." } };
    const items = { type: "string", pattern: "^[a-z]+$", ostiary };
    expect(saidOf({ type: "array", items }, ["a", "B"])).toMatchObject([
      {
        name: "traits.x.1",
        message: {
          id: 9000122,
          text: "Small letters.",
          translations: { de: "Kleinbuchstaben." },
          context: { name: "traits.x", pattern: "^[a-z]+$" },
        },
      },
    ]);
  });

  test("does not say of alternatives more than what is wrong within them", () => {
    const anyOf = [{ required: ["a"] }, { required: ["b"] }];
    const said = saidOf({ type: "object", anyOf }, {});
    expect(said.map(({ name, message }) => [name, message.id])).toEqual([
      ["traits.x.a", 4000002],
      ["traits.x.b", 4000002],
    ]);
  });

  test("asks for a country code only where none is configured", () => {
    const phone = { type: "string", format: "tel" };
    expect(saidOf(phone, "123").map(({ message }) => message.id)).toEqual([4000041]);
    expect(saidOf(phone, "123", "DE").map(({ message }) => message.id)).toEqual([9000125]);
  });
});
