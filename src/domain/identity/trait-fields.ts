import type { JsonObject, JsonValue } from "../json.ts";
import type { TraitField } from "./compiled-schema.ts";
import { entriesOf, isObject, isSubschema, type SchemaDocument, type Subschema } from "./schema-document.ts";

/**
 * The fields of a form that fills in traits: scalars in document order, nested objects flattened, a list of scalars as one
 * field for all its items. References and `allOf` are looked into; what depends on other values (`anyOf`, `oneOf`, `if`),
 * what has no fixed name, lists of anything else and of fixed length (tuples) are not, and nothing that is read-only: a form
 * that has no field for something leaves it as it is.
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
    if (parts.some(isReadOnly)) return;
    const field = fieldOf(document, parts, path, required) ?? listFieldOf(document, parts, path, required);
    if (field !== undefined) fields.set(JSON.stringify(path), field);
    else if (parts.some((part) => isObject(part.properties))) addObject(schema, path, required);
  };
  addObject(document.traits, [], true);
  return [...fields.values()];
}

/** The paths of the traits that only an operator sets, as `readOnly` says. Those within `anyOf`, `oneOf`, `if` are not found. */
export function readOnlyPaths(document: SchemaDocument): readonly (readonly string[])[] {
  return pathsOf(document, isReadOnly);
}

/** The paths of the traits that are not shown again, as `writeOnly` says. The same limits. */
export function writeOnlyPaths(document: SchemaDocument): readonly (readonly string[])[] {
  return pathsOf(document, (part) => part.writeOnly === true);
}

function pathsOf(
  document: SchemaDocument,
  isMarked: (part: JsonObject) => boolean,
): readonly (readonly string[])[] {
  const paths = new Map<string, readonly string[]>();
  const visit = (schema: Subschema, path: readonly string[]): void => {
    if (path.length > maxDepth || paths.has(JSON.stringify(path))) return;
    const parts = partsOf(document, schema);
    if (parts.some(isMarked) || itemsOf(document, parts).some(isMarked)) {
      paths.set(JSON.stringify(path), path);
      return;
    }
    for (const [name, property] of parts.flatMap((part) => entriesOf(part.properties))) {
      if (isSubschema(property)) visit(property, [...path, name]);
    }
  };
  visit(document.traits, []);
  return [...paths.values()];
}

function isReadOnly(part: JsonObject): boolean {
  return part.readOnly === true;
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

/** A list of scalars; undefined for any other list, and what is none. A tuple's places are not for filling in one by one. */
function listFieldOf(
  document: SchemaDocument,
  parts: readonly JsonObject[],
  path: readonly string[],
  required: boolean,
): TraitField | undefined {
  const isTuple = parts.some(({ items, prefixItems }) => Array.isArray(items) || prefixItems !== undefined);
  const mayBeList = parts.every(({ type }) => type === undefined || [type].flat().includes("array"));
  const items = itemsOf(document, parts);
  if (isTuple || !mayBeList || items.some(isReadOnly)) return undefined;
  const field = fieldOf(document, items, path, required, titleOf(parts, path));
  // Whether a box that is not ticked is an item, nobody can tell.
  if (field === undefined || (field.type === "boolean" && field.options.length === 0)) return undefined;
  const bounds = (keyword: "minItems" | "maxItems") => parts.flatMap((part) => count(part[keyword]) ?? []);
  const list = {
    minItems: Math.max(0, ...bounds("minItems")),
    maxItems: Math.min(Number.POSITIVE_INFINITY, ...bounds("maxItems")),
  };
  return { ...field, list };
}

/** What applies to the items of a list that is no tuple. */
function itemsOf(document: SchemaDocument, parts: readonly JsonObject[]): readonly JsonObject[] {
  return parts.flatMap(({ items }) => (isObject(items) ? partsOf(document, items) : []));
}

function fieldOf(
  document: SchemaDocument,
  parts: readonly JsonObject[],
  path: readonly string[],
  required: boolean,
  title = titleOf(parts, path),
): TraitField | undefined {
  const first = (keyword: string) => parts.map((part) => part[keyword]).find((value) => value !== undefined);
  const choices = listOf(first("enum"));
  const type = scalarType(first("type"), choices);
  if (type === undefined) return undefined;
  const options = choices.filter((option) => typeof option !== "object");
  // A form tells choices apart by their text.
  if (new Set(options.map(String)).size < options.length) return undefined;
  const annotations = parts.flatMap((part) => document.annotationOf(part) ?? []);
  const identifier = annotations.find((annotation) => annotation.identifier !== undefined)?.identifier;
  const format = text(first("format"));
  return {
    path,
    title,
    type,
    format,
    options,
    required,
    minLength: count(first("minLength")),
    maxLength: count(first("maxLength")),
    pattern: text(first("pattern")),
    identifier,
    autocomplete: autocompleteOf(
      format,
      identifier,
      annotations.some((annotation) => annotation.displayName),
    ),
    list: undefined,
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
