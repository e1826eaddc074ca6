import type { JsonObject, JsonValue } from "../json.ts";
import type { TraitField } from "./compiled-schema.ts";
import { entriesOf, isObject, isSubschema, type SchemaDocument, type Subschema } from "./schema-document.ts";

/**
 * The fields of a form that fills in traits: scalars in document order, nested objects flattened, an array of scalars
 * as one field for its first item. References and `allOf` are looked into; what depends on other values (`anyOf`,
 * `oneOf`, `if`) and what has no fixed name is not, since a form is drawn before there are values.
 */
export function traitFields(document: SchemaDocument): readonly TraitField[] {
  const fields = new Map<string, TraitField>();
  const addObject = (schema: Subschema, path: readonly string[], required: boolean): void => {
    if (path.length > maxDepth) return;
    const parts = partsOf(document, schema);
    const names = new Set(parts.flatMap((part) => listOf(part.required)));
    for (const part of parts) {
      for (const [name, property] of entriesOf(part.properties)) {
        if (fields.size >= maxFields) return;
        if (isSubschema(property)) add(property, [...path, name], required && names.has(name));
      }
    }
  };
  const add = (schema: Subschema, path: readonly string[], required: boolean): void => {
    const parts = partsOf(document, schema);
    const field = fieldOf(document, parts, path, required, false);
    if (field !== undefined) fields.set(JSON.stringify(path), field);
    else if (parts.some((part) => isObject(part.properties))) addObject(schema, path, required);
    else addItems(parts, path, required);
  };
  const addItems = (parts: readonly JsonObject[], path: readonly string[], required: boolean): void => {
    const items = parts.map((part) => part.items).find(isObject);
    if (items === undefined) return;
    const needed = required && parts.some((part) => Number(part.minItems ?? 0) > 0);
    const itemPath = [...path, "0"];
    const field = fieldOf(document, partsOf(document, items), itemPath, needed, true, titleOf(parts, path));
    if (field !== undefined) fields.set(JSON.stringify(itemPath), field);
  };
  addObject(document.traits, [], true);
  return [...fields.values()];
}

const maxDepth = 8;
const maxFields = 200;

/** A schema together with what it refers to and what its `allOf` adds; all of it applies. */
function partsOf(document: SchemaDocument, schema: Subschema): readonly JsonObject[] {
  if (typeof schema === "boolean") return [];
  const allOf = schema.allOf;
  const others = [
    ...document.referencesOf(schema),
    ...(Array.isArray(allOf) ? allOf.filter(isSubschema) : []),
  ];
  return [schema, ...others.flatMap((other) => partsOf(document, other))];
}

function fieldOf(
  document: SchemaDocument,
  parts: readonly JsonObject[],
  path: readonly string[],
  required: boolean,
  isArrayItem: boolean,
  title = titleOf(parts, path),
): TraitField | undefined {
  const first = (keyword: string) => parts.map((part) => part[keyword]).find((value) => value !== undefined);
  const options = first("enum");
  const type = scalarType(first("type"), Array.isArray(options) ? options : []);
  if (type === undefined) return undefined;
  const annotations = parts.flatMap((part) => document.annotationOf(part) ?? []);
  const identifier = annotations.find((annotation) => annotation.identifier !== undefined)?.identifier;
  const format = text(first("format"));
  return {
    path,
    title,
    type,
    format,
    options: Array.isArray(options) ? options.filter((option) => typeof option !== "object") : [],
    required,
    minLength: count(first("minLength")),
    maxLength: count(first("maxLength")),
    pattern: text(first("pattern")),
    identifier: identifier !== undefined,
    autocomplete: autocompleteOf(
      format,
      identifier,
      annotations.some((annotation) => annotation.displayName),
    ),
    isArrayItem,
  };
}

function titleOf(parts: readonly JsonObject[], path: readonly string[]): string {
  const titled = parts.map((part) => part.title).find((title) => typeof title === "string" && title !== "");
  return text(titled) ?? path.at(-1) ?? "";
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

/** The autofill tokens of HTML (section 4.10.18.7). */
function autocompleteOf(
  format: string | undefined,
  identifier: string | undefined,
  displayName: boolean,
): string | undefined {
  if (format === "email" || format === "idn-email" || format === "email_loose" || identifier === "email")
    return "email";
  if (format === "tel" || identifier === "phone") return "tel";
  if (identifier !== undefined) return "username";
  return displayName ? "name" : undefined;
}

function text(value: JsonValue | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function count(value: JsonValue | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
