import type { JsonObject, JsonValue } from "../json.ts";
import { isStorableText } from "../storable-text.ts";
import type { TraitViolation } from "./compiled-schema.ts";

/** Limits of a JSON object from a caller. */
export interface JsonLimits {
  /** Of the object as compact JSON in UTF-8. */
  readonly maxBytes: number;
  /** Of a single string, in UTF-16 code units. */
  readonly maxStringLength: number;
}

/** The limits of traits under every schema: 64 KiB as JSON, 4096 characters a string. */
export const traitLimits: JsonLimits = { maxBytes: 64 * 1024, maxStringLength: 4096 };

/** Limits of public and admin metadata: 16 KiB as JSON each. */
export const metadataLimits: JsonLimits = { maxBytes: 16 * 1024, maxStringLength: 16 * 1024 };

/**
 * What is wrong with an object before anyone looks at its meaning: too large, more than 2000 values, more than 32 levels deep, an
 * array of more than 1000 items, a name that JavaScript gives a meaning to, a whole number that the way here may have changed,
 * or something that PostgreSQL's jsonb cannot hold. Checked first, so that no pattern is fed megabytes and no comparison of items runs into the millions. The
 * first violation only: what breaks these rules is an attack or a mistake, not a form to help with.
 */
export function checkJsonLimits(object: JsonObject, limits: JsonLimits): TraitViolation | undefined {
  const toVisit: Visit[] = [{ value: object, path: [] }];
  let found = 0;
  for (let visit = toVisit.pop(); visit !== undefined; visit = toVisit.pop()) {
    const { value, path } = visit;
    const violation = checkValue(value, path, limits);
    if (violation !== undefined) return violation;
    if (typeof value !== "object" || value === null) continue;
    // The names alone, because for thousands of members `Object.entries` takes five times as long.
    const names = Object.keys(value);
    // Security rule (SR-TRAIT-3): the number of values is limited, because each is read several times, and a stranger may send as many as
    // fit into the bytes.
    found += names.length;
    if (found > maxValues) {
      const params = { limit: maxValues };
      return { path: [], rule: "max_values", message: `must hold at most ${maxValues} values`, params };
    }
    for (const name of names) {
      const innerPath = [...path, name];
      const nameViolation = Array.isArray(value) ? undefined : checkName(name, innerPath);
      if (nameViolation !== undefined) return nameViolation;
      const inner = Array.isArray(value) ? value[Number(name)] : value[name];
      toVisit.push({ value: inner, path: innerPath });
    }
  }
  // Last, because writing JSON recurses as deep as the object.
  const bytes = Buffer.byteLength(JSON.stringify(object));
  if (bytes <= limits.maxBytes) return undefined;
  const params = { limit: limits.maxBytes, actual: bytes };
  return { path: [], rule: "max_bytes", message: `must be at most ${limits.maxBytes} bytes as JSON`, params };
}

interface Visit {
  /** Undefined if a decoder left a hole; JSON has no such value. */
  readonly value: JsonValue | undefined;
  readonly path: readonly string[];
}

const maxDepth = 32;
const maxItems = 1000;
/** The most values in the whole object, including those within its objects and arrays. */
const maxValues = 2000;
const maxNameLength = 255;
// Assigning to them changes what an object is, in this process and in every JavaScript client that copies traits.
const forbiddenNames = new Set(["__proto__", "constructor", "prototype"]);

function checkValue(
  value: JsonValue | undefined,
  path: readonly string[],
  limits: JsonLimits,
): TraitViolation | undefined {
  switch (typeof value) {
    case "string":
      return checkString(value, path, limits);
    case "number":
      return checkNumber(value, path);
    case "object":
      return value === null ? undefined : checkContainer(value, path);
    case "boolean":
      return undefined;
    default:
      return { path, rule: "type", message: "must be a JSON value", params: { type: "object" } };
  }
}

/**
 * Numbers are doubles on the wire (google.protobuf.Struct) and in JavaScript, so of a whole number beyond 2^53 nobody can
 * tell whether it is the one that was sent: 9007199254740993 arrives as 9007199254740992. Refused, never changed.
 */
function checkNumber(value: number, path: readonly string[]): TraitViolation | undefined {
  if (!Number.isFinite(value)) {
    return { path, rule: "number", message: "must be a finite number", params: {} };
  }
  if (isExactNumber(value)) return undefined;
  const params = { limit: Number.MAX_SAFE_INTEGER };
  const message = `must not be a whole number beyond ±${Number.MAX_SAFE_INTEGER}; write it as a string`;
  return { path, rule: "number_range", message, params };
}

/** Whether a number is surely the one that was written, up to the digits that a fraction has as a double. */
export function isExactNumber(value: number): boolean {
  return Number.isSafeInteger(value) || (Number.isFinite(value) && !Number.isInteger(value));
}

function checkString(text: string, path: readonly string[], limits: JsonLimits): TraitViolation | undefined {
  if (text.length > limits.maxStringLength) {
    const params = { limit: limits.maxStringLength, actual: text.length };
    const message = `must be at most ${limits.maxStringLength} characters long`;
    return { path, rule: "maxLength", message, params };
  }
  if (isStorableText(text)) return undefined;
  const message = "must not have null characters or lone surrogates";
  return { path, rule: "forbidden_character", message, params: {} };
}

function checkContainer(
  value: JsonObject | JsonValue[],
  path: readonly string[],
): TraitViolation | undefined {
  // The root is level 1.
  if (path.length + 1 > maxDepth) {
    const message = `must be at most ${maxDepth} levels deep`;
    return { path, rule: "max_depth", message, params: { limit: maxDepth } };
  }
  if (Array.isArray(value)) {
    if (value.length <= maxItems) return undefined;
    const params = { limit: maxItems, actual: value.length };
    return { path, rule: "maxItems", message: `must have at most ${maxItems} items`, params };
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  // A decoder that assigns keys one by one turns `__proto__` into this, and the key itself is gone.
  if (prototype === Object.prototype || prototype === null) return undefined;
  return forbiddenName(path);
}

function checkName(name: string, path: readonly string[]): TraitViolation | undefined {
  if (forbiddenNames.has(name)) return forbiddenName(path);
  if (name.length > maxNameLength || !isStorableText(name)) {
    const message = `names must have at most ${maxNameLength} characters and no null characters`;
    return { path: path.slice(0, -1), rule: "property_name", message, params: { limit: maxNameLength } };
  }
  return undefined;
}

function forbiddenName(path: readonly string[]): TraitViolation {
  return {
    path,
    rule: "property_name",
    message: `must not be named ${[...forbiddenNames].join(", ")}`,
    params: {},
  };
}
