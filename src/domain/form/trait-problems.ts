/** The messages for traits that do not follow their schema. */
import type { TraitViolation } from "../identity/compiled-schema.ts";
import type { JsonObject } from "../json.ts";
import * as traitTexts from "../user-message/trait-messages.ts";
import * as texts from "../user-message/user-messages.ts";
import { type FormProblems, nodeName } from "./form.ts";

/**
 * The messages for traits that do not follow the schema, at the nodes of the traits. `country`: the country whose telephone numbers
 * need no country code.
 */
export function traitProblems(violations: readonly TraitViolation[], country: string): FormProblems {
  return {
    fields: violations
      .filter((violation) => !isSaidBelow(violation, violations))
      .map((violation) => ({
        name: nodeName("traits", ...violation.path),
        message: violationMessage(violation, country),
      })),
    form: [],
  };
}

/** Rules that are broken because others within them are. */
const wrappers = new Set(["allOf", "anyOf", "oneOf", "if", "not", "dependencies", "dependentSchemas"]);

/** Whether a violation says no more than others that are more exact. */
function isSaidBelow({ rule, path }: TraitViolation, all: readonly TraitViolation[]): boolean {
  return (
    wrappers.has(rule) &&
    all.some((other) => !wrappers.has(other.rule) && path.every((part, index) => part === other.path[index]))
  );
}

function violationMessage(violation: TraitViolation, country: string): texts.UserMessage {
  const { rule, message, params, path, sentence } = violation;
  if (sentence !== undefined) {
    const known = nodeName("traits", ...path.filter((part) => !/^\d+$/.test(part)));
    const text = (key: string) => String(params[key] ?? "");
    const broken = rule === "pattern" ? { pattern: text("pattern") } : { format: text("format") };
    return traitTexts.ownSentence(sentence, known, broken);
  }
  const limit = typeof params.limit === "number" ? params.limit : 0;
  const actual = typeof params.actual === "number" ? params.actual : 0;
  switch (rule) {
    case "required":
    case "dependentRequired":
      return texts.required(nodeName("traits", ...path));
    case "dependencies":
      return params.missingProperty === undefined
        ? texts.invalidValue(message)
        : texts.required(nodeName("traits", ...path));
    case "minLength":
      return texts.tooShort(limit, actual);
    case "maxLength":
      return texts.tooLong(limit, actual);
    case "minimum":
      return texts.belowMinimum(limit);
    case "maximum":
      return texts.aboveMaximum(limit);
    case "exclusiveMinimum":
      return traitTexts.notAbove(limit);
    case "exclusiveMaximum":
      return traitTexts.notBelow(limit);
    case "multipleOf":
      return traitTexts.notAMultiple(typeof params.multipleOf === "number" ? params.multipleOf : 0);
    case "minItems":
      return traitTexts.tooFewItems(limit);
    case "maxItems":
      return traitTexts.tooManyItems(limit);
    case "uniqueItems":
      return traitTexts.duplicateItems();
    case "enum":
      return traitTexts.notAChoice();
    case "const":
      return params.allowedValue === true ? traitTexts.consentMissing() : traitTexts.notAChoice();
    case "pattern":
      return texts.wrongFormat(String(params.pattern ?? ""));
    case "type":
      return typeMessage(params);
    case "readOnly":
      return texts.notForOwner();
    case "additionalProperties":
    case "unevaluatedProperties":
      return texts.unknownProperty(path.at(-1) ?? "");
    case "number_range":
      return texts.numberTooLarge(limit);
    case "forbidden_character":
      return texts.forbiddenCharacter();
    case "max_bytes":
    case "max_values":
    case "max_depth":
      return traitTexts.traitsTooLarge();
    case "format":
      return formatMessage(String(params.format ?? ""), path.at(-1) ?? "", country);
    case "identifier":
      return identifierMessage(params, message, country);
    default:
      return texts.invalidValue(message);
  }
}

function typeMessage({ type, problem }: JsonObject): texts.UserMessage {
  const names = [type].flat().map(String);
  if (problem === "ambiguous_number") return traitTexts.ambiguousNumber();
  if (names.includes("integer")) return traitTexts.notAWholeNumber();
  return names.includes("number") ? traitTexts.notANumber() : texts.wrongType(names.join(","));
}

/** Each common format has a number of its own, so that translations can say what is wanted. */
function formatMessage(format: string, property: string, country: string): texts.UserMessage {
  switch (format) {
    case "email":
    case "idn-email":
    case "email_loose":
      return texts.invalidEmail();
    case "tel":
      return invalidPhone(country);
    case "date":
      return texts.invalidDate(property);
    case "date-time":
      return texts.invalidDateTime(property);
    case "time":
      return texts.invalidTime(property);
    case "uri":
      return texts.invalidUri(property);
    default:
      return texts.invalidFormat(property, format);
  }
}

function invalidPhone(country: string): texts.UserMessage {
  return country === "" ? texts.invalidPhone() : traitTexts.invalidPhoneOf(country);
}

function identifierMessage(
  { problem, limit, actual }: JsonObject,
  sentence: string,
  country: string,
): texts.UserMessage {
  switch (problem) {
    case "email_invalid":
      return texts.invalidEmail();
    case "email_unreachable":
      return traitTexts.unreachableEmail();
    case "phone_invalid":
      return invalidPhone(country);
    case "too_long":
      return texts.tooLong(Number(limit), Number(actual));
    case "too_many":
      return traitTexts.tooManyItems(Number(limit));
    case "forbidden_character":
      return texts.forbiddenCharacter();
    case "looks_like_email":
      return texts.userNameIsEmail();
    case "looks_like_phone":
      return texts.userNameIsPhone();
    default:
      return texts.invalidValue(sentence);
  }
}
