import type { TraitField, TraitViolation } from "../identity/compiled-schema.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import * as messages from "../message/message.ts";
import { type FormProblems, type InputType, type Node, nodeName } from "./form.ts";

/** One node for each trait that a person can fill in, with the values given so far. */
export function traitNodes(fields: readonly TraitField[], traits: JsonObject): readonly Node[] {
  return fields.map((field) => ({
    name: nodeName("traits", ...field.path),
    group: "profile",
    label: messages.titleLabel(field.title),
    messages: [],
    element: {
      kind: "input",
      type: inputType(field),
      value: valueAt(traits, field.path),
      required: field.required,
      autocomplete: field.autocomplete,
      minLength: field.minLength,
      maxLength: field.maxLength,
      pattern: field.pattern,
      options: field.options.length === 0 ? undefined : field.options.map((value) => ({ value })),
    },
  }));
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

function valueAt(traits: JsonObject, path: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = traits;
  for (const part of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = Array.isArray(value) ? value[Number(part)] : Object.hasOwn(value, part) ? value[part] : undefined;
  }
  return typeof value === "object" ? undefined : value;
}
