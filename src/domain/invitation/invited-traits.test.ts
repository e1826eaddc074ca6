import { describe, expect, test } from "vitest";
import { DomainError } from "../errors.ts";
import { compileSchema } from "../identity/compiled-schema.ts";
import { defaultSchemaDocument } from "../identity/default-schema.ts";
import type { JsonObject } from "../json.ts";
import { invitedTraits } from "./invited-traits.ts";

function schemaOf(document: JsonObject) {
  return compileSchema({ id: "test", version: 1, createdAt: new Date(0), document });
}

const standard = schemaOf(defaultSchemaDocument);
const company = schemaOf({
  type: "object",
  properties: {
    contact: {
      type: "object",
      properties: { mail: { type: "string", format: "email", ostiary: { identifier: "email" } } },
      required: ["mail"],
    },
    names: { type: "array", items: { type: "string", minLength: 2 }, minItems: 2 },
    kind: { type: "string" },
    seats: { type: "integer" },
  },
  required: ["contact", "names"],
  oneOf: [
    { properties: { kind: { const: "team" } }, required: ["kind", "seats"] },
    { properties: { kind: { const: "person" } }, required: ["kind", "names"] },
  ],
});

/** The fields that are refused, and why. */
function refused(schema: typeof standard, traits: JsonObject) {
  try {
    invitedTraits(schema, traits, undefined);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return error.violations.map(({ field, reason }) => `${field} ${reason}`);
  }
  return [];
}

describe("the traits of an invitation", () => {
  test("may leave out what the schema requires, since it is asked for", () => {
    expect(refused(standard, {})).toEqual([]);
    expect(refused(standard, { name: "Ada" })).toEqual([]);
    expect(refused(company, { names: ["Ada"], kind: "team" })).toEqual([]);
    expect(refused(company, { contact: {} })).toEqual([]);
  });

  test("are refused where they break the schema whatever is added", () => {
    expect(refused(standard, { email: "no address" })).toEqual(["traits.email FORMAT"]);
    expect(refused(standard, { name: 5 })).toEqual(["traits.name TYPE"]);
    expect(refused(standard, { name: "x".repeat(5000) })).toEqual(["traits.name TOO_LONG"]);
    expect(refused(standard, { email: "ada@example.com", name: "x".repeat(256) })).toEqual([
      "traits.name TOO_LONG",
    ]);
  });

  test("are refused where no form shows them", () => {
    expect(refused(standard, { nick: "ada" })).toEqual(["traits.nick UNKNOWN_FIELD"]);
    expect(refused(company, { extra: true, contact: { fax: "1" } })).toEqual([
      "traits.contact.fax NOT_ALLOWED",
      "traits.extra NOT_ALLOWED",
    ]);
    // A form has fields for all items of a list, or for none.
    expect(refused(company, { names: ["Ada", "Byron"] })).toEqual([]);
  });

  test("may be read-only ones, which a registration cannot set", () => {
    const fixed = { type: "object", readOnly: true, properties: { number: { type: "integer" } } };
    const schema = compileSchema({
      id: "fixed",
      version: 1,
      createdAt: new Date(0),
      document: { type: "object", properties: { fixed, email: { type: "string" } } },
    });
    expect(refused(schema, { fixed: { number: 7, more: ["x"] } })).toEqual([]);
    expect(refused(schema, { fixed: { number: "x" } })).toEqual(["traits.fixed.number TYPE"]);
  });

  test("get the address where the schema has a field for it and nothing is given for that", () => {
    const address = { kind: "email", value: "ada@example.com" } as const;
    expect(invitedTraits(standard, { name: "Ada" }, address)).toEqual({
      name: "Ada",
      email: "ada@example.com",
    });
    expect(invitedTraits(company, {}, address)).toEqual({ contact: { mail: "ada@example.com" } });
    const given = { email: "byron@example.com" };
    expect(invitedTraits(standard, given, address)).toEqual(given);
    expect(invitedTraits(standard, {}, { kind: "phone", value: "+41446681800" })).toEqual({});
    // What browsers fill in does not matter.
    const mail = { type: "string", ostiary: { identifier: "email", autocomplete: "work email" } };
    expect(invitedTraits(schemaOf({ properties: { mail } }), {}, address)).toEqual({ mail: address.value });
  });
});
