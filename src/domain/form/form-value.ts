import { isExactNumber } from "../identity/json-limits.ts";
import type { JsonValue } from "../json.ts";
import type { InputKind } from "./form.ts";

/**
 * The value of a field, in the type that the field asks for, because clients may send everything as text. Null for an empty
 * field. An empty text counts as empty, unless `isWhole` says that it is an item of a list that a program sent as a whole.
 * Undefined for a value that the field cannot hold. A text that is not of the field's type stays a text; the validation of
 * traits then has a message for it, beside the field.
 */
export function readFormValue(input: InputKind, given: JsonValue, isWhole = false): JsonValue | undefined {
  if (given === null) return null;
  if (typeof given === "object") return undefined;
  if (input.choices !== undefined && input.choices.length > 0) return chosenValue(input, given);
  if (input.isConsent) return boxValue(String(given)) === false ? null : consentValue(given);
  if (typeof given !== "string") return given;
  // A value that comes back as it was drawn is no change.
  if (given === input.value) return given;
  switch (input.type) {
    case "checkbox":
      return boxValue(given);
    case "number":
      return numberValue(given.trim());
    default:
      return given === "" && !isWhole ? null : given;
  }
}

/** The violation of a value outside the traits that is too large; the contract has the same limits for the typed submits. */
export function sizeProblem(
  input: InputKind,
  value: JsonValue,
): { readonly reason: "TYPE" | "TOO_LONG"; readonly description: string } | undefined {
  if (typeof value === "string") {
    const { size, limit, unit } = measure(input, value);
    if (size <= limit) return undefined;
    return { reason: "TOO_LONG", description: `must be at most ${limit} ${unit} long` };
  }
  const isOfType =
    (input.type === "checkbox" && typeof value === "boolean") ||
    (input.type === "number" && typeof value === "number" && Number.isFinite(value));
  return isOfType
    ? undefined
    : { reason: "TYPE", description: `is no value for a field of the type ${input.type}` };
}

/**
 * Longer values are refused unread. A password or code that is shorter than this and still too long has a message of its own.
 */
const mostBytes: Partial<Record<InputKind["type"], number>> = { password: 4096, code: 64 };
const mostBytesOfOthers = 4096;

function measure({ type, maxLength }: InputKind, text: string) {
  const bytes = mostBytes[type];
  if (bytes === undefined && maxLength !== undefined) {
    return { size: [...text].length, limit: maxLength, unit: "characters" };
  }
  return { size: Buffer.byteLength(text), limit: bytes ?? mostBytesOfOthers, unit: "bytes" };
}

/**
 * The choice that a value or its text stands for. Any other value is passed on; the step that offers the choices refuses it.
 */
function chosenValue({ choices = [], value: drawn }: InputKind, given: JsonValue): JsonValue {
  const chosen =
    choices.find(({ value }) => value === given) ?? choices.find(({ value }) => isSameChoice(value, given));
  if (chosen !== undefined) return chosen.value;
  return given === "" && drawn !== "" ? null : given;
}

/** Whether a value, or its text, stands for a choice. */
export function isSameChoice(choice: JsonValue | undefined, given: JsonValue): boolean {
  return choice !== undefined && (choice === given || textOf(choice) === given);
}

/** A yes; what is neither yes nor no stays as it is, and the validation of traits has a message for it. */
function consentValue(given: JsonValue): JsonValue {
  return boxValue(String(given)) ?? given;
}

function boxValue(given: string): boolean | undefined {
  const text = given.trim().toLowerCase();
  if (["true", "on", "1"].includes(text)) return true;
  return ["", "false", "off", "0"].includes(text) ? false : undefined;
}

/** Reads a number. A whole number that a double cannot hold stays a text, because it would become another number. */
function numberValue(text: string): JsonValue {
  if (text === "") return null;
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text)) return text;
  const number = Number(text);
  const hasVanished = number === 0 && /^[^e]*[1-9]/i.test(text);
  return isExactNumber(number) && !hasVanished ? number : text;
}

function textOf(value: JsonValue): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
