import { canonicalJson, type JsonObject, type JsonValue, valueAt } from "../json.ts";
import type { Annotation } from "./annotations.ts";
import { entriesOf, isObject, isSubschema, type SchemaDocument, type Subschema } from "./schema-document.ts";

/** A text of a schema for people to read, in its own language and in others. */
export interface SchemaText {
  readonly text: string;
  /** By the tags of the languages. */
  readonly translations: Readonly<Record<string, string>>;
}

interface DrawnTrait {
  /** Within the item of a list relative to it. */
  readonly path: readonly string[];
  /** The schema's title, else the last part of the path. */
  readonly title: SchemaText;
  readonly description: SchemaText | undefined;
  /** Whether traits without it are invalid; of a variant, where that was chosen. */
  readonly required: boolean;
  /** Whether only an operator sets it. */
  readonly readOnly: boolean;
  readonly condition: TraitCondition | undefined;
  /** Handed on to clients. */
  readonly ui: JsonObject | undefined;
}

/** A trait that a form has a field for. */
export interface TraitField extends DrawnTrait {
  readonly kind: "field";
  readonly type: "string" | "number" | "integer" | "boolean";
  readonly format: string | undefined;
  readonly multiLine: boolean;
  /** The values to choose from; empty: any. */
  readonly choices: readonly TraitChoice[];
  readonly minLength: number | undefined;
  readonly maxLength: number | undefined;
  readonly pattern: string | undefined;
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly default: JsonValue | undefined;
  readonly example: string | undefined;
  /** What kind of identifier it is; undefined: nobody signs in with it. */
  readonly identifier: Annotation["identifier"];
  readonly autocomplete: string | undefined;
}

/** One value to choose. */
export interface TraitChoice {
  readonly value: JsonValue;
  /** Undefined: the value says it. */
  readonly title: SchemaText | undefined;
}

/** A list that a form can draw. */
export interface TraitList extends DrawnTrait {
  readonly kind: "list";
  /** The fields of an item; one with an empty path where the items are values. */
  readonly item: readonly TraitField[];
  /** Whether a form can fill in all that an item must have: not what only an operator sets. */
  readonly canAdd: boolean;
  readonly minItems: number;
  /** Undefined: no bound. */
  readonly maxItems: number | undefined;
}

/** One of several variants of an object (`oneOf`): the trait belongs to it, and another one says which it is. */
export interface TraitCondition {
  readonly path: readonly string[];
  readonly values: readonly JsonValue[];
  /** What goes when the variant is left. */
  readonly clears: readonly string[];
}

/** A trait that no form can draw, and the keyword that stands in the way. */
export interface UndrawnTrait {
  readonly path: readonly string[];
  readonly keyword: string;
}

/**
 * The fields of a form that fills in traits: scalars in document order, nested objects flattened, lists of scalars and of
 * objects of scalars. References and `allOf` are looked into, and a `oneOf` whose variants one property tells apart by its
 * `const`. What else depends on other values (`anyOf`, `if`), what has no fixed name, and lists of anything else and of fixed
 * length (tuples) are not: a form that has no field for something leaves it as it is.
 */
export function traitFields(document: SchemaDocument): readonly (TraitField | TraitList)[] {
  return collect(document).drawn;
}

/** The traits that no form can draw. */
export function undrawnTraits(document: SchemaDocument): readonly UndrawnTrait[] {
  return collect(document).undrawn;
}

function collect(document: SchemaDocument): Collector {
  const collector = new Collector(document);
  collector.addObject(partsOf(document, document.traits), [], { required: true, readOnly: false });
  return collector;
}

/** In a path: each item of a list. */
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

/** The paths of the traits that are not shown again, as `writeOnly` says. The same limits, and none within items. */
export function writeOnlyPaths(document: SchemaDocument): readonly (readonly string[])[] {
  return pathsOf(document, (part) => part.writeOnly === true).filter(isWithoutItems);
}

/** The places in documents that a path stands for: of a list, each index that it has in any of them. */
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
    if (path.length > maxDepth || paths.has(JSON.stringify(path))) return;
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

/** What holds for a value because of what is around it. */
interface Place {
  readonly required: boolean;
  readonly readOnly: boolean;
  readonly condition?: TraitCondition | undefined;
}

class Collector {
  readonly #document: SchemaDocument;
  readonly #found = new Map<string, TraitField | TraitList>();
  readonly undrawn: UndrawnTrait[] = [];

  constructor(document: SchemaDocument) {
    this.#document = document;
  }

  get drawn(): readonly (TraitField | TraitList)[] {
    return [...this.#found.values()];
  }

  addObject(parts: readonly JsonObject[], path: readonly string[], place: Place): void {
    if (path.length > maxDepth) {
      this.#leaveOut(path, `its depth of more than ${maxDepth}`);
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
    // Several parts may speak of one property: the first that can be drawn is.
    if (this.#found.has(key)) return;
    if (this.#found.size >= maxFields) {
      this.#leaveOut(path, `more than ${maxFields} fields`);
      return;
    }
    const parts = partsOf(this.#document, schema);
    const here = { ...place, readOnly: place.readOnly || parts.some(isReadOnly) };
    const field =
      fieldOf(this.#document, parts, path, here) ?? listFieldOf(this.#document, parts, path, here);
    if (field !== undefined) this.#found.set(key, field);
    else if (
      parts.some(
        (part) =>
          isObject(part.properties) ||
          (Array.isArray(part.oneOf) && variantsOf(this.#document, parts) !== undefined),
      )
    )
      this.addObject(parts, path, here);
    else this.#leaveOut(path, obstacleIn(parts));
  }

  /** The fields of the variants of an object, where one property tells which it is. */
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
    this.undrawn.push({ path, keyword });
  }
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

function propertyParts(
  document: SchemaDocument,
  parts: readonly JsonObject[],
  name: string,
): readonly JsonObject[] {
  return parts.flatMap((part) => {
    const property = isObject(part.properties) ? part.properties[name] : undefined;
    return isSubschema(property) ? partsOf(document, property) : [];
  });
}

function requiredIn(parts: readonly JsonObject[]): ReadonlySet<JsonValue> {
  return new Set(parts.flatMap((part) => listOf(part.required)));
}

/** Whether alternatives describe properties, and do not only say which are required. */
function addsProperties(alternatives: JsonValue | undefined): boolean {
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
function variantsOf(
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

/** The properties of all variants but the one that tells them apart, each with the values of that one that it belongs to. */
function membersOf(branches: readonly Branch[], chooser: string) {
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

/** The only values that a schema allows; none if it allows others. */
function constantsOf(parts: readonly JsonObject[]): readonly JsonValue[] {
  const constant = parts.map((part) => part.const).find((value) => value !== undefined);
  const values =
    constant === undefined ? listOf(parts.map((part) => part.enum).find(Array.isArray)) : [constant];
  return values.every((value) => typeof value !== "object") ? values : [];
}

/** A list of scalars, or of objects of scalars; undefined for any other list, and what is none. A tuple's places are not for filling in one by one. */
function listFieldOf(
  document: SchemaDocument,
  parts: readonly JsonObject[],
  path: readonly string[],
  place: Place,
): TraitList | undefined {
  const isTuple = parts.some(({ items, prefixItems }) => Array.isArray(items) || prefixItems !== undefined);
  const mayBeList = parts.every(({ type }) => type === undefined || [type].flat().includes("array"));
  const items = itemsOf(document, parts);
  if (isTuple || !mayBeList || items.length === 0) return undefined;
  const readOnly = place.readOnly || items.some(isReadOnly);
  const title = titleOf(document, parts, path);
  const scalar = fieldOf(document, items, [], { required: false, readOnly }, title);
  // Whether a box that is not ticked is an item, nobody can tell.
  if (scalar?.type === "boolean" && scalar.choices.length === 0) return undefined;
  const item = scalar === undefined ? itemFieldsOf(document, items, readOnly) : [scalar];
  if (item.length === 0) return undefined;
  const needed = scalar === undefined ? [...requiredIn(items)] : [];
  const bounds = (keyword: "minItems" | "maxItems") => parts.flatMap((part) => count(part[keyword]) ?? []);
  const maxItems = Math.min(Number.POSITIVE_INFINITY, ...bounds("maxItems"));
  return {
    kind: "list",
    path,
    title,
    description: descriptionOf(document, parts),
    required: place.required,
    readOnly,
    condition: place.condition,
    ui: uiOf(document, parts),
    item,
    canAdd:
      needed.every((name) => item.some((field) => field.path[0] === name)) &&
      !item.some((field) => field.required && field.readOnly),
    minItems: Math.max(0, ...bounds("minItems")),
    maxItems: Number.isFinite(maxItems) ? maxItems : undefined,
  };
}

/** The fields of an object in a list; none if it is something else. A list within a list has none. */
function itemFieldsOf(
  document: SchemaDocument,
  items: readonly JsonObject[],
  readOnly: boolean,
): readonly TraitField[] {
  if (!items.some((part) => isObject(part.properties))) return [];
  const collector = new Collector(document);
  collector.addObject(items, [], { required: true, readOnly });
  return collector.drawn.filter((each) => each.kind === "field");
}

/** What applies to the items of a list that is no tuple. */
function itemsOf(document: SchemaDocument, parts: readonly JsonObject[]): readonly JsonObject[] {
  return parts.flatMap(({ items }) => (isObject(items) ? partsOf(document, items) : []));
}

function fieldOf(
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
  const choices = (titled ?? values.map((value) => ({ value, title: undefined }))).filter(
    ({ value }) => typeof value !== "object",
  );
  // A form tells choices apart by their text.
  if (new Set(choices.map(({ value }) => String(value))).size < choices.length) return undefined;
  const annotations = parts.flatMap((part) => document.annotationOf(part) ?? []);
  const identifier = annotations.find((annotation) => annotation.identifier !== undefined)?.identifier;
  const format = text(first("format"));
  const proposed = first("default");
  const [example] = listOf(first("examples"));
  return {
    kind: "field",
    path,
    title,
    description: descriptionOf(document, parts),
    type,
    format,
    multiLine: parts.some((part) => document.drawingOf(part)?.multiLine),
    choices,
    required: place.required,
    readOnly: place.readOnly || parts.some(isReadOnly),
    condition: place.condition,
    ui: uiOf(document, parts),
    minLength: count(first("minLength")),
    maxLength: count(first("maxLength")),
    pattern: text(first("pattern")),
    minimum: count(first("minimum")),
    maximum: count(first("maximum")),
    default: typeof proposed === "object" ? undefined : proposed,
    example: example === undefined || typeof example === "object" ? undefined : String(example),
    identifier,
    autocomplete: autocompleteOf(
      format,
      identifier,
      annotations.some((annotation) => annotation.displayName),
    ),
  };
}

/** Choices that have titles: a `oneOf` of constants. */
function titledChoices(
  document: SchemaDocument,
  parts: readonly JsonObject[],
): readonly TraitChoice[] | undefined {
  const oneOf = parts.map((part) => part.oneOf).find(Array.isArray);
  if (oneOf === undefined || oneOf.length === 0) return undefined;
  const choices = oneOf.flatMap((each) =>
    isObject(each) && each.const !== undefined && typeof each.const !== "object"
      ? [{ value: each.const, title: titleIn(document, [each]) }]
      : [],
  );
  return choices.length === oneOf.length ? choices : undefined;
}

function titleOf(
  document: SchemaDocument,
  parts: readonly JsonObject[],
  path: readonly string[],
): SchemaText {
  return (
    titleIn(document, parts) ?? {
      text: path.at(-1) ?? "",
      translations: translationsIn(document, parts, "titles"),
    }
  );
}

function titleIn(document: SchemaDocument, parts: readonly JsonObject[]): SchemaText | undefined {
  const title = parts.map((part) => part.title).find((each) => typeof each === "string" && each !== "");
  return typeof title === "string"
    ? { text: title, translations: translationsIn(document, parts, "titles") }
    : undefined;
}

function descriptionOf(document: SchemaDocument, parts: readonly JsonObject[]): SchemaText | undefined {
  const description = parts
    .map((part) => part.description)
    .find((each) => typeof each === "string" && each !== "");
  return typeof description === "string"
    ? { text: description, translations: translationsIn(document, parts, "descriptions") }
    : undefined;
}

/** What is said first counts. */
function translationsIn(
  document: SchemaDocument,
  parts: readonly JsonObject[],
  what: "titles" | "descriptions",
): Readonly<Record<string, string>> {
  return Object.assign({}, ...parts.map((part) => document.drawingOf(part)?.[what]).reverse());
}

function uiOf(document: SchemaDocument, parts: readonly JsonObject[]): JsonObject | undefined {
  return parts.map((part) => document.drawingOf(part)?.ui).find((ui) => ui !== undefined);
}

/** The keyword for which a value cannot be drawn. */
function obstacleIn(parts: readonly JsonObject[]): string {
  const keywords = [
    ...["oneOf", "anyOf", "if", "prefixItems", "items", "contains", "const"],
    ...["patternProperties", "additionalProperties", "propertyNames", "enum", "not"],
  ];
  const found = keywords.find((keyword) => parts.some((part) => part[keyword] !== undefined));
  return found ?? (parts.some((part) => part.type !== undefined) ? "type" : "a missing type");
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
