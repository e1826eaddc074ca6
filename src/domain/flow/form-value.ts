import { isExactNumber } from "../identity/json-limits.ts";
import type { JsonValue } from "../json.ts";
import type { InputKind } from "./form.ts";

/**
 * What was filled into a field, with the type that the field asks for, since clients may send everything as text. Null for an
 * empty field. An empty text is one too, unless `isWhole` says that it comes from a program that has types. Undefined for what
 * no such field can hold. A text that is not what the field asks for stays a text: the rules of traits then say what is wrong
 * with it, beside the field.
 */
export function readFormValue(input: InputKind, given: JsonValue, isWhole = false): JsonValue | undefined {
  if (given === null) return null;
  if (typeof given === "object") return undefined;
  if (input.choices !== undefined && input.choices.length > 0) return chosenValue(input, given);
  if (typeof given !== "string") return given;
  // What was drawn and comes back as it was is no change.
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

/** What is wrong with a value that is not of the traits: the typed submits have such limits in the contract. */
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

/** Beyond these nothing is read at all. What is shorter and still too long for a password or a code has its own message. */
const mostBytes: Partial<Record<InputKind["type"], number>> = { password: 4096, code: 64 };
const mostBytesOfOthers = 4096;

function measure({ type, maxLength }: InputKind, text: string) {
  const bytes = mostBytes[type];
  if (bytes === undefined && maxLength !== undefined) {
    return { size: [...text].length, limit: maxLength, unit: "characters" };
  }
  return { size: Buffer.byteLength(text), limit: bytes ?? mostBytesOfOthers, unit: "bytes" };
}

/** One of the choices, also by its text. Any other value is passed on; the step that offers the choices refuses it. */
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

function boxValue(given: string): boolean | undefined {
  const text = given.trim().toLowerCase();
  if (["true", "on", "1"].includes(text)) return true;
  return ["", "false", "off", "0"].includes(text) ? false : undefined;
}

/** A whole number that a double cannot hold would become another one, so it stays the text that it is. */
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
