import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import type { Drawing } from "./drawing.ts";
import { listOf, type SchemaDocument } from "./schema-document.ts";
import { isReadOnly } from "./schema-parts.ts";
import { descriptionOf, titleIn, titleOf } from "./schema-texts.ts";
import type { Place, TraitChoice, TraitField } from "./trait-fields.ts";

/** A trait that one field can hold; undefined for any other. */
export function fieldOf(
  document: SchemaDocument,
  parts: readonly JsonObject[],
  path: readonly string[],
  place: Place,
  title = titleOf(document, parts, path),
): TraitField | undefined {
  const first = (keyword: string) => parts.map((part) => part[keyword]).find((value) => value !== undefined);
  const titled = titledChoices(document, parts);
  const constant = first("const");
  const values =
    titled?.map(({ value }) => value) ?? (constant === undefined ? listOf(first("enum")) : [constant]);
  const type = scalarType(first("type"), values);
  if (type === undefined) return undefined;
  // Two choices are a list to choose from; that yes is the only one makes it a box.
  const isConsent = type === "boolean" && values.length === 1 && values[0] === true;
  const choices = (titled ?? values.map((value) => ({ value, title: undefined }))).filter(
    ({ value }) => typeof value !== "object",
  );
  // A form tells choices apart by their text.
  if (new Set(choices.map(({ value }) => String(value))).size < choices.length) return undefined;
  const drawing = drawingIn(document, parts);
  const annotations = parts.flatMap((part) => document.annotationOf(part) ?? []);
  const identifier = annotations.find((annotation) => annotation.identifier !== undefined)?.identifier;
  const format = text(first("format"));
  const proposed = first("default");
  const [example] = listOf(first("examples"));
  const maxLength = numberOf(first("maxLength"));
  const isName = identifier !== undefined || annotations.some(({ displayName }) => displayName);
  const isProse = type === "string" && format === undefined && first("pattern") === undefined && !isName;
  const addressKind = addressKindOf(format, identifier);
  return {
    ...place,
    kind: "field",
    path,
    title,
    description: descriptionOf(document, parts),
    link: drawing.link,
    ui: drawing.ui,
    type,
    format,
    multiLine: drawing.multiLine ?? (isProse && maxLength !== undefined && maxLength > longestLine),
    choices: isConsent ? [] : choices,
    isConsent,
    readOnly: place.readOnly || parts.some(isReadOnly),
    minLength: numberOf(first("minLength")),
    maxLength,
    pattern: text(first("pattern")),
    minimum: numberOf(first("minimum")) ?? wholeBound(type, first("exclusiveMinimum"), 1),
    maximum: numberOf(first("maximum")) ?? wholeBound(type, first("exclusiveMaximum"), -1),
    step: numberOf(first("multipleOf")) ?? (type === "integer" ? 1 : undefined),
    default: typeof proposed === "object" ? undefined : proposed,
    example: example === undefined || typeof example === "object" ? undefined : String(example),
    identifier,
    addressKind,
    autocomplete:
      drawing.autocomplete ??
      autocompleteOf(
        addressKind,
        identifier,
        annotations.some((annotation) => annotation.displayName),
      ),
  };
}

/** The drawing annotations of all parts of a value; if several have one, the first counts. */
export function drawingIn(
  document: SchemaDocument,
  parts: readonly JsonObject[],
): { readonly [Key in "multiLine" | "autocomplete" | "link" | "ui"]: Drawing[Key] } {
  const drawings = parts.flatMap((part) => document.drawingOf(part) ?? []);
  const first = <Key extends keyof Drawing>(key: Key) =>
    drawings.map((drawing) => drawing[key]).find((value) => value !== undefined);
  return {
    multiLine: first("multiLine"),
    autocomplete: first("autocomplete"),
    link: first("link"),
    ui: first("ui"),
  };
}

/** The greatest length of a text that is drawn as one line, if the schema does not say how. */
const longestLine = 400;

/** The bound of whole numbers that an exclusive bound means. */
function wholeBound(
  type: TraitField["type"],
  bound: JsonValue | undefined,
  away: 1 | -1,
): number | undefined {
  if (type !== "integer" || typeof bound !== "number") return undefined;
  return away > 0 ? Math.floor(bound) + 1 : Math.ceil(bound) - 1;
}

/** Choices that have titles: a `oneOf` of constants. */
function titledChoices(
  document: SchemaDocument,
  parts: readonly JsonObject[],
): readonly TraitChoice[] | undefined {
  const oneOf = parts.map((part) => part.oneOf).find(Array.isArray);
  const constants = constantsIn(oneOf);
  return constants?.map((value, index) => ({
    value,
    title: titleIn(document, [listOf(oneOf)[index]].filter(isObject)),
  }));
}

/** The constants of a `oneOf` of nothing but constants. */
export function constantsIn(oneOf: JsonValue | undefined): readonly JsonValue[] | undefined {
  const constants = listOf(oneOf).flatMap((each) =>
    isObject(each) && each.const !== undefined && typeof each.const !== "object" ? [each.const] : [],
  );
  return constants.length > 0 && constants.length === listOf(oneOf).length ? constants : undefined;
}

const scalars = ["string", "number", "integer", "boolean"] as const;

function scalarType(
  type: JsonValue | undefined,
  options: readonly JsonValue[],
): TraitField["type"] | undefined {
  const named = (Array.isArray(type) ? type : [type]).filter((name) => name !== "null");
  // A value that may be a text or an object cannot be told in one field.
  if (type !== undefined)
    return named.length === 1 ? scalars.find((scalar) => scalar === named[0]) : undefined;
  if (options.length === 0) return undefined;
  return scalars.find((scalar) => options.every((option) => typeof option === scalar));
}

function addressKindOf(format: string | undefined, identifier: string | undefined) {
  if (format === "email" || format === "idn-email" || format === "email_loose") return "email";
  if (format === "tel") return "phone";
  return identifier === "email" || identifier === "phone" ? identifier : undefined;
}

/** The autofill tokens of HTML (section 4.10.18.7). */
function autocompleteOf(
  addressKind: TraitField["addressKind"],
  identifier: string | undefined,
  displayName: boolean,
): string | undefined {
  if (addressKind !== undefined) return addressKind === "phone" ? "tel" : "email";
  if (identifier !== undefined) return "username";
  return displayName ? "name" : undefined;
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function numberOf(value: JsonValue | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}
