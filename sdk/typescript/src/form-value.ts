// SPDX-License-Identifier: Apache-2.0
import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { type InputNode, InputType } from "../../../gen/ostiary/flow/v1/form_pb.js";

/**
 * A value of a form as the text of an HTML attribute `value`: of an input's `value`, and of the `value` of each of
 * its choices. `formDataToValues` finds the typed value back. An absent value and null are the empty text.
 */
export function textOf(value: Value | undefined): string {
  return valueText(jsonOf(value));
}

/** The same as `textOf`, for a JSON value. */
export function valueText(json: JsonValue | undefined): string {
  if (json === undefined || json === null) return "";
  return typeof json === "string" ? json : JSON.stringify(json);
}

/** The texts that a filled-in form has under a name. */
export function textsOf(data: FormData, name: string): readonly string[] {
  return data.getAll(name).filter((entry) => typeof entry === "string");
}

/** As `textOf`, in the form that the control of an input takes: a moment or time of day is shown in the local time of the browser. */
export function inputTextOf(input: InputNode): string {
  const text = textOf(input.value);
  if (input.type === InputType.TIME) return localTimeOf(text) ?? text;
  const moment = input.type === InputType.DATE_TIME ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(moment)) return text;
  const local = new Date(moment - new Date(moment).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, "YYYY-MM-DDThh:mm:ss".length);
}

/** Stands for a date of which only a part was filled in. The server refuses it. */
export const incompleteDate = "-";

/** What somebody made of a field. */
export type FilledIn =
  /** Nothing: it holds what it was drawn with, or was not drawn. */
  | { readonly kind: "untouched" }
  /** What was there is gone. */
  | { readonly kind: "emptied" }
  | { readonly kind: "value"; readonly value: JsonValue };

/**
 * What the texts of an input mean, compared with what it was drawn with. What does not fit the input is passed on as the
 * text it is: the server then answers with a message beside the field, which no exception here could do.
 */
export function readInput(input: InputNode, texts: readonly string[]): FilledIn {
  // The last one counts: a hidden field of the same name before a checkbox is the usual way to say "off".
  const text = texts.at(-1);
  if (input.type === InputType.CHECKBOX && input.choices.length === 0) return readBox(input, text);
  // Every other control sends its name, also with nothing in it, so this one was not drawn.
  if (text === undefined) return { kind: "untouched" };
  if (isAsDrawn(input, text)) return { kind: "untouched" };
  const chosen = input.choices.find((option) => option.value !== undefined && textOf(option.value) === text);
  const value = chosen === undefined ? typedValue(input, text) : jsonOf(chosen.value);
  if (value !== undefined && value !== null) return { kind: "value", value };
  return input.value === undefined ? { kind: "untouched" } : { kind: "emptied" };
}

/** What an input was drawn with; undefined if it had no value. */
export function drawnValueOf(input: InputNode): JsonValue | undefined {
  const json = jsonOf(input.value);
  // Nothing but a tick says something.
  if (input.consent) return json ?? undefined;
  // A box without a value says nothing, unless something must be said; nor does a list to choose from.
  if (json === undefined && input.required) {
    if (input.choices.some(({ value }) => jsonOf(value) === "")) return "";
    if (input.type === InputType.CHECKBOX && input.choices.length === 0) return false;
  }
  return json ?? undefined;
}

/** The value of an input that nobody compares with what it was drawn with; undefined if nothing was filled in. */
export function valueOfInput(input: InputNode, texts: readonly string[]): JsonValue | undefined {
  if (input.readOnly) return undefined;
  if (input.type === InputType.HIDDEN) return hiddenValue(input, texts.at(-1));
  if (texts.length === 0 && input.type !== InputType.CHECKBOX) return undefined;
  const filledIn = readInput(input, texts);
  switch (filledIn.kind) {
    case "untouched":
      return input.type === InputType.CHECKBOX && !input.consent
        ? (drawnValueOf(input) ?? false)
        : drawnValueOf(input);
    case "emptied":
      return undefined;
    case "value":
      return filledIn.value;
    default:
      return filledIn satisfies never;
  }
}

/** A browser sends nothing for an empty checkbox, and "on" or its value for a ticked one; some pages send an empty text. */
function readBox(input: InputNode, text: string | undefined): FilledIn {
  const isTicked = text !== undefined && text !== "" && text !== "false" && text !== "0";
  const wasTicked = textOf(input.value) === "true";
  if (isTicked === wasTicked) return { kind: "untouched" };
  return input.consent && !isTicked ? { kind: "emptied" } : { kind: "value", value: isTicked };
}

/**
 * Whether a text is what its control holds when nobody touches it. Browsers change what they are given: a line of text loses
 * its line breaks, a list shows no choice where the value is none, a field for a date is empty where it is no date.
 */
function isAsDrawn(input: InputNode, text: string): boolean {
  const drawn = inputTextOf(input);
  // A date that was incomplete was left empty now.
  if (drawn === incompleteDate && text === "") return false;
  if (text === drawn || text === textOf(input.value)) return true;
  if (input.choices.length > 0) {
    return text === "" && !input.choices.some(({ value }) => textOf(value) === drawn);
  }
  const unbroken = drawn.replace(/[\r\n]/g, "");
  switch (input.type) {
    case InputType.EMAIL:
    case InputType.URL:
      return text === unbroken.replace(/^[\t\f ]+|[\t\f ]+$/g, "");
    case InputType.DATE:
      return text === "" && !isDate(drawn);
    case InputType.DATE_TIME: {
      const moment = localMoment(drawn);
      return moment === undefined ? text === "" : localMoment(text) === moment;
    }
    case InputType.TIME: {
      const time = localTime(drawn);
      return time === undefined ? text === "" : localTime(text) === time;
    }
    default:
      return text === unbroken || text.replace(/\r\n?/g, "\n") === drawn.replace(/\r\n?/g, "\n");
  }
}

function isDate(text: string): boolean {
  const moment = /^\d{4,}-\d\d-\d\d$/.test(text) ? new Date(`${text}T00:00:00Z`) : new Date(Number.NaN);
  return !Number.isNaN(moment.getTime()) && moment.toISOString().startsWith(text);
}

/** A local time to the second, however much of it a browser writes; undefined for anything else. */
function localMoment(text: string): string | undefined {
  const match = /^(\d{4,}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?(?:\.\d+)?$/.exec(text);
  return match === null ? undefined : `${match[1]}${match[2] ?? ":00"}`;
}

/** The same for a time of day. */
function localTime(text: string): string | undefined {
  const match = /^([01]\d|2[0-3])(:[0-5]\d)(:[0-5]\d)?(?:\.\d+)?$/.exec(text);
  return match === null ? undefined : `${match[1]}${match[2]}${match[3] ?? ":00"}`;
}

/** What was typed, with the type that its node asks for; undefined if it is empty. */
function typedValue(input: InputNode, text: string): JsonValue | undefined {
  switch (input.type) {
    case InputType.NUMBER:
      return numberOf(text.trim());
    case InputType.DATE_TIME:
      return momentOf(text);
    case InputType.TIME:
      return timeOf(text);
    default:
      return text === "" ? undefined : text;
  }
}

/** Nobody edits a hidden field, so the value it came with stands in where the page has not drawn it. */
function hiddenValue(input: InputNode, text: string | undefined): JsonValue | undefined {
  return text !== undefined && text !== textOf(input.value) ? text : jsonOf(input.value);
}

/** A value as JSON; undefined if there is none. */
export function jsonOf(value: Value | undefined): JsonValue | undefined {
  return value === undefined ? undefined : toJson(ValueSchema, value);
}

/** A control for a moment gives local time without its offset; JSON Schema asks for one (RFC 3339). */
function momentOf(text: string): JsonValue | undefined {
  if (text === "") return undefined;
  const isLocal = /^\d{4,}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text);
  const moment = new Date(text);
  return isLocal && !Number.isNaN(moment.getTime()) ? moment.toISOString() : text;
}

/** A time of day with its offset (RFC 3339, `full-time`), as the local time of today. */
function localTimeOf(text: string): string | undefined {
  const match = /^(\d\d:\d\d:\d\d)(?:\.\d+)?(z|[+-]\d\d:\d\d)$/i.exec(text);
  const moment = match && new Date(`${today()}T${match[1]}${match[2]?.toUpperCase()}`);
  if (!moment || Number.isNaN(moment.getTime())) return undefined;
  return [moment.getHours(), moment.getMinutes(), moment.getSeconds()].map(twoDigits).join(":");
}

/** A control for a time of day gives it without an offset: that of today counts. */
function timeOf(text: string): JsonValue | undefined {
  if (text === "") return undefined;
  const time = localTime(text);
  if (time === undefined) return text;
  const minutes = -new Date(`${today()}T${time}`).getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${time}${minutes < 0 ? "-" : "+"}${twoDigits(Math.trunc(size / 60))}:${twoDigits(size % 60)}`;
}

/** The local day, as dates are written in forms. */
function today(): string {
  const now = new Date();
  return `${now.getFullYear()}-${twoDigits(now.getMonth() + 1)}-${twoDigits(now.getDate())}`;
}

function twoDigits(value: number): string {
  return String(value).padStart(2, "0");
}

function numberOf(text: string): JsonValue | undefined {
  if (text === "") return undefined;
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text)) return text;
  const number = Number(text);
  // A whole number that a double cannot hold would silently become another one.
  const exact = Number.isSafeInteger(number) || !/^[+-]?\d+$/.test(text);
  return Number.isFinite(number) && exact ? number : text;
}
