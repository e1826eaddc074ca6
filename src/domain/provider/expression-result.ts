import { type CelError, type CelResult, isCelError, isCelList, isCelMap, isCelUint } from "@bufbuild/cel";
import type { JsonObject, JsonValue } from "../json.ts";
import { isStorableText } from "../storable-text.ts";
import { ExpressionLimit } from "./expression-functions.ts";

/** What an expression gave, or why it gave nothing that can be kept. */
export type ExpressionOutcome =
  | { readonly kind: "value"; readonly value: JsonValue; readonly values: number }
  /** `absent`: what it names is not there, or is empty. Otherwise it could not be computed, or not be kept. */
  | { readonly kind: "nothing"; readonly reason: string; readonly absent: boolean };

const maxDepth = 16;
/** The limits of traits and metadata have the same: see src/domain/identity/json-limits.ts. */
const maxValues = 2000;
const maxNameLength = 255;
const forbiddenNames = new Set(["__proto__", "constructor", "prototype"]);

/** Turns a result into JSON. An error, null, an empty text and what JSON cannot say are nothing. Never throws. */
export function toOutcome(result: CelResult, source: string): ExpressionOutcome {
  if (isCelError(result))
    return { kind: "nothing", reason: explained(result, source), absent: isAbsence(result) };
  try {
    const count = { values: 0 };
    const value = toJson(result, 1, count);
    if (value === null || value === "") return { kind: "nothing", reason: "it is empty", absent: true };
    return { kind: "value", value, values: count.values };
  } catch (error) {
    if (error instanceof UnusableValue) return { kind: "nothing", reason: error.message, absent: false };
    throw error;
  }
}

class UnusableValue extends Error {}

function toJson(value: unknown, depth: number, count: { values: number }): JsonValue {
  count.values += 1;
  if (count.values > maxValues) throw new UnusableValue(`it has more than ${maxValues} values`);
  if (depth > maxDepth) throw new UnusableValue(`it is more than ${maxDepth} levels deep`);
  if (value === null || typeof value === "boolean") return value;
  if (typeof value === "string") {
    if (isStorableText(value)) return value;
    throw new UnusableValue("it has null characters or lone surrogates");
  }
  if (typeof value === "bigint" || typeof value === "number") return exactNumber(value);
  if (isCelUint(value)) return exactNumber(value.value);
  if (isCelList(value)) return [...value].map((item) => toJson(item, depth + 1, count));
  if (isCelMap(value)) {
    const object: JsonObject = {};
    for (const [name, member] of value) object[allowedName(name)] = toJson(member, depth + 1, count);
    return object;
  }
  throw new UnusableValue("it is not a text, number, boolean, list or map");
}

/** A number that is surely the one that was sent: beyond 2^53 a double is not. */
function exactNumber(value: bigint | number): number {
  const number = Number(value);
  if (Number.isFinite(number) && (!Number.isInteger(number) || Number.isSafeInteger(number))) return number;
  throw new UnusableValue("it is a number beyond ±(2^53 - 1), which cannot be kept exactly");
}

/**
 * Security rule (SR-MAP-3): a provider names no member that means something to JavaScript.
 */
function allowedName(name: unknown): string {
  if (typeof name !== "string") throw new UnusableValue("it has a member whose name is not a text");
  if (forbiddenNames.has(name)) throw new UnusableValue(`it has a member named ${name}`);
  if (name.length > maxNameLength || !isStorableText(name)) {
    throw new UnusableValue(
      `it has a member whose name is longer than ${maxNameLength} characters or cannot be stored`,
    );
  }
  return name;
}

/** Whether a name can be one of a trait. */
export function isAllowedName(name: string): boolean {
  return !forbiddenNames.has(name) && name !== "" && name.length <= maxNameLength && isStorableText(name);
}

/** Whether an expression failed because a member or an item is not there. */
function isAbsence(error: CelError): boolean {
  return (
    !(error.cause instanceof ExpressionLimit) &&
    (fieldOf(error) !== undefined || isBeyondList.test(error.message))
  );
}

const isBeyondList = /^index .* out of bounds/;

/** The member that is not there. */
function fieldOf({ message }: CelError): string | undefined {
  return /^field not found: (.*?) ?$/.exec(message)?.[1];
}

/**
 * Why an expression fails, for operators. The library's own words are not passed on, because some of them have values of claims:
 * `int(claims.a)` says what is no number.
 */
function explained(error: CelError, source: string): string {
  if (error.cause instanceof ExpressionLimit) return error.cause.message;
  const field = fieldOf(error);
  // With an index such as `claims[claims.a]` the name is the value of a claim.
  if (field !== undefined)
    return source.includes(field) ? `there is no \`${field}\`` : "there is no such member";
  if (isBeyondList.test(error.message)) return "the list is shorter than that";
  const overload = /^found no matching overload for '?(.+?)'? applied to '(.*)' ?$/.exec(error.message);
  if (overload !== null) return `\`${overload[1]}\` cannot be used on ${overload[2]}`;
  return "it cannot be computed";
}
