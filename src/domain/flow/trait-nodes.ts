import type { TraitField, TraitViolation } from "../identity/compiled-schema.ts";
import { isSameJson } from "../identity/merge-patch.ts";
import { type JsonObject, type JsonValue, valueAt } from "../json.ts";
import * as messages from "../message/message.ts";
import { type FormProblems, type InputKind, type InputType, type Node, nodeName } from "./form.ts";

/**
 * One node for each trait that a person can fill in, with the values given so far. `saved` are the traits that what is sent
 * will be merged with: what differs from them is sent again. Rule: a list is drawn with all its items, and one more where
 * there may be more, or not at all, since a list is replaced whole.
 */
export function traitNodes(
  fields: readonly TraitField[],
  traits: JsonObject,
  saved: JsonObject = traits,
): readonly Node[] {
  let room = mostListItems;
  return fields.flatMap((field) => {
    const value = valueAt(traits, field.path);
    const unsaved = traits !== saved && !isSameJson(value ?? null, valueAt(saved, field.path) ?? null);
    if (field.list === undefined) return [traitNode(field, field.path, value, { unsaved })];
    const items = itemsToDraw(field.list, value);
    if (items === undefined || items.length > room) return [];
    room -= items.length;
    const { minItems } = field.list;
    return items.map((item, index) => {
      const required = field.required && index < minItems;
      return traitNode({ ...field, required }, [...field.path, String(index)], item, {
        listItem: true,
        unsaved,
      });
    });
  });
}

/** The most items of lists that one form has; a list that does not fit is not drawn. */
const mostListItems = 200;

/** The items of a list and the empty ones after them; undefined if there is an item that no field can show. */
function itemsToDraw(
  { minItems, maxItems }: NonNullable<TraitField["list"]>,
  list: JsonValue | undefined,
): readonly (JsonValue | undefined)[] | undefined {
  if (list !== undefined && list !== null && !Array.isArray(list)) return undefined;
  const items = list ?? [];
  if (items.some((item) => typeof item === "object")) return undefined;
  const length = Math.max(items.length, Math.min(maxItems, Math.max(minItems, items.length + 1)));
  return length > mostListItems ? undefined : Array.from({ length }, (_, index) => items[index]);
}

function traitNode(
  field: TraitField,
  path: readonly string[],
  value: JsonValue | undefined,
  more: Pick<InputKind, "listItem" | "unsaved">,
): Node {
  const shown = typeof value === "object" ? undefined : value;
  // Also a value that is no choice any more stands there, so that nobody gives it up by saving something else.
  const isMissing = shown !== undefined && field.options.length > 0 && !field.options.includes(shown);
  const options = isMissing ? [...field.options, shown] : field.options;
  return {
    name: nodeName("traits", ...path),
    group: "profile",
    label: messages.titleLabel(field.title),
    messages: [],
    element: {
      kind: "input",
      type: inputType(field),
      value: shown,
      required: field.required,
      autocomplete: field.autocomplete,
      minLength: field.minLength,
      maxLength: field.maxLength,
      pattern: field.pattern,
      options: options.length === 0 ? undefined : options.map((option) => ({ value: option })),
      ...more,
    },
  };
}

/** The messages for traits that do not follow the schema, at the nodes of the traits. */
export function traitProblems(violations: readonly TraitViolation[]): FormProblems {
  return {
    fields: violations.map((violation) => ({
      name: nodeName("traits", ...violation.path),
      message: violationMessage(violation),
    })),
    form: [],
  };
}

function violationMessage({ rule, message, params, path }: TraitViolation): messages.Message {
  const limit = typeof params.limit === "number" ? params.limit : 0;
  const actual = typeof params.actual === "number" ? params.actual : 0;
  switch (rule) {
    case "required":
      return messages.required(path.at(-1) ?? "");
    case "minLength":
      return messages.tooShort(limit, actual);
    case "maxLength":
      return messages.tooLong(limit, actual);
    case "minimum":
      return messages.belowMinimum(limit);
    case "maximum":
      return messages.aboveMaximum(limit);
    case "pattern":
      return messages.wrongFormat(String(params.pattern ?? ""));
    case "type":
      return messages.wrongType(String(params.type ?? ""));
    case "readOnly":
      return messages.notForOwner();
    case "additionalProperties":
      return messages.unknownProperty(String(params.additionalProperty ?? path.at(-1) ?? ""));
    case "number_range":
      return messages.numberTooLarge(limit);
    case "forbidden_character":
      return messages.forbiddenCharacter();
    case "format":
      return formatMessage(String(params.format ?? ""), path.at(-1) ?? "");
    case "identifier":
      return identifierMessage(String(params.problem ?? ""), message);
    default:
      return messages.invalidValue(message);
  }
}

/** Each common format has a number of its own, so that translations can say what is wanted. */
function formatMessage(format: string, property: string): messages.Message {
  switch (format) {
    case "email":
    case "idn-email":
    case "email_loose":
      return messages.invalidEmail();
    case "tel":
      return messages.invalidPhone();
    case "date":
      return messages.invalidDate(property);
    case "date-time":
      return messages.invalidDateTime(property);
    case "time":
      return messages.invalidTime(property);
    case "uri":
      return messages.invalidUri(property);
    default:
      return messages.invalidFormat(property, format);
  }
}

function identifierMessage(problem: string, sentence: string): messages.Message {
  switch (problem) {
    case "email_invalid":
      return messages.invalidEmail();
    case "phone_invalid":
      return messages.invalidPhone();
    case "forbidden_character":
      return messages.forbiddenCharacter();
    case "looks_like_email":
      return messages.userNameIsEmail();
    case "looks_like_phone":
      return messages.userNameIsPhone();
    default:
      return messages.invalidValue(sentence);
  }
}

function inputType(field: TraitField): InputType {
  switch (field.type) {
    case "boolean":
      return "checkbox";
    case "integer":
    case "number":
      return "number";
    case "string":
      return textType(field.format);
    default: {
      const unreachable: never = field.type;
      return unreachable;
    }
  }
}

function textType(format: string | undefined): InputType {
  switch (format) {
    case "email":
      return "email";
    case "tel":
      return "phone";
    case "uri":
      return "url";
    case "date":
      return "date";
    case "date-time":
      return "date_time";
    default:
      return "text";
  }
}
