/** The official JSON Schema Test Suite, which scripts/fetch-json-schema-suite.sh writes, run by our compiler of schemas. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { assertSchemaDocument, compileSchema } from "../../src/domain/identity/compiled-schema.ts";
import { SchemaDocumentError } from "../../src/domain/identity/schema-document-error.ts";
import type { JsonObject, JsonValue } from "../../src/domain/json.ts";

const directory = ".cache/json-schema-suite/jsonschema-4.26.0/json/tests";

/** Whether the suite is there; where it must be and is not, an error says how to get it. */
export function hasSuite(): boolean {
  if (existsSync(directory)) return true;
  if (process.env.OSTIARY_TEST_REQUIRE_FOREIGN_CLIENTS !== "1") return false;
  throw new Error(`${directory} is missing: run scripts/fetch-json-schema-suite.sh`);
}

/** What came of a draft's tests. */
export interface SuiteResult {
  /** How many answers are those of the suite. */
  readonly right: number;
  /** Wrong answers, counted: `format.json: email format`. */
  readonly differences: ReadonlyMap<string, number>;
  /** The sentences that schemas were refused with, one for each place that a schema was tried at. */
  readonly refusals: readonly string[];
}

/** Runs a draft's tests, each below a property of the traits, and those of objects as the traits themselves too. */
export function runSuite(draft: "draft7" | "draft2020-12"): SuiteResult {
  const refusals: string[] = [];
  const differences = new Map<string, number>();
  let right = 0;
  for (const file of readdirSync(join(directory, draft), { recursive: true, encoding: "utf8" }).sort()) {
    if (!file.endsWith(".json")) continue;
    for (const group of JSON.parse(readFileSync(join(directory, draft, file), "utf8")) as SuiteGroup[]) {
      for (const { document, wrap } of placesOf(group.schema, dialects[draft])) {
        const validate = compiled(document);
        if (typeof validate === "string") {
          refusals.push(validate);
          continue;
        }
        for (const { data, valid } of group.tests) {
          const traits = wrap(data);
          if (traits === undefined) continue;
          const name = `${file}: ${group.description}`;
          if (validate(traits) === valid) right++;
          else differences.set(name, (differences.get(name) ?? 0) + 1);
        }
      }
    }
  }
  return { right, differences, refusals };
}

interface SuiteGroup {
  readonly description: string;
  readonly schema: JsonObject | boolean;
  readonly tests: readonly { readonly data: JsonValue; readonly valid: boolean }[];
}

const dialects = {
  draft7: "http://json-schema.org/draft-07/schema#",
  "draft2020-12": "https://json-schema.org/draft/2020-12/schema",
};

interface Place {
  readonly document: JsonObject;
  readonly wrap: (data: JsonValue) => JsonObject | undefined;
}

function placesOf(schema: JsonObject | boolean, dialect: string): readonly Place[] {
  const inner = typeof schema === "object" ? { ...schema } : schema;
  const named = typeof inner === "object" ? (inner.$schema ?? dialect) : dialect;
  if (typeof inner === "object") delete inner.$schema;
  const below: Place = {
    document: { $schema: named, type: "object", properties: { v: movedBelow(inner) } },
    wrap: (v) => ({ v }),
  };
  if (typeof schema !== "object") return [below];
  const isObject = (data: JsonValue) => typeof data === "object" && data !== null && !Array.isArray(data);
  const whole: Place = {
    document: { ...schema, $schema: named },
    wrap: (data) => (isObject(data) ? (data as JsonObject) : undefined),
  };
  return [whole, below];
}

/** A schema whose references by pointer follow it below the property. */
function movedBelow(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(movedBelow);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([keyword, inner]): [string, JsonValue] => {
    if (keyword === "enum" || keyword === "const") return [keyword, inner];
    const isReference = (keyword === "$ref" || keyword === "$dynamicRef") && typeof inner === "string";
    if (isReference && /^#(\/|$)/.test(inner)) return [keyword, `#/properties/v${inner.slice(1)}`];
    return [keyword, movedBelow(inner)];
  });
  return Object.fromEntries(entries);
}

/** What validates traits, or the sentence that refuses the document. */
function compiled(document: JsonObject): ((traits: JsonObject) => boolean) | string {
  try {
    assertSchemaDocument(document);
    const schema = compileSchema({ id: "suite", version: 1, createdAt: new Date(0), document });
    return (traits) => schema.validate(structuredClone(traits)).valid;
  } catch (error) {
    if (error instanceof SchemaDocumentError) return error.message;
    throw error;
  }
}
