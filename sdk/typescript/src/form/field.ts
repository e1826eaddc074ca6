// SPDX-License-Identifier: Apache-2.0
import { type FormNode, type InputNode, InputType } from "../../../../gen/ostiary/flow/v1/form_pb.js";
import { parseNodeName } from "../form-path.ts";
import { inputTextOf, textOf } from "../form-value.ts";
import {
  type FieldOptions,
  type FormMessageView,
  type FormOptions,
  inLanguage,
  saidOf,
  viewMessage,
} from "./message-view.ts";
import { numberText } from "./numbers.ts";
import { type FieldRule, rulesAttributes, rulesOf } from "./password-rules.ts";
import { englishFormTexts } from "./texts.ts";

/** A field as it is drawn: everything that an HTML page needs, with all texts translated. */
export interface FormField {
  /** The name of the control, and of the node. */
  readonly name: string;
  readonly kind: "field";
  /** What to draw: a line to type in, several lines, one that hides what is typed, a box to tick, a list to choose from. */
  readonly control: "text" | "textarea" | "password" | "checkbox" | "select";
  /** The step that the field belongs to; undefined if every step sends it. */
  readonly step: string | undefined;
  readonly label: string;
  readonly required: boolean;
  /** Whether to say that it may stay empty. */
  readonly optional: boolean;
  /** Whether it is shown and not filled in. */
  readonly readOnly: boolean;
  /** Draw it only while the control `name` holds one of these texts. Undefined: always. */
  readonly shownWhile: ShownWhile | undefined;
  /** What helps to fill it in; undefined if there is nothing to say. */
  readonly hint: string | undefined;
  /** A page to read before it is filled in; undefined if there is none. Open it in a new tab, so that what was typed stays. */
  readonly link: FieldLink | undefined;
  /** What is wrong with the value. */
  readonly errors: readonly FormMessageView[];
  /**
   * What is asked of a new password; none of any other field. Draw each as an item of a list with `data-rule`, in a list with
   * `rulesAttributes`; `watchRules` then shows which ones are kept.
   */
  readonly rules: readonly FieldRule[];
  /** The attributes of the list of the rules. */
  readonly rulesAttributes: Readonly<Record<string, string>>;
  /** The value to begin with, as text. Never a secret. */
  readonly value: string;
  /** Of a box to tick. */
  readonly checked: boolean;
  /** Of a list to choose from. */
  readonly options: readonly { readonly value: string; readonly label: string }[];
  /** Whether the list has no choice that stands for none, so that one is to be drawn. */
  readonly offersNone: boolean;
  readonly ids: {
    readonly control: string;
    readonly hint: string;
    readonly errors: string;
    readonly rules: string;
  };
  /**
   * The attributes of the control, by their names in HTML; true is one without a value. What cuts or refuses a value
   * (maxlength, pattern) is not among them: a browser would cut a pasted password in silence, and its patterns are not
   * those of JSON Schema. The server says what is wrong, in words that can be translated.
   */
  readonly attributes: Readonly<Record<string, string | true>>;
  /** Of a field for a code: the usual number of its digits. Undefined: it is not known, or it is no such field. */
  readonly codeLength: number | undefined;
}

/** A link beside a field. */
export interface FieldLink {
  readonly url: string;
  readonly label: string;
}

/** What a field depends on. */
export interface ShownWhile {
  readonly name: string;
  readonly values: readonly string[];
}

/** What a node depends on. */
export function shownWhile({ condition }: FormNode): ShownWhile | undefined {
  return condition && { name: condition.name, values: condition.values.map(textOf) };
}

/** Draws a node that is a field; undefined for one that is hidden, or no field at all. */
export function fieldOf(
  node: FormNode,
  step: string | undefined,
  options: FieldOptions = {},
): FormField | undefined {
  if (node.kind.case !== "input" || node.kind.value.type === InputType.HIDDEN) return undefined;
  const input = node.kind.value;
  const { hints, errors } = saidOf(node, options);
  const hint = hintIn(hints);
  const texts = { ...englishFormTexts, ...options.texts };
  const rules = input.autocomplete === "new-password" ? rulesOf(input, texts) : [];
  const control = idOf(node.name, options);
  const ids = {
    control,
    hint: `${control}_hint`,
    errors: `${control}_errors`,
    rules: `${control}_rules`,
  };
  const isNumber = input.type === InputType.NUMBER && input.choices.length === 0;
  const isLocal = isNumber && options.localNumbers === true;
  const shown = (text: string) => (isLocal ? numberText(text, options.language) : text);
  const value = shown(inputTextOf(input));
  const kindOfControl = controlOf(input);
  return {
    kind: "field",
    name: node.name,
    control: kindOfControl,
    step,
    label: node.label === undefined ? fallbackLabel(node.name) : viewMessage(node.label, options).text,
    required: input.required && !input.readOnly,
    optional: !input.required && !input.readOnly && kindOfControl !== "checkbox",
    readOnly: input.readOnly,
    link: linkOf(node, options),
    shownWhile: shownWhile(node),
    hint,
    errors,
    rules,
    rulesAttributes: rules.length === 0 ? {} : { id: ids.rules, ...rulesAttributes(input, texts) },
    value: isSecret(input) ? "" : value,
    checked: value === "true",
    options: input.choices.map(({ value: choice, label }) => ({
      value: textOf(choice),
      label: label === undefined ? textOf(choice) : viewMessage(label, options).text,
    })),
    codeLength: input.codeLength || undefined,
    offersNone: !input.choices.some((choice) => textOf(choice.value) === ""),
    ids,
    attributes: {
      id: ids.control,
      name: node.name,
      ...attributesOf(input),
      ...(isLocal && { "data-number": options.language ?? "en" }),
      ...(input.placeholder && { placeholder: shown(viewMessage(input.placeholder, options).text) }),
      ...describedBy({ hint, errors, ids, rules }),
      ...(errors.length > 0 && { "aria-invalid": "true" }),
    },
  };
}

/**
 * The id of the control of a node: of different names different ones, always the same for a name, and one that needs no
 * escape in a CSS selector. The dots of the name are hyphens; all but small ASCII letters and digits is `_`, its number in
 * Unicode in hexadecimal, and `_`: selectors ignore case in pages without a doctype. No such id ends in `_hint`, `_rules` or
 * `_errors`, which those of its hint, its rules and its errors do.
 */
export function idOf(name: string, { idPrefix = "ostiary" }: FormOptions = {}): string {
  const escaped = name.replace(/[^a-z0-9.]/gu, (character) => `_${character.codePointAt(0)?.toString(16)}_`);
  return `${idPrefix}-${escaped.replaceAll(".", "-")}`;
}

/** Whether what is typed is a secret: never filled in again, never kept. */
export function isSecret({ type, autocomplete }: InputNode): boolean {
  return (
    type === InputType.PASSWORD ||
    type === InputType.HIDDEN ||
    type === InputType.CODE ||
    autocomplete === "one-time-code"
  );
}

function controlOf(input: InputNode): FormField["control"] {
  if (input.choices.length > 0) return "select";
  if (input.type === InputType.CHECKBOX) return "checkbox";
  if (input.type === InputType.MULTI_LINE_TEXT) return "textarea";
  return input.type === InputType.PASSWORD ? "password" : "text";
}

function attributesOf(input: InputNode): FormField["attributes"] {
  const attributes: Record<string, string | true> = {};
  const control = controlOf(input);
  if (input.required && !input.readOnly) attributes.required = true;
  // HTML has no read-only boxes and lists to choose from; one that is disabled is not sent, as it should be.
  if (input.readOnly)
    attributes[control === "select" || control === "checkbox" ? "disabled" : "readonly"] = true;
  if (input.autocomplete !== "") attributes.autocomplete = input.autocomplete;
  if (control === "select") return attributes;
  if (control === "textarea") return { ...attributes, rows: "4" };
  Object.assign(attributes, typeAttributes(input));
  // Names and codes are not prose: nothing may be capitalised, corrected or underlined in them.
  if (/^(username|one-time-code|email|tel)$/.test(input.autocomplete)) Object.assign(attributes, notProse);
  if (input.autocomplete === "one-time-code") attributes.inputmode = "numeric";
  if (input.codeLength > 0) attributes["data-code-length"] = String(input.codeLength);
  if (input.autocomplete === "new-password") Object.assign(attributes, passwordRules(input));
  return attributes;
}

/**
 * What programs that make passwords read: the lengths. Browsers refuse nothing by it, since the form is `novalidate`, and `maxlength`, which would
 * cut a pasted password, is not among it.
 */
function passwordRules({ minLength, maxLength }: InputNode): FormField["attributes"] {
  const rules = [minLength && `minlength: ${minLength};`, maxLength && `maxlength: ${maxLength};`];
  const said = rules.filter(Boolean).join(" ");
  return {
    ...(minLength > 0 && { minlength: String(minLength) }),
    ...(said !== "" && { passwordrules: said }),
  };
}

const notProse = { autocapitalize: "none", spellcheck: "false" } as const;

function typeAttributes(input: InputNode): FormField["attributes"] {
  switch (input.type) {
    case InputType.EMAIL:
      return { type: "email", inputmode: "email", ...notProse };
    case InputType.PHONE:
      return { type: "tel", inputmode: "tel", ...notProse };
    case InputType.URL:
      return { type: "url", inputmode: "url", ...notProse };
    case InputType.NUMBER:
      // Not type="number": its wheel and arrow keys change values unasked, and it hides what it cannot read.
      return { type: "text", inputmode: isWhole(input) ? "numeric" : "decimal", ...notProse };
    case InputType.CHECKBOX:
      return { type: "checkbox", value: "true" };
    case InputType.DATE:
      return { type: "date" };
    case InputType.DATE_TIME:
      return { type: "datetime-local" };
    case InputType.TIME:
      return { type: "time" };
    case InputType.PASSWORD:
      return { type: "password", ...notProse };
    case InputType.CODE:
      return { type: "text", inputmode: "numeric", ...notProse };
    default:
      // What a newer server asks for is typed in as text.
      return { type: "text" };
  }
}

/** Whether no sign is needed: the keyboard for it has digits alone on some phones. */
function isWhole({ step, minimum }: InputNode): boolean {
  return step !== undefined && Number.isInteger(step) && minimum !== undefined && minimum >= 0;
}

/** The link of a node, in the language of the page. Security: a link that leads to no web page is left out. */
export function linkOf({ link }: FormNode, options: FormOptions): FieldLink | undefined {
  if (link?.label === undefined) return undefined;
  const url = inLanguage(link.urls, options.language) ?? link.url;
  return isWebUrl(url) ? { url, label: viewMessage(link.label, options).text } : undefined;
}

/** Security: what the server names is followed only where it is no script. */
export function isWebUrl(url: string): boolean {
  return /^https?:/i.test(url);
}

/** The ids of the hint, the rules and the errors of a field or a list, for `aria-describedby`. */
export function describedBy({
  hint,
  errors,
  ids,
  rules = [],
}: {
  readonly hint: string | undefined;
  readonly errors: readonly FormMessageView[];
  readonly ids: { readonly hint: string; readonly errors: string; readonly rules?: string };
  readonly rules?: readonly FieldRule[];
}): Readonly<Record<string, string>> {
  const present = [
    hint === undefined ? [] : ids.hint,
    rules.length === 0 ? [] : (ids.rules ?? []),
    errors.length === 0 ? [] : ids.errors,
  ].flat();
  return present.length === 0 ? {} : { "aria-describedby": present.join(" ") };
}

/** Several hints as one; undefined for none. */
export function hintIn(hints: readonly string[]): string | undefined {
  return hints.length === 0 ? undefined : hints.join(" ");
}

/** A control without a name cannot be used with a screen reader: the last part of the path is better than none. */
function fallbackLabel(name: string): string {
  return parseNodeName(name)?.at(-1) ?? name;
}
