import { describe, expect, test } from "vitest";
import type { JsonObject } from "../json.ts";
import { compileSchema } from "./compiled-schema.ts";
import { defaultSchemaDocument } from "./default-schema.ts";

const email = { type: "string", format: "email", ostiary: { identifier: "email" } };
const phone = { type: "string", format: "tel", ostiary: { identifier: "phone" } };

function warnings(document: JsonObject): readonly string[] {
  return compileSchema({ id: "test", version: 0, createdAt: new Date(0), document }).warnings;
}

/** @see ory/kratos#3486 */
describe("what an operator is told of a schema", () => {
  test.each<[string, JsonObject, readonly string[]]>([
    [
      "required beside traits",
      {
        type: "object",
        properties: { traits: { type: "object", properties: { email }, additionalProperties: false } },
        required: ["email"],
      },
      [
        '/required names "email", which is no property there; what traits need stands in /properties/traits/required',
        "no identifier is required (email)",
      ],
    ],
    [
      "a required name that is misspelt",
      { type: "object", properties: { email, name: { type: "string" } }, required: ["email", "nmae"] },
      ['/required names "nmae", which is no property there'],
    ],
    [
      "a required name of a nested object",
      {
        properties: {
          email,
          home: { type: "object", properties: { city: { type: "string" } }, required: ["town"] },
        },
        required: ["email"],
      },
      ['/properties/home/required names "town"'],
    ],
    [
      "a trait beside traits",
      {
        properties: {
          traits: { type: "object", properties: { email }, required: ["email"] },
          nick: { type: "string" },
        },
      },
      ["/properties/nick stands beside traits and has no effect: move it into /properties/traits/properties"],
    ],
    [
      "keywords of another type",
      {
        type: "object",
        properties: {
          email: { ...email, required: ["email"], minimum: 3 },
          age: { type: "integer", minimum: 1, maxLength: 3 },
          tags: { type: ["array", "null"], items: { type: "string" }, pattern: "x" },
        },
        required: ["email"],
        maxItems: 3,
      },
      [
        "/maxItems has no effect on a value of type object",
        "/properties/email/minimum has no effect on a value of type string",
        "/properties/email/required has no effect on a value of type string",
        "/properties/age/maxLength has no effect on a value of type number",
        "/properties/tags/pattern has no effect on a value of type array, null",
        "null is allowed at /properties/tags",
      ],
    ],
    [
      "identifiers that may be left out",
      { properties: { email, phone } },
      ["no identifier is required (email, phone)"],
    ],
  ])("%s", (_, document, expected) => {
    expect(warnings(document)).toEqual(expected.map((text) => expect.stringContaining(text)));
  });

  test.each<[string, JsonObject]>([
    ["the built-in schema", defaultSchemaDocument],
    ["one of two identifiers", { properties: { email, phone }, required: ["phone"] }],
    [
      "one identifier or the other",
      { properties: { email, phone }, anyOf: [{ required: ["email"] }, { required: ["phone"] }] },
    ],
    [
      "properties that come from elsewhere",
      {
        allOf: [{ $ref: "#/$defs/base" }, { if: { required: ["email"] }, else: { required: ["phone"] } }],
        properties: { phone },
        patternProperties: { "^x_": { type: "string" } },
        required: ["email", "phone", "x_one"],
        $defs: { base: { type: "object", properties: { email } } },
      },
    ],
    [
      "a document made for Kratos",
      {
        type: "object",
        properties: { traits: { type: "object", properties: { email }, required: ["email"] } },
        required: ["traits"],
        additionalProperties: false,
      },
    ],
  ])("nothing of %s", (_, document) => {
    expect(warnings(document)).toEqual([]);
  });
});
