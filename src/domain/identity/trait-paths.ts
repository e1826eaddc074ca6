import { isObject, type JsonObject, valueAt } from "../json.ts";
import { entriesOf, isSubschema, listOf, type SchemaDocument, type Subschema } from "./schema-document.ts";
import { isReadOnly, itemsOf, maxTraitDepth, partsOf } from "./schema-parts.ts";

/** Stands in a path for each item of a list. */
export const eachItem = Symbol("each item");
/** The path of a trait in a schema, where a list has no indexes yet. */
export type TraitPath = readonly (string | typeof eachItem)[];

/**
 * The paths of the traits that only an operator sets, as `readOnly` says, also within the items of lists. Those within `anyOf`,
 * `oneOf`, `if` are not found.
 */
export function readOnlyPaths(document: SchemaDocument): readonly TraitPath[] {
  return pathsOf(document, isReadOnly);
}

/** The paths of the write-only traits. `anyOf`, `oneOf` and `if` are not searched, nor are the items of lists. */
export function writeOnlyPaths(document: SchemaDocument): readonly (readonly string[])[] {
  return pathsOf(document, (part) => part.writeOnly === true).filter(isWithoutItems);
}

/** The paths in documents that a path of the schema stands for, with each index that a list has in one of the documents. */
export function placesOf(path: TraitPath, documents: readonly JsonObject[]): readonly (readonly string[])[] {
  if (isWithoutItems(path)) return [path];
  const at = path.indexOf(eachItem);
  const list = path.slice(0, at).filter((part) => part !== eachItem);
  const lengths = documents.map((document) => listOf(valueAt(document, list)).length);
  return Array.from({ length: Math.max(0, ...lengths) }).flatMap((_, index) =>
    placesOf([...list, String(index), ...path.slice(at + 1)], documents),
  );
}

function isWithoutItems(path: TraitPath): path is readonly string[] {
  return !path.includes(eachItem);
}

function pathsOf(document: SchemaDocument, isMarked: (part: JsonObject) => boolean): readonly TraitPath[] {
  const paths = new Map<string, TraitPath>();
  const visit = (schema: Subschema, path: TraitPath): void => {
    if (path.length > maxTraitDepth || paths.has(JSON.stringify(path))) return;
    const parts = partsOf(document, schema);
    if (parts.some(isMarked) || itemsOf(document, parts).some(isMarked)) {
      paths.set(JSON.stringify(path), path);
      return;
    }
    for (const [name, property] of parts.flatMap((part) => entriesOf(part.properties))) {
      if (isSubschema(property)) visit(property, [...path, name]);
    }
    for (const { items, prefixItems } of parts) {
      if (isObject(items)) visit(items, [...path, eachItem]);
      for (const [index, item] of [...listOf(prefixItems), ...listOf(items)].entries()) {
        if (isSubschema(item)) visit(item, [...path, String(index)]);
      }
    }
  };
  visit(document.traits, []);
  return [...paths.values()];
}
