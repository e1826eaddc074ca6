import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import { isSubschema, listOf, type SchemaDocument, type Subschema } from "./schema-document.ts";

/** Depth to which a schema is searched for the fields of a form. */
export const maxTraitDepth = 8;

/** A schema with the schemas that it refers to and those of its `allOf`; all of them apply. */
export function partsOf(document: SchemaDocument, schema: Subschema): readonly JsonObject[] {
  if (typeof schema === "boolean") return [];
  const allOf = schema.allOf;
  const others = [
    ...document.referencesOf(schema),
    ...(Array.isArray(allOf) ? allOf.filter(isSubschema) : []),
  ];
  return [schema, ...others.flatMap((other) => partsOf(document, other))];
}

export function propertyParts(
  document: SchemaDocument,
  parts: readonly JsonObject[],
  name: string,
): readonly JsonObject[] {
  return parts.flatMap((part) => {
    const property = isObject(part.properties) ? part.properties[name] : undefined;
    return isSubschema(property) ? partsOf(document, property) : [];
  });
}

export function requiredIn(parts: readonly JsonObject[]): ReadonlySet<JsonValue> {
  return new Set(parts.flatMap((part) => listOf(part.required)));
}

/** The schemas that apply to the items of a list that is no tuple. */
export function itemsOf(document: SchemaDocument, parts: readonly JsonObject[]): readonly JsonObject[] {
  return parts.flatMap(({ items }) => (isObject(items) ? partsOf(document, items) : []));
}

/** The schema of the item of a list at an index, also of a tuple. */
export function itemSchema({ items, prefixItems, additionalItems }: JsonObject, index: number) {
  const places = [...listOf(prefixItems), ...listOf(items)];
  return index < places.length ? places[index] : Array.isArray(items) ? additionalItems : items;
}

/** Whether a part says that only an operator sets the value. */
export function isReadOnly(part: JsonObject): boolean {
  return part.readOnly === true;
}
