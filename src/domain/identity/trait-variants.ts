import { canonicalJson, isObject, type JsonObject, type JsonValue } from "../json.ts";
import { entriesOf, isSubschema, listOf, type SchemaDocument, type Subschema } from "./schema-document.ts";
import { partsOf, propertyParts, requiredIn } from "./schema-parts.ts";
import { titleIn } from "./schema-texts.ts";
import type { TraitChoice } from "./trait-fields.ts";

/** Whether alternatives describe properties, instead of only requiring some. */
export function addsProperties(alternatives: JsonValue | undefined): boolean {
  const each = Array.isArray(alternatives) ? alternatives : [alternatives];
  return each.some((one) => isObject(one) && (one.properties !== undefined || one.$ref !== undefined));
}

/** One of several variants of an object. */
interface Branch {
  readonly parts: readonly JsonObject[];
  /** The values of the property that tells the variants apart. */
  readonly choices: readonly TraitChoice[];
}

/** The variants of an object, and the property whose values tell them apart; undefined where there is none. */
export function variantsOf(
  document: SchemaDocument,
  parts: readonly JsonObject[],
): { readonly property: string; readonly branches: readonly Branch[] } | undefined {
  const lists = parts.flatMap(({ oneOf }) => (Array.isArray(oneOf) ? [oneOf] : []));
  const [oneOf, ...more] = lists;
  if (oneOf === undefined || more.length > 0 || !oneOf.every(isObject)) return undefined;
  const branches = oneOf.map((branch) => partsOf(document, branch));
  const names = (branches[0] ?? []).flatMap((part) => entriesOf(part.properties).map(([name]) => name));
  for (const property of names) {
    const choices = branches.map((branch) =>
      constantsOf(propertyParts(document, branch, property)).map((value) => ({
        value,
        title: titleIn(document, branch),
      })),
    );
    const all = choices.flat().map(({ value }) => String(value));
    const isTold = choices.every((own) => own.length > 0) && new Set(all).size === all.length;
    if (isTold && !differ(branches, property)) {
      return { property, branches: branches.map((own, at) => ({ parts: own, choices: choices[at] ?? [] })) };
    }
  }
  return undefined;
}

/** Whether two variants describe a property differently: one node cannot be both. */
function differ(branches: readonly (readonly JsonObject[])[], chooser: string): boolean {
  const seen = new Map<string, string>();
  for (const parts of branches) {
    for (const [name, property] of parts.flatMap((part) => entriesOf(part.properties))) {
      if (name === chooser || property === undefined) continue;
      const text = canonicalJson(property);
      if ((seen.get(name) ?? text) !== text) return true;
      seen.set(name, text);
    }
  }
  return false;
}

/**
 * The properties of all variants, without the one that tells the variants apart. Each has the values of that one for which it
 * is drawn.
 */
export function membersOf(branches: readonly Branch[], chooser: string) {
  const members = new Map<
    string,
    { readonly schema: Subschema; readonly values: JsonValue[]; readonly isNeeded: boolean }
  >();
  for (const { parts, choices } of branches) {
    const needed = requiredIn(parts);
    for (const [name, property] of parts.flatMap((part) => entriesOf(part.properties))) {
      if (name === chooser || !isSubschema(property)) continue;
      const before = members.get(name);
      const values = [...(before?.values ?? []), ...choices.map(({ value }) => value)];
      const isNeeded = needed.has(name) && (before?.isNeeded ?? true);
      members.set(name, { schema: property, values, isNeeded });
    }
  }
  return members;
}

/** The only values that a schema allows; empty if it allows others. */
function constantsOf(parts: readonly JsonObject[]): readonly JsonValue[] {
  const constant = parts.map((part) => part.const).find((value) => value !== undefined);
  const values =
    constant === undefined ? listOf(parts.map((part) => part.enum).find(Array.isArray)) : [constant];
  return values.every((value) => typeof value !== "object") ? values : [];
}
