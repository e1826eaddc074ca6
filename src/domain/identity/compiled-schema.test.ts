import { describe, expect, test } from "vitest";
import type { JsonObject, JsonValue } from "../json.ts";
import {
  assertSchemaDocument,
  type CompiledSchema,
  compileSchema,
  type TraitValidation,
} from "./compiled-schema.ts";
import { defaultSchemaDocument } from "./default-schema.ts";
import { SchemaDocumentError } from "./schema-document-error.ts";

const draft07 = "http://json-schema.org/draft-07/schema#";
const draft2020 = "https://json-schema.org/draft/2020-12/schema";

function compile(document: JsonObject): CompiledSchema {
  return compileSchema({ id: "test", version: 3, createdAt: new Date(0), document });
}

/** A schema with one property. */
function withTrait(trait: JsonValue, more: JsonObject = {}): CompiledSchema {
  return compile({ type: "object", properties: { trait }, ...more });
}

function rules(result: TraitValidation): readonly string[] {
  return result.valid ? [] : result.violations.map(({ path, rule }) => `${path.join("/")} ${rule}`);
}

function derivedFrom(schema: CompiledSchema, traits: JsonObject) {
  const result = schema.validate(traits);
  if (!result.valid) throw new Error(JSON.stringify(result.violations));
  return result.derived;
}

function identifiers(schema: CompiledSchema, traits: JsonObject): readonly string[] {
  return derivedFrom(schema, traits).identifiers.map(
    ({ kind, value, path }) => `${kind} ${value} at ${path}`,
  );
}

/** What the quickstart of Kratos ships, in its own form. */
const kratosDocument: JsonObject = {
  $id: "https://schemas.ory.sh/presets/kratos/quickstart/email-password/identity.schema.json",
  $schema: draft07,
  title: "Person",
  type: "object",
  properties: {
    traits: {
      type: "object",
      properties: {
        email: {
          type: "string",
          format: "email",
          title: "E-Mail",
          minLength: 3,
          "ory.sh/kratos": {
            credentials: {
              password: { identifier: true },
              webauthn: { identifier: true },
              totp: { account_name: true },
              passkey: { display_name: true },
              code: { identifier: true, via: "email" },
            },
            verification: { via: "email" },
            recovery: { via: "email" },
            organizations: { matcher: "email_domain" },
          },
        },
        phone: {
          type: "string",
          format: "tel",
          "ory.sh/kratos": {
            credentials: { code: { identifier: true, via: "sms" } },
            verification: { via: "sms" },
            recovery: { via: "sms" },
          },
        },
        username: { type: "string", "ory.sh/kratos": { credentials: { password: { identifier: true } } } },
        name: {
          type: "object",
          properties: { first: { $ref: "#/definitions/name" }, last: { $ref: "#/definitions/name" } },
        },
      },
      required: ["email"],
      additionalProperties: false,
    },
  },
  definitions: { name: { type: "string", title: "A name", maxLength: 10 } },
  required: ["traits"],
  additionalProperties: false,
};

describe("the built-in schema", () => {
  const schema = compile(defaultSchemaDocument);

  test("passes the meta-schema and warns about nothing", () => {
    expect(() => assertSchemaDocument(defaultSchemaDocument)).not.toThrow();
    expect(schema.warnings).toEqual([]);
  });

  test("makes an email address identifier, verifiable and recovery address", () => {
    expect(schema.validate({ email: "Ada@Example.com", name: "Ada Lovelace" })).toEqual({
      valid: true,
      derived: {
        identifiers: [{ kind: "email", value: "ada@example.com", path: "email" }],
        verifiableAddresses: [{ kind: "email", value: "ada@example.com", path: "email" }],
        recoveryAddresses: [{ kind: "email", value: "ada@example.com", path: "email" }],
        displayName: "Ada Lovelace",
      },
    });
  });

  test("demands the email address and knows no other traits", () => {
    expect(rules(schema.validate({}))).toEqual(["email required"]);
    expect(rules(schema.validate({ email: "a@b.example", admin: true }))).toEqual([
      "admin additionalProperties",
    ]);
  });

  test("keeps the id, version and document that it was stored with", () => {
    expect(schema).toMatchObject({ id: "test", version: 3, document: defaultSchemaDocument });
  });
});

describe("a schema made for Kratos", () => {
  const schema = compile(kratosDocument);

  test("works as it is, its nested traits and references included", () => {
    expect(() => assertSchemaDocument(kratosDocument)).not.toThrow();
    expect(schema.warnings).toEqual([]);
    const traits = {
      email: "ada@example.com",
      phone: "+49 171 2345678",
      username: "Ada",
      name: { first: "Ada" },
    };
    expect(schema.validate(traits)).toEqual({
      valid: true,
      derived: {
        identifiers: [
          { kind: "email", value: "ada@example.com", path: "email" },
          { kind: "phone", value: "+491712345678", path: "phone" },
          { kind: "username", value: "ada", path: "username" },
        ],
        verifiableAddresses: [
          { kind: "email", value: "ada@example.com", path: "email" },
          { kind: "phone", value: "+491712345678", path: "phone" },
        ],
        recoveryAddresses: [
          { kind: "email", value: "ada@example.com", path: "email" },
          { kind: "phone", value: "+491712345678", path: "phone" },
        ],
        displayName: "ada@example.com",
      },
    });
  });

  test("names violations by their path within the traits", () => {
    expect(rules(schema.validate({ email: "ada@example.com", name: { first: "Augusta Ada King" } }))).toEqual(
      ["name/first maxLength"],
    );
    expect(rules(schema.validate({ traits: { email: "ada@example.com" } }))).toEqual([
      "email required",
      "traits additionalProperties",
    ]);
  });

  test("gives the form its fields in document order", () => {
    expect(schema.fields.map(({ path, title }) => `${path.join(".")}: ${title.text}`)).toEqual([
      "email: E-Mail",
      "phone: phone",
      "username: username",
      "name.first: A name",
      "name.last: A name",
    ]);
  });

  // Security rule (SR-OWNER-7): nobody takes the address of somebody else as username (ASVS V6.1.3).
  test("takes an identifier without a format for a user name, and an address only where it is one's own", () => {
    const traits = { email: "a@b.example", username: "Eve@b.example" };
    expect(rules(schema.validate(traits))).toEqual(["username identifier"]);
    const result = schema.validate(
      traits,
      ({ kind, value }) => kind === "email" && value === "eve@b.example",
    );
    expect(result.valid && result.derived.identifiers).toContainEqual({
      kind: "email",
      value: "eve@b.example",
      path: "username",
    });
  });

  test("takes a field for an address or a name for what is filled in", () => {
    const either = withTrait({
      anyOf: [
        { type: "string", format: "email", ostiary: { identifier: "email", verifiable: "email" } },
        { type: "string", ostiary: { identifier: "username" } },
      ],
    });
    expect(identifiers(either, { trait: "Ada" })).toEqual(["username ada at trait"]);
    expect(identifiers(either, { trait: "ada@b.example" })).toEqual(["email ada@b.example at trait"]);
    expect(rules(either.validate({ trait: "+41 79 123 45 67" }))).toEqual(["trait identifier"]);
  });

  test("takes references to its own identifier for local ones", () => {
    const own = compile({
      $id: "https://example.com/person.json",
      properties: { trait: { $ref: "https://example.com/person.json#/definitions/short" } },
      definitions: { short: { type: "string", maxLength: 3 } },
    });
    expect(rules(own.validate({ trait: "long" }))).toEqual(["trait maxLength"]);
    // Of code points, as `max_length` of a node says.
    expect(rules(own.validate({ trait: "😀😀😀" }))).toEqual([]);
    expect(rules(own.validate({ trait: "😀😀😀😀" }))).toEqual(["trait maxLength"]);
  });

  test.each<[string, JsonObject, string]>([
    [
      "verification decides where there is no format",
      { verification: { via: "email" } },
      "email a@b.example",
    ],
    [
      "code decides where there is no format",
      { credentials: { code: { via: "email" } } },
      "email a@b.example",
    ],
  ])("%s", (_name, keyword, expected) => {
    const annotation = structuredClone(keyword);
    annotation.credentials = {
      ...(annotation.credentials as JsonObject),
      password: { identifier: true },
    };
    const schema = withTrait({ type: "string", "ory.sh/kratos": annotation });
    expect(identifiers(schema, { trait: "A@b.example" })).toEqual([`${expected} at trait`]);
    expect(rules(schema.validate({ trait: "ada" }))).toEqual(["trait format"]);
  });
});

describe("the draft", () => {
  test("is 2020-12 unless $schema names draft-07", () => {
    const tuple = { type: "array", prefixItems: [{ type: "string" }] };
    expect(rules(withTrait(tuple).validate({ trait: [1] }))).toEqual(["trait/0 type"]);
    expect(rules(withTrait(tuple, { $schema: draft2020 }).validate({ trait: [1] }))).toEqual([
      "trait/0 type",
    ]);
    expect(rules(withTrait(tuple, { $schema: draft07 }).validate({ trait: [1] }))).toEqual([]);
    const oldTuple = { type: "array", items: [{ type: "string" }], additionalItems: false };
    expect(rules(withTrait(oldTuple, { $schema: draft07 }).validate({ trait: [1] }))).toEqual([
      "trait/0 type",
    ]);
  });

  test.each(["http://json-schema.org/draft-04/schema#", "https://example.com/", 7])(
    "%s is refused",
    ($schema) => {
      expect(() => compile({ $schema })).toThrow(/draft-07 or 2020-12/);
    },
  );

  test("a $dynamicRef by pointer leads where a $ref would, to a boolean as well", () => {
    const schema = compile({
      $defs: { nothing: false, word: { type: "string" } },
      properties: { none: { $dynamicRef: "#/$defs/nothing" }, word: { $dynamicRef: "#/$defs/word" } },
    });
    expect(rules(schema.validate({ none: 1 }))).toEqual(["none false schema"]);
    expect(rules(schema.validate({ word: 1 }))).toEqual(["word type"]);
  });

  test("unevaluated keywords that the validator misjudges are named by a warning", () => {
    const warnings = (more: JsonObject) =>
      compile({ unevaluatedProperties: false, ...more }).warnings.filter((line) => /unevaluated/.test(line));
    expect(warnings({ properties: { a: true } })).toEqual([]);
    expect(warnings({ if: { properties: { a: { const: 1 } } }, else: true })).toEqual([
      expect.stringContaining("unevaluatedProperties beside if"),
    ]);
  });
});

describe("a broken document is refused, saying where", () => {
  test.each<[string, JsonObject, RegExp]>([
    [
      "a remote reference",
      { $ref: "https://example.com/s.json" },
      /^\/properties\/trait\/\$ref: only references within/,
    ],
    ["a reference to a file", { $ref: "file:///etc/passwd" }, /only references within the document/],
    ["a reference to a neighbour", { $ref: "other.json#/x" }, /only references within the document/],
    ["a reference to nothing", { $ref: "#/$defs/none" }, /"#\/\$defs\/none" leads nowhere/],
    ["a reference to what is no schema", { $ref: "#/properties" }, /leads nowhere/],
    ["a reference that is no text", { $ref: 5 }, /only references within/],
    ["a reference to itself", { $ref: "#/properties/trait" }, /refers to itself/],
    ["a circle through allOf", { allOf: [{ $ref: "#/properties/trait" }] }, /refers to itself/],
    [
      "a nested base",
      { $id: "https://example.com/x", type: "string" },
      /only the root may have an identifier/,
    ],
    ["a constant beyond 2^53", { const: 2 ** 53 }, /\/properties\/trait\/const: a whole number/],
    ["such a choice", { enum: [1, 2 ** 60] }, /\/properties\/trait\/enum: a whole number/],
    ["such a default", { default: { id: 2 ** 60 } }, /\/properties\/trait\/default: a whole number/],
    ["a look-ahead", { pattern: "^(?=a)" }, /cannot be matched in linear time/],
    ["a back-reference", { pattern: "(a)\\1" }, /cannot be matched in linear time/],
    ["a broken pattern", { pattern: "(" }, /cannot be matched in linear time/],
    ["a broken property pattern", { patternProperties: { "(": true } }, /cannot be matched/],
    ["an unknown type", { type: "strnig" }, /cannot be compiled/],
    ["an asynchronous schema", { $async: true }, /\$async is not supported/],
    ["an unknown key in the annotation", { ostiary: { identifer: "email" } }, /unknown key "identifer"/],
    [
      "an unknown identifier kind",
      { ostiary: { identifier: "e-mail" } },
      /must be one of email, phone, username/,
    ],
    ["an unknown address kind", { ostiary: { verifiable: "username" } }, /must be one of email, phone/],
    ["an annotation that is no object", { ostiary: true }, /ostiary must be an object/],
    ["a display name that is not true", { ostiary: { display_name: "yes" } }, /must be true or false/],
    [
      "a Kratos flag that is not true",
      { "ory.sh/kratos": { credentials: { password: { identifier: 1 } } } },
      /must be true or false/,
    ],
    [
      "an unknown Kratos channel",
      { "ory.sh/kratos": { recovery: { via: "pigeon" } } },
      /must be email or sms/,
    ],
    [
      "an annotation on a number",
      { type: "number", ostiary: { identifier: "phone" } },
      /belongs on a string/,
    ],
    ["an annotation on a list", { type: "array", ostiary: { identifier: "phone" } }, /put it on the items/],
    ["an annotation below not", { not: { ostiary: { identifier: "email" } } }, /has no effect below not/],
    [
      "an annotation below contains",
      { contains: { ostiary: { identifier: "email" } } },
      /has no effect below contains/,
    ],
  ])("%s", (_name, trait, message) => {
    expect(() => withTrait(trait)).toThrow(SchemaDocumentError);
    expect(() => withTrait(trait)).toThrow(message);
  });

  test("a property may be named like a keyword without effect", () => {
    const trait = { type: "string", ostiary: { identifier: "username" } };
    expect(() => compile({ properties: { not: trait, contains: trait } })).not.toThrow();
  });

  test("beyond 1 MiB", () => {
    expect(() => compile({ description: "x".repeat(1024 * 1024) })).toThrow(/at most 1048576 bytes/);
  });

  test("nested too deeply", () => {
    let deep: JsonObject = {};
    for (let level = 0; level < 10_000; level++) deep = { not: deep };
    expect(() => compile(deep)).toThrow(/deep/);
  });

  test("against the meta-schema", () => {
    expect(() => assertSchemaDocument({ properties: { trait: { minLength: -1 } } })).toThrow(
      /\/properties\/trait\/minLength must be >= 0/,
    );
  });

  test("a document without an identifier is taken, with a warning", () => {
    const schema = withTrait({ type: "string", format: "emial" });
    expect(schema.warnings).toEqual([
      "no trait is an identifier, so nobody can sign in with this schema",
      'the format "emial" is unknown, so nothing checks it',
    ]);
  });

  test("two documents with the same $id do not get in each other's way", () => {
    const $id = "https://example.com/same";
    const short = compile({ $id, properties: { trait: { maxLength: 1 } } });
    const long = compile({ $id, properties: { trait: { maxLength: 9 } } });
    expect([short, long].map((schema) => rules(schema.validate({ trait: "four" })))).toEqual([
      ["trait maxLength"],
      [],
    ]);
  });

  test("identifiers that a generator gives each property mean nothing", () => {
    const schema = compile({
      $schema: draft07,
      properties: { trait: { $id: "#/properties/trait", maxLength: 1 } },
    });
    expect(rules(schema.validate({ trait: "ab" }))).toEqual(["trait maxLength"]);
  });
});

describe("formats", () => {
  test.each([
    ["email", "ada@example.com", true],
    ["email", "ada@bücher.example", true],
    ["email", " ada@example.com", false],
    ["email", "ada@example.com\r\nBcc: eve@example.com", false],
    ["email", "a\u200bda@example.com", false],
    ["email", "ada@example", false],
    ["email", `${"a".repeat(65)}@example.com`, false],
    ["email_loose", "ada@localhost", true],
    ["email_loose", "ada@local\nhost", false],
    ["tel", "+49 171 2345678", true],
    ["tel", "+491712345678", true],
    ["tel", "0171 2345678", false],
    ["tel", "+999 1", false],
    ["tel", "+1 800 FLOWERS", false],
    ["no-validate", "anything", true],
    ["date", "2026-02-29", false],
    ["date", "2028-02-29", true],
    ["uri", "https://example.com/", true],
    ["uri", "no uri", false],
    ["uuid", "no uuid", false],
  ])("%s: %j is valid: %s", (format, trait, valid) => {
    expect(withTrait({ type: "string", format }).validate({ trait }).valid).toBe(valid);
  });

  // Security rule (SR-TRAIT-3): nothing that somebody registers with takes long to look at.
  test.each([
    "email",
    "email_loose",
    "tel",
    "uri",
    "uri-reference",
    "uri-template",
    "iri",
    "date-time",
    "iso-date-time",
    "time",
    "duration",
    "hostname",
    "ipv4",
    "ipv6",
    "json-pointer",
    "regex",
    "byte",
    "uuid",
    "url",
  ])("%s is decided quickly whatever the text", (format) => {
    const schema = withTrait({ type: "string", format });
    const units = [
      "a",
      "a.",
      "a@",
      "0",
      "1:",
      "/a",
      "{a}",
      "%20",
      "+1",
      " ",
      "=",
      "http://a/",
      "P1D",
      "(",
      "-.",
    ];
    const startedAt = performance.now();
    for (const unit of units) {
      for (const end of ["", "!", "@", "\n"]) {
        schema.validate({ trait: unit.repeat(4095 / unit.length) + end });
      }
    }
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});

describe("patterns", () => {
  // Security rule (SR-TRAIT-4): each pattern of a document stands for itself. ajv keeps them by their text, and one without a text of
  // its own stood for all: right forms were refused, and what the others were to keep out got in.
  test("each counts for itself, on properties, as names of properties, and both mixed", () => {
    const schema = compile({
      type: "object",
      properties: {
        zip: { type: "string", pattern: "^[0-9]{5}$" },
        country: { type: "string", pattern: "^[A-Z]{2}$" },
      },
      patternProperties: { "^a_": { type: "integer" }, "^b_": { type: "string", pattern: "^[a-z]$" } },
      propertyNames: { pattern: "^[a-z_]+$" },
      additionalProperties: false,
    });
    expect(rules(schema.validate({ zip: "12345", country: "DE", a_x: 1, b_x: "t" }))).toEqual([]);
    expect(rules(schema.validate({ zip: "12345", country: "12345" }))).toEqual(["country pattern"]);
    expect(rules(schema.validate({ zip: "DE", country: "DE" }))).toEqual(["zip pattern"]);
    expect(rules(schema.validate({ a_x: "t", b_x: 1 }))).toEqual(["a_x type", "b_x type"]);
    expect(rules(schema.validate({ b_x: "12345" }))).toEqual(["b_x pattern"]);
    expect(rules(schema.validate({ c_x: 1 }))).toEqual(["c_x additionalProperties"]);
  });

  // Security rule (SR-TRAIT-3): matching takes linear time, so no text brings a pattern to a standstill (CWE-1333).
  test.each([
    ["^(a+)+$", false],
    ["^(a|a)*$", false],
    ["^(a|aa)+$", false],
    ["(.*a){20}", true],
    ["^([a-z]+)*\\d$", false],
  ])("%s is matched in linear time", (pattern, valid) => {
    const schema = withTrait({ type: "string", pattern });
    const startedAt = performance.now();
    expect(schema.validate({ trait: `${"a".repeat(4000)}!` })).toMatchObject({ valid });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test.each([
    ["^[a-z]{2,3}$", "abc", true],
    ["^[a-z]{2,3}$", "abcd", false],
    ["b", "abc", true],
    ["^\\p{Lu}\\p{Ll}+$", "Ada", true],
    ["^\\u0041\\u{64}a$", "Ada", true],
    ["^\\\\u0041$", "\\u0041", true],
    ["^(?i)ada$", "ADA", true],
    ["^[\\w.\\-]+$", "a.b-c", true],
    ["^.$", "\u{1f600}", true],
  ])("%s against %j is %s", (pattern, trait, valid) => {
    expect(withTrait({ type: "string", pattern }).validate({ trait }).valid).toBe(valid);
  });

  test("also decide which properties they speak about", () => {
    const schema = compile({
      patternProperties: { "^mail": { type: "string", ostiary: { identifier: "email" } } },
      additionalProperties: { type: "string", ostiary: { identifier: "username" } },
    });
    expect(identifiers(schema, { mail1: "a@b.example", nick: "Ada" })).toEqual([
      "email a@b.example at mail1",
      "username ada at nick",
    ]);
  });
});

describe("limits that hold whatever the schema says", () => {
  const schema = compile({ type: "object" });
  const nested = (levels: number): JsonObject => {
    let value: JsonObject = {};
    for (let level = 1; level < levels; level++) value = { inner: value };
    return value;
  };

  test.each<[string, JsonObject, string]>([
    ["a string of 4097 characters", { trait: "x".repeat(4097) }, "trait maxLength"],
    [
      "more than 64 KiB",
      Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`t${i}`, "x".repeat(4000)])),
      " max_bytes",
    ],
    [
      "2001 values",
      { trait: { a: Object.fromEntries(Array.from({ length: 1999 }, (_, index) => [`a${index}`, 0])) } },
      " max_values",
    ],
    ["1001 items", { trait: Array.from({ length: 1001 }, () => 0) }, "trait maxItems"],
    ["a null character", { trait: "a\0b" }, "trait forbidden_character"],
    ["a lone surrogate", { trait: "a\ud800" }, "trait forbidden_character"],
    ["a null character in a name", { "a\0b": 1 }, " property_name"],
    ["a name of 256 characters", { ["x".repeat(256)]: 1 }, " property_name"],
    ["a number that is none", { trait: Number.NaN }, "trait number"],
    ["an infinite number", { trait: Number.POSITIVE_INFINITY }, "trait number"],
    ["a whole number beyond 2^53", { trait: JSON.parse("9007199254740993") as number }, "trait number_range"],
    ["one below", { trait: { list: [-(2 ** 53)] } }, "trait/list/0 number_range"],
    ["one that is a round double", { trait: 1e20 }, "trait number_range"],
    ["__proto__", JSON.parse('{"a":{"__proto__":{"email":"x"}}}') as JsonObject, "a/__proto__ property_name"],
    ["constructor", JSON.parse('{"constructor":1}') as JsonObject, "constructor property_name"],
    ["prototype", JSON.parse('{"prototype":1}') as JsonObject, "prototype property_name"],
    [
      "a prototype that came by assignment",
      { a: Object.create({ email: "x" }) as JsonObject },
      "a property_name",
    ],
  ])("refuse %s", (_name, traits, rule) => {
    expect(rules(schema.validate(traits))).toEqual([rule]);
  });

  test("refuse 33 levels and take 32", () => {
    expect(schema.validate(nested(32)).valid).toBe(true);
    expect(rules(schema.validate(nested(33)))).toEqual([`${"inner/".repeat(32).slice(0, -1)} max_depth`]);
    expect(schema.validate(nested(100_000)).valid).toBe(false);
  });

  test("take whole numbers up to 2^53 - 1, and fractions", () => {
    for (const trait of [2 ** 53 - 1, -(2 ** 53 - 1), 0.1, -0, 1e-300]) {
      expect(schema.validate({ trait }).valid).toBe(true);
    }
  });

  test("take a string of 4096 characters", () => {
    expect(schema.validate({ trait: "x".repeat(4096) }).valid).toBe(true);
  });

  // Security rule (SR-TRAIT-3): a pattern is never fed more than the limit (the limits come before the schema).
  test("come before the schema", () => {
    const strict = withTrait({ type: "string", maxLength: 5, pattern: "^a$" });
    expect(rules(strict.validate({ trait: "x".repeat(5000) }))).toEqual(["trait maxLength"]);
  });

  test("do not take inherited names for traits", () => {
    const strict = compile({ type: "object", required: ["toString"] });
    expect(rules(strict.validate({}))).toEqual(["toString required"]);
  });
});

describe("violations", () => {
  test("carry what a message in any language needs", () => {
    const schema = compile({
      properties: {
        short: { type: "string", maxLength: 2 },
        long: { type: "string", minLength: 9 },
        small: { type: "number", minimum: 5 },
        shaped: { type: "string", pattern: "^a$" },
        "a/b~c": { type: "string" },
        list: { type: "array", items: { type: "string" } },
      },
    });
    const traits = { short: "\u{1f600}ab", long: "ab", small: 1, shaped: "b", "a/b~c": 1, list: ["a", 1] };
    const result = schema.validate(traits);
    expect(result.valid ? [] : result.violations).toEqual([
      expect.objectContaining({ path: ["short"], rule: "maxLength", params: { limit: 2, actual: 3 } }),
      expect.objectContaining({ path: ["long"], rule: "minLength", params: { limit: 9, actual: 2 } }),
      expect.objectContaining({ path: ["small"], rule: "minimum", params: { comparison: ">=", limit: 5 } }),
      expect.objectContaining({ path: ["shaped"], rule: "pattern", params: { pattern: "^a$" } }),
      expect.objectContaining({ path: ["a/b~c"], rule: "type", params: { type: "string" } }),
      expect.objectContaining({ path: ["list", "1"], rule: "type", params: { type: "string" } }),
    ]);
  });

  test("are at most 20", () => {
    const schema = withTrait({ type: "array", items: { type: "string" } });
    const result = schema.validate({ trait: Array.from({ length: 1000 }, (_, index) => index) });
    expect(result.valid ? 0 : result.violations.length).toBe(20);
  });

  test("never repeat the value", () => {
    const schema = withTrait({ type: "string", format: "email", pattern: "^x$", maxLength: 3, enum: ["x"] });
    expect(JSON.stringify(schema.validate({ trait: "hunter2-secret" }))).not.toContain("hunter2");
  });
});

describe("annotations", () => {
  const email = { type: "string", ostiary: { identifier: "email", verifiable: "email" } } as const;
  const username = { type: "string", ostiary: { identifier: "username" } } as const;

  test("on the items of a list count for each item, and duplicates once", () => {
    const schema = withTrait({ type: "array", items: email });
    const traits = { trait: ["a@b.example", "A@B.example", "c@d.example"] };
    expect(identifiers(schema, traits)).toEqual([
      "email a@b.example at trait.0",
      "email c@d.example at trait.2",
    ]);
    expect(derivedFrom(schema, traits).verifiableAddresses).toHaveLength(2);
  });

  test("that name the same identifier twice give it once, at its first place", () => {
    const schema = compile({
      properties: { first: email, second: { ...email, ostiary: { identifier: "email" } } },
    });
    expect(identifiers(schema, { second: "a@b.example", first: "A@b.example" })).toEqual([
      "email a@b.example at first",
    ]);
  });

  test.each<[string, JsonObject]>([
    ["a reference", { $ref: "#/$defs/mail" }],
    ["a reference by anchor", { $ref: "#mail" }],
    ["a reference with an escaped pointer", { $ref: "#/$defs/a~1b%20c" }],
    ["allOf", { allOf: [{ type: "string" }, { $ref: "#/$defs/mail" }] }],
  ])("behind %s count", (_name, trait) => {
    const schema = withTrait(trait, { $defs: { mail: { $anchor: "mail", ...email }, "a/b c": email } });
    expect(identifiers(schema, { trait: "a@b.example" })).toEqual(["email a@b.example at trait"]);
  });

  test("in a branch of anyOf or oneOf count only if the branch holds", () => {
    for (const keyword of ["anyOf", "oneOf"]) {
      const schema = withTrait({
        [keyword]: [
          { ...email, format: "email" },
          { ...username, maxLength: 5, pattern: "^[a-z]+$" },
        ],
      });
      expect(identifiers(schema, { trait: "a@b.example" })).toEqual(["email a@b.example at trait"]);
      expect(identifiers(schema, { trait: "ada" })).toEqual(["username ada at trait"]);
      expect(schema.validate({ trait: "Ada Lovelace" }).valid).toBe(false);
    }
  });

  test("in then and else count on the side taken", () => {
    const schema = compile({
      properties: { kind: { type: "string" }, trait: { type: "string" } },
      if: { properties: { kind: { const: "person" } } },
      // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
      then: { properties: { trait: email } },
      else: { properties: { trait: username } },
    });
    expect(identifiers(schema, { kind: "person", trait: "a@b.example" })).toEqual([
      "email a@b.example at trait",
    ]);
    expect(identifiers(schema, { kind: "robot", trait: "Marvin" })).toEqual(["username marvin at trait"]);
  });

  test("in dependent schemas count where the property is there", () => {
    const schema = compile({ dependentSchemas: { login: { properties: { nick: username } } } });
    expect(identifiers(schema, { nick: "Ada" })).toEqual([]);
    expect(identifiers(schema, { nick: "Ada", login: true })).toEqual(["username ada at nick"]);
  });

  test("in a schema that contains itself count at each level", () => {
    const schema = compile({
      $defs: { node: { properties: { mail: email, child: { $ref: "#/$defs/node" } } } },
      $ref: "#/$defs/node",
    });
    expect(identifiers(schema, { mail: "a@b.example", child: { mail: "c@d.example" } })).toEqual([
      "email a@b.example at mail",
      "email c@d.example at child.mail",
    ]);
  });

  test("on tuples count by place", () => {
    const schema = withTrait({ type: "array", prefixItems: [email], items: username });
    expect(identifiers(schema, { trait: ["a@b.example", "Ada"] })).toEqual([
      "email a@b.example at trait.0",
      "username ada at trait.1",
    ]);
  });

  test("say nothing about what is missing, null or empty", () => {
    const schema = withTrait({ ...username, type: ["string", "null"] });
    const empty: readonly JsonObject[] = [{}, { trait: null }, { trait: "" }, { trait: "  " }];
    for (const traits of empty) {
      expect(identifiers(schema, traits)).toEqual([]);
    }
  });

  test("are enforced where the schema itself is lenient", () => {
    const lenient = (kind: string) => withTrait({ ostiary: { identifier: kind } });
    expect(rules(lenient("email").validate({ trait: "ada" }))).toEqual(["trait format"]);
    expect(rules(lenient("phone").validate({ trait: "12345" }))).toEqual(["trait format"]);
    expect(rules(lenient("email").validate({ trait: 5 }))).toEqual(["trait type"]);
    expect(rules(lenient("username").validate({ trait: "a\u200bda" }))).toEqual(["trait identifier"]);
    expect(rules(lenient("username").validate({ trait: "x".repeat(321) }))).toEqual(["trait identifier"]);
  });

  // Security rule (SR-OWNER-7): nobody takes another person's address as a username, which would keep its owner out.
  test("let no username look like an address", () => {
    const schema = withTrait(username);
    expect(rules(schema.validate({ trait: "victim@example.com" }))).toEqual(["trait identifier"]);
    expect(rules(schema.validate({ trait: "+49 171 2345678" }))).toEqual(["trait identifier"]);
    expect(rules(schema.validate({ trait: "ada" }))).toEqual([]);
  });

  test("give at most 20 identifiers", () => {
    const schema = withTrait({ type: "array", items: username });
    const named = (count: number) => ({ trait: Array.from({ length: count }, (_, index) => `user${index}`) });
    expect(identifiers(schema, named(20))).toHaveLength(20);
    expect(rules(schema.validate(named(21)))).toEqual([" identifier"]);
  });

  // Security rule (SR-OWNER-11): the display name goes into mail headers and pages, so it is one line that turns no text around.
  test("make the display name one harmless line", () => {
    const schema = withTrait({ type: "string", ostiary: { display_name: true } });
    const name = (trait: string) => derivedFrom(schema, { trait }).displayName;
    expect(name("  Ada\r\nBcc: eve@example.com\u202e ")).toBe("Ada Bcc: eve@example.com");
    expect(name("x".repeat(300))).toHaveLength(255);
    expect(name("👩‍🔬 Ada")).toBe("👩‍🔬 Ada");
  });

  test("escape dots in the paths that they name", () => {
    const schema = compile({ properties: { "a.b": username } });
    expect(identifiers(schema, { "a.b": "ada" })).toEqual(["username ada at a\\.b"]);
  });
});

describe("what a form cannot keep", () => {
  test("is warned of: null, as the value of a trait", () => {
    const schema = compile({
      required: ["name"],
      properties: {
        name: { type: "string", ostiary: { identifier: "username" } },
        nick: { type: ["string", "null"] },
        either: { anyOf: [{ type: "string" }, { type: "null" }] },
        choice: { enum: ["a", null] },
        inner: { properties: { only: { const: null } } },
        list: { type: "array", items: { type: ["string", "null"] } },
        never: { not: { type: "null" } },
      },
    });
    const places = ["nick", "either/anyOf/1", "choice", "inner/properties/only"];
    expect(schema.warnings).toEqual([
      `null is allowed at ${places.map((place) => `/properties/${place}`).join(", ")}, but settings and registrations cannot store it: there null removes a trait`,
      ...["either, because of anyOf", "choice, because of enum", "inner.only, because of const"].map(
        (what) => `no form can draw ${what}`,
      ),
      "no form can draw never, because of not",
    ]);
  });
});
