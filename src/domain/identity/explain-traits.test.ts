import { describe, expect, test } from "vitest";
import type { JsonObject } from "../json.ts";
import { compileSchema } from "./compiled-schema.ts";

/** What is wrong with traits, as the place and the rule. */
function wrongWith(document: JsonObject, traits: JsonObject): readonly string[] {
  const result = compileSchema({ id: "a", version: 1, createdAt: new Date(0), document }).validate(traits);
  return result.valid ? [] : result.violations.map(({ path, rule }) => `${path.join(".")} ${rule}`);
}

const text = { type: "string", minLength: 1 };
const card = { properties: { kind: { const: "card" }, number: text }, required: ["kind", "number"] };
const bank = { properties: { kind: { enum: ["bank"] }, account: text }, required: ["kind", "account"] };
const payment = { type: "object", properties: { payment: { oneOf: [card, bank] } } };

describe("what is wrong with variants", () => {
  test("is said of the one that was chosen, and of no other", () => {
    expect(wrongWith(payment, { payment: { kind: "card" } })).toEqual(["payment.number required"]);
    expect(wrongWith(payment, { payment: { kind: "bank", account: "" } })).toEqual([
      "payment.account minLength",
    ]);
    expect(wrongWith(payment, { payment: { kind: "bank", account: "1" } })).toEqual([]);
  });

  test("is the choice, where none or another one was made", () => {
    expect(wrongWith(payment, { payment: { number: "1" } })).toEqual(["payment.kind required"]);
    expect(wrongWith(payment, { payment: { kind: "cash" } })).toEqual(["payment.kind enum"]);
  });

  test("is said within references, allOf and lists as well", () => {
    const document = {
      $defs: { payment: { oneOf: [card, bank] } },
      type: "object",
      properties: { all: { type: "array", items: { allOf: [{ $ref: "#/$defs/payment" }] } } },
    };
    expect(wrongWith(document, { all: [{ kind: "card", number: "1" }, { kind: "bank" }] })).toEqual([
      "all.1.account required",
    ]);
  });

  test("is what the validator says, where a reference leads into the variants", () => {
    const document = {
      ...payment,
      properties: { ...payment.properties, b: { $ref: "#/properties/payment/oneOf/1" } },
    };
    const wrong = wrongWith(document, { payment: { kind: "card" } });
    expect(wrong).toContain("payment oneOf");
  });

  test("is a choice of a list where the variants are constants", () => {
    const oneOf = [
      { const: "a", title: "A" },
      { const: "b", title: "B" },
    ];
    expect(wrongWith({ properties: { x: { oneOf } } }, { x: "c" })).toEqual(["x enum"]);
  });

  test("is nothing that only looks like a variant in a value", () => {
    const document = { properties: { x: { const: { oneOf: [{ const: 1 }] } } } };
    expect(wrongWith(document, { x: { oneOf: [{ const: 1 }] } })).toEqual([]);
    expect(wrongWith(document, { x: { enum: [1] } })).toEqual(["x const"]);
  });
});

describe("the sentence of a schema", () => {
  const sentence = { error: "Small letters.", errors: { de: "Kleinbuchstaben." } };
  const violationsOf = (document: JsonObject, traits: JsonObject) => {
    const result = compileSchema({ id: "a", version: 1, createdAt: new Date(0), document }).validate(traits);
    return result.valid ? [] : result.violations;
  };

  test.each<[string, JsonObject]>([
    ["beside its pattern", { x: { type: "string", pattern: "^[a-z]+$", ostiary: sentence } }],
    ["behind a reference", { x: { $ref: "#/$defs/low" } }],
    ["in a list", { x: { type: "string", format: "uuid", ostiary: sentence } }],
  ])("comes with the violation, %s", (_, properties) => {
    const low = { type: "string", pattern: "^[a-z]+$", ostiary: sentence };
    const [violation] = violationsOf({ $defs: { low }, properties }, { x: "A1" });
    expect(violation?.sentence).toEqual({ text: sentence.error, translations: sentence.errors });
  });

  test("is not said of another rule", () => {
    const x = { type: "string", minLength: 3, pattern: "", ostiary: sentence };
    expect(violationsOf({ properties: { x } }, { x: "a" })).toMatchObject([{ rule: "minLength" }]);
    expect(violationsOf({ properties: { x } }, { x: "a" })[0]?.sentence).toBeUndefined();
  });
});

describe("a text in the place of a number", () => {
  const problemOf = (text: string) => {
    const document = { properties: { x: { type: "number" } } };
    const result = compileSchema({ id: "a", version: 1, createdAt: new Date(0), document }).validate({
      x: text,
    });
    return result.valid ? undefined : result.violations[0]?.params.problem;
  };

  test.each(["1,234", "1.234\u2060", "1 234", "1,72", "-1.234.567,8", "1’000"])(
    "%j has separators",
    (text) => {
      expect(problemOf(text)).toBe("ambiguous_number");
    },
  );

  test.each(["", "ten", "1x", ",5", "1,,2", `1${",234".repeat(100)}`])(
    "%j has none, or is no number",
    (text) => {
      expect(problemOf(text)).toBeUndefined();
    },
  );
});
