// SPDX-License-Identifier: Apache-2.0
import { type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { type InputNode, InputType } from "../../../gen/ostiary/flow/v1/form_pb.js";

/**
 * A value of a form as the text of an HTML attribute `value`: of an input's `value`, and of the `value` of each of
 * its options. `formDataToRequest` finds the typed value back. An absent value and null are the empty text.
 */
export function textOf(value: Value | undefined): string {
  const json = value === undefined ? null : toJson(ValueSchema, value);
  if (json === null) return "";
  return typeof json === "string" ? json : JSON.stringify(json);
}

/** As `textOf`, in the form that the control of an input takes: a moment is shown in the local time of the browser. */
export function inputTextOf(input: InputNode): string {
  const text = textOf(input.value);
  const moment = input.type === InputType.DATE_TIME ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(moment)) return text;
  const local = new Date(moment - new Date(moment).getTimezoneOffset() * 60_000);
  return local.toISOString().slice(0, "YYYY-MM-DDThh:mm:ss".length);
}

/**
 * What an input's texts mean; undefined if nothing was filled in. What does not fit the input is passed on as the
 * text it is: the server then answers with a message beside the field, which no exception here could do.
 */
export function valueOfInput(input: InputNode, texts: readonly string[]): JsonValue | undefined {
  // The last one counts: a hidden field of the same name before a checkbox is the usual way to say "off".
  const text = texts.at(-1);
  const chosen = input.options.find((option) => option.value !== undefined && textOf(option.value) === text);
  if (chosen?.value !== undefined) return toJson(ValueSchema, chosen.value);
  switch (input.type) {
    case InputType.CHECKBOX:
      // A browser sends nothing for an empty checkbox, and "on" or its value for a ticked one.
      return text !== undefined && text !== "false" && text !== "0";
    case InputType.NUMBER:
      return text === undefined ? undefined : numberOf(text.trim());
    case InputType.HIDDEN:
      return hiddenValue(input, text);
    case InputType.DATE_TIME:
      return text === undefined ? undefined : momentOf(text);
    default:
      return text === "" ? undefined : text;
  }
}

/** Nobody edits a hidden field, so the value it came with stands in where the page has not drawn it. */
function hiddenValue(input: InputNode, text: string | undefined): JsonValue | undefined {
  if (text !== undefined && text !== textOf(input.value)) return text;
  return input.value === undefined ? undefined : toJson(ValueSchema, input.value);
}

/** A control for a moment gives local time without its offset; JSON Schema asks for one (RFC 3339). */
function momentOf(text: string): JsonValue | undefined {
  if (text === "") return undefined;
  const isLocal = /^\d{4,}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text);
  const moment = new Date(text);
  return isLocal && !Number.isNaN(moment.getTime()) ? moment.toISOString() : text;
}

function numberOf(text: string): JsonValue | undefined {
  if (text === "") return undefined;
  if (!/^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text)) return text;
  const number = Number(text);
  // A whole number that a double cannot hold would silently become another one.
  const exact = Number.isSafeInteger(number) || !/^[+-]?\d+$/.test(text);
  return Number.isFinite(number) && exact ? number : text;
}
