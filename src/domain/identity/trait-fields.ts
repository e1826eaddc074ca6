import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import type { Annotation } from "./annotations.ts";
import type { SchemaLink } from "./drawing.ts";
import type { AddressKind } from "./identity.ts";
import { entriesOf, isSubschema, type SchemaDocument, type Subschema } from "./schema-document.ts";
import { isReadOnly, itemsOf, maxTraitDepth, partsOf, propertyParts, requiredIn } from "./schema-parts.ts";
import { descriptionOf, type SchemaText, titleIn, titleOf } from "./schema-texts.ts";
import { drawingIn, fieldOf, numberOf } from "./trait-scalars.ts";
import { addsProperties, membersOf, variantsOf } from "./trait-variants.ts";

interface DrawnTrait {
  /** The path of the trait; within an item of a list it is relative to the item. */
  readonly path: readonly string[];
  /** The schema's title, else the last part of the path. */
  readonly title: SchemaText;
  readonly description: SchemaText | undefined;
  /** Whether traits without it are invalid; for a trait of a variant, if that variant is chosen. */
  readonly required: boolean;
  /** Whether only an operator sets it. */
  readonly readOnly: boolean;
  readonly condition: TraitCondition | undefined;
  /** The objects with a title that it is in, outermost first. */
  readonly groups: readonly TraitGroup[];
  readonly link: SchemaLink | undefined;
  /** Passed on to clients unchanged. */
  readonly ui: JsonObject | undefined;
}

/** An object with a title: its members are drawn together. */
export interface TraitGroup {
  /** The path of the object, relative as that of the trait is. */
  readonly path: readonly string[];
  readonly title: SchemaText;
  readonly description: SchemaText | undefined;
}

/** A trait that a form has a field for. */
export interface TraitField extends DrawnTrait {
  readonly kind: "field";
  readonly type: "string" | "number" | "integer" | "boolean";
  readonly format: string | undefined;
  readonly multiLine: boolean;
  /** The values to choose from; empty: any value. */
  readonly choices: readonly TraitChoice[];
  /** Whether it says yes to something: of yes and no only yes is valid. */
  readonly isConsent: boolean;
  readonly minLength: number | undefined;
  readonly maxLength: number | undefined;
  readonly pattern: string | undefined;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  /** The number that values are multiples of: 1 for whole numbers. */
  readonly step: number | undefined;
  readonly default: JsonValue | undefined;
  readonly example: string | undefined;
  /** The kind of identifier; undefined if the trait is none. */
  readonly identifier: Annotation["identifier"];
  /** Whether it is for addresses of a kind, by its format or as an identifier. */
  readonly addressKind: AddressKind | undefined;
  readonly autocomplete: string | undefined;
}

/** One value to choose. */
export interface TraitChoice {
  readonly value: JsonValue;
  /** Undefined: the value itself is shown. */
  readonly title: SchemaText | undefined;
}

/** A list that a form can draw. */
export interface TraitList extends DrawnTrait {
  readonly kind: "list";
  /** The fields of an item. If the items are plain values, it is one field with an empty path. */
  readonly item: readonly TraitField[];
  readonly default: readonly JsonValue[] | undefined;
  /** Whether an item can be added: a form can fill in all its required members, and an operator sets none of them. */
  readonly canAdd: boolean;
  readonly minItems: number;
  /** Undefined: no bound. */
  readonly maxItems: number | undefined;
}

/** Ties a trait to one of several variants of an object (`oneOf`). Another trait says which variant it is. */
export interface TraitCondition {
  readonly path: readonly string[];
  readonly values: readonly JsonValue[];
  /** The path that is emptied when another variant is chosen. */
  readonly clears: readonly string[];
}

/** A trait that no form can draw, and the keyword that stands in the way. */
export interface UndrawnTrait {
  readonly path: readonly string[];
  readonly keyword: string;
}

/**
 * The fields of a form that fills in traits: scalars in document order, nested objects flattened, lists of scalars and of
 * objects of scalars. References and `allOf` are followed, and so is a `oneOf` whose variants one property tells apart by its
 * `const`. There are no fields for other traits that depend on values (`anyOf`, `if`), for traits without a fixed name, for
 * other lists and for tuples. A form leaves a trait without a field as it is.
 */
export function traitFields(document: SchemaDocument): readonly (TraitField | TraitList)[] {
  return collect(document).drawn;
}

/** The field itself, or the fields of an item of a list. */
export function fieldsIn(drawn: TraitField | TraitList): readonly TraitField[] {
  return drawn.kind === "list" ? drawn.item : [drawn];
}

/** The traits that no form can draw. */
export function undrawnTraits(document: SchemaDocument): readonly UndrawnTrait[] {
  return collect(document).undrawn;
}

function collect(document: SchemaDocument): Collector {
  const collector = new Collector(document);
  collector.addObject(partsOf(document, document.traits), [], anywhere);
  return collector;
}

/** Properties that a value inherits from the objects around it. */
export interface Place {
  readonly required: boolean;
  readonly readOnly: boolean;
  readonly condition: TraitCondition | undefined;
  readonly groups: readonly TraitGroup[];
}

const anywhere: Place = { required: true, readOnly: false, condition: undefined, groups: [] };

class Collector {
  readonly #document: SchemaDocument;
  readonly #within: "traits" | "item";
  readonly #found = new Map<string, TraitField | TraitList>();
  readonly #leftOut: UndrawnTrait[] = [];

  constructor(document: SchemaDocument, within: "traits" | "item" = "traits") {
    this.#document = document;
    this.#within = within;
  }

  get drawn(): readonly (TraitField | TraitList)[] {
    return [...this.#found.values()];
  }

  /** A trait may be drawn by another part of the schema, such as the variants that it tells apart. */
  get undrawn(): readonly UndrawnTrait[] {
    return this.#leftOut.filter(({ path }) => !this.#found.has(JSON.stringify(path)));
  }

  addObject(parts: readonly JsonObject[], path: readonly string[], place: Place): void {
    if (path.length > maxTraitDepth) {
      this.#leaveOut(path, `its depth of more than ${maxTraitDepth}`);
      return;
    }
    const needed = requiredIn(parts);
    for (const part of parts) {
      for (const [name, property] of entriesOf(part.properties)) {
        const required = place.required && needed.has(name);
        // `false`: there is no such trait.
        if (isSubschema(property) && property !== false)
          this.#add(property, [...path, name], { ...place, required });
      }
    }
    this.#addVariants(parts, path, place);
  }

  #add(schema: Subschema, path: readonly string[], place: Place): void {
    const key = JSON.stringify(path);
    // Several parts may describe one property; the first that can be drawn counts.
    if (this.#found.has(key)) return;
    if (this.#found.size >= maxFields) {
      this.#leaveOut(path, `more than ${maxFields} fields`);
      return;
    }
    const parts = partsOf(this.#document, schema);
    const here = { ...place, readOnly: place.readOnly || parts.some(isReadOnly) };
    const field = fieldOf(this.#document, parts, path, here) ?? this.#listFieldOf(parts, path, here);
    if (field !== undefined) this.#found.set(key, field);
    else if (
      parts.some(
        (part) =>
          isObject(part.properties) ||
          (Array.isArray(part.oneOf) && variantsOf(this.#document, parts) !== undefined),
      )
    )
      this.addObject(parts, path, { ...here, groups: [...here.groups, ...this.#groupOf(parts, path)] });
    else this.#leaveOut(path, obstacleIn(parts));
  }

  #groupOf(parts: readonly JsonObject[], path: readonly string[]): readonly TraitGroup[] {
    const title = titleIn(this.#document, parts);
    return title === undefined ? [] : [{ path, title, description: descriptionOf(this.#document, parts) }];
  }

  /** A list within an item is not even looked at: it may hold items of its own kind, and so on. */
  #listFieldOf(parts: readonly JsonObject[], path: readonly string[], place: Place): TraitList | undefined {
    if (this.#within === "item") return undefined;
    const list = listFieldOf(this.#document, parts, path, place);
    this.#leftOut.push(...(list?.undrawn ?? []));
    return list?.drawn;
  }

  /** Adds the fields of the variants of an object, if one property tells the variants apart. */
  #addVariants(parts: readonly JsonObject[], path: readonly string[], place: Place): void {
    for (const keyword of ["anyOf", "then", "else", "dependentSchemas"] as const) {
      if (parts.some((part) => part[keyword] !== undefined && addsProperties(part[keyword]))) {
        this.#leaveOut(path, keyword);
      }
    }
    const variants = variantsOf(this.#document, parts);
    if (variants === undefined) {
      if (parts.some(({ oneOf }) => addsProperties(oneOf))) this.#leaveOut(path, "oneOf");
      return;
    }
    // A variant within a variant: a form would have to tie a node to two others.
    if (place.condition !== undefined) {
      this.#leaveOut(path, "oneOf within oneOf");
      return;
    }
    const { property, branches } = variants;
    const chooser = [...path, property];
    const choices = branches.flatMap(({ choices: own }) => own);
    const known = this.#found.get(JSON.stringify(chooser));
    const all = [...parts, ...branches.flatMap(({ parts: own }) => own)];
    const named = propertyParts(this.#document, all, property);
    const required =
      place.required && branches.every(({ parts: own }) => requiredIn([...parts, ...own]).has(property));
    const drawn = fieldOf(this.#document, [{ enum: choices.map(({ value }) => value) }, ...named], chooser, {
      ...place,
      required,
      readOnly: place.readOnly || named.some(isReadOnly),
    });
    if (drawn === undefined || known?.kind === "list") {
      this.#leaveOut(path, "oneOf");
      return;
    }
    this.#found.set(JSON.stringify(chooser), { ...drawn, choices });
    for (const [name, { schema, values, isNeeded }] of membersOf(branches, property)) {
      const clears = [...path, name];
      const condition = { path: chooser, values, clears };
      this.#add(schema, clears, { ...place, required: place.required && isNeeded, condition });
    }
  }

  #leaveOut(path: readonly string[], keyword: string): void {
    this.#leftOut.push({ path, keyword });
  }
}

const maxFields = 200;

/**
 * A list of scalars, or of objects of scalars, and what of its items cannot be drawn; undefined for other lists and for values
 * that are no list. A tuple has no template, so it has no field.
 */
function listFieldOf(
  document: SchemaDocument,
  parts: readonly JsonObject[],
  path: readonly string[],
  place: Place,
): { readonly drawn: TraitList; readonly undrawn: readonly UndrawnTrait[] } | undefined {
  const isTuple = parts.some(({ items, prefixItems }) => Array.isArray(items) || prefixItems !== undefined);
  const mayBeList = parts.every(({ type }) => type === undefined || [type].flat().includes("array"));
  const items = itemsOf(document, parts);
  if (isTuple || !mayBeList || items.length === 0) return undefined;
  const readOnly = place.readOnly || items.some(isReadOnly);
  const title = titleOf(document, parts, path);
  const within = { ...anywhere, readOnly };
  const scalar = fieldOf(document, items, [], { ...within, required: false }, title);
  // A box that is not ticked may be an item or none.
  if (scalar?.type === "boolean" && scalar.choices.length === 0) return undefined;
  const { item, undrawn } =
    scalar === undefined ? itemFieldsOf(document, items, within) : { item: [scalar], undrawn: [] };
  if (item.length === 0) return undefined;
  const needed = scalar === undefined ? [...requiredIn(items)] : [];
  const bounds = (keyword: "minItems" | "maxItems") => parts.flatMap((part) => numberOf(part[keyword]) ?? []);
  const maxItems = Math.min(Number.POSITIVE_INFINITY, ...bounds("maxItems"));
  const { link, ui } = drawingIn(document, parts);
  const drawn: TraitList = {
    ...place,
    kind: "list",
    path,
    title,
    description: descriptionOf(document, parts),
    readOnly,
    link,
    ui,
    item,
    default: parts.map((part) => part.default).find(Array.isArray),
    canAdd:
      needed.every((name) => item.some((field) => field.path[0] === name)) &&
      !item.some((field) => field.required && field.readOnly),
    minItems: Math.max(0, ...bounds("minItems")),
    maxItems: Number.isFinite(maxItems) ? maxItems : undefined,
  };
  const below = undrawn.map(({ path: own, keyword }) => ({ path: [...path, ...own], keyword }));
  return { drawn, undrawn: below };
}

/** The fields of an object in a list; none for anything else. A list within a list has no fields. */
function itemFieldsOf(
  document: SchemaDocument,
  items: readonly JsonObject[],
  place: Place,
): { readonly item: readonly TraitField[]; readonly undrawn: readonly UndrawnTrait[] } {
  if (!items.some((part) => isObject(part.properties))) return { item: [], undrawn: [] };
  const collector = new Collector(document, "item");
  collector.addObject(items, [], place);
  return { item: collector.drawn.filter((each) => each.kind === "field"), undrawn: collector.undrawn };
}

/** The keyword because of which a value cannot be drawn. */
function obstacleIn(parts: readonly JsonObject[]): string {
  const keywords = (
    "oneOf anyOf if prefixItems items contains const patternProperties additionalProperties " +
    "propertyNames enum not"
  ).split(" ");
  const found = keywords.find((keyword) => parts.some((part) => part[keyword] !== undefined));
  return found ?? (parts.some((part) => part.type !== undefined) ? "type" : "a missing type");
}
