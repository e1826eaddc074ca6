import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import { compileLinearPattern, type LinearPattern } from "../linear-pattern.ts";
import { type Annotation, annotationKeyword, kratosKeyword, readAnnotation } from "./annotations.ts";
import { type Drawing, readDrawing } from "./drawing.ts";
import { isExactNumber } from "./json-limits.ts";
import { SchemaDocumentError } from "./schema-document-error.ts";

/** The JSON Schema drafts that are understood. */
export type SchemaDialect = "draft-07" | "2020-12";

/** A place within a schema document: an object, or one of the two trivial schemas. */
export type Subschema = JsonObject | boolean;

/** The largest document, as compact JSON in UTF-8. */
const maxSchemaBytes = 1024 * 1024;

/**
 * A schema document, read once: which draft, which part of it applies to traits, where its references lead and
 * where its annotations are. Throws SchemaDocumentError for what cannot work: references to elsewhere, to nothing or
 * in a circle, nested bases, annotations where they would have no effect.
 */
export class SchemaDocument {
  readonly dialect: SchemaDialect;
  /** A copy of the document with its identifier taken off: two schemas may claim the same one. */
  readonly root: JsonObject;
  /** The schema of the traits: the root, or its property `traits` in a document made for Kratos. */
  readonly traits: JsonObject;
  /** Formats that occur. */
  readonly formats: ReadonlySet<string>;
  /** `unevaluatedProperties` and `unevaluatedItems` where the validator is known to misjudge them. */
  readonly inexactKeywords: readonly string[];
  readonly #pointers = new Map<JsonObject, string>();
  readonly #anchors = new Map<string, Subschema>();
  readonly #annotations = new Map<JsonObject, Annotation>();
  readonly #drawings = new Map<JsonObject, Drawing>();
  readonly #annotated = new Set<JsonObject>();
  readonly #patterns = new Map<string, LinearPattern>();

  constructor(document: JsonObject) {
    // First, since it is what bounds the depth; JSON.stringify would exhaust the stack.
    this.root = copyWithoutId(document);
    if (Buffer.byteLength(JSON.stringify(document)) > maxSchemaBytes) {
      throw new SchemaDocumentError(`the document must be at most ${maxSchemaBytes} bytes as JSON`);
    }
    this.dialect = dialectOf(document);
    const formats = new Set<string>();
    const keywords = new Set<string>();
    this.#walk(this.root, "", 0, (schema) => {
      if (typeof schema.format === "string") formats.add(schema.format);
      for (const keyword of Object.keys(schema)) keywords.add(keyword);
    });
    this.formats = formats;
    this.inexactKeywords = inexactKeywords
      .filter(({ keyword, beside }) => keywords.has(keyword) && beside.some((other) => keywords.has(other)))
      .map(({ keyword }) => keyword);
    this.#checkReferences();
    this.#markAnnotated();
    this.traits = this.#findTraits();
  }

  /** The JSON pointer of a subschema of this document. */
  pointerOf(schema: JsonObject): string {
    const pointer = this.#pointers.get(schema);
    if (pointer === undefined) throw new Error("not a subschema of this document");
    return pointer;
  }

  /** All subschemas with their JSON pointers, in document order. */
  subschemas(): Iterable<readonly [JsonObject, string]> {
    return this.#pointers;
  }

  /** Target of a local reference at this pointer. Throws SchemaDocumentError if there is none. */
  resolve(reference: string, pointer: string): Subschema {
    const target = reference.startsWith("#/") ? this.#atPointer(reference) : this.#anchors.get(reference);
    if (reference === "#") return this.root;
    if (isSubschema(target)) return target;
    throw new SchemaDocumentError(`${pointer}: the reference ${JSON.stringify(reference)} leads nowhere`);
  }

  /** The targets of the references of a subschema. */
  referencesOf(schema: JsonObject): readonly Subschema[] {
    return referenceKeywords.flatMap((keyword) => {
      const reference = schema[keyword];
      if (typeof reference !== "string") return [];
      return [this.resolve(reference, `${this.pointerOf(schema)}/${keyword}`)];
    });
  }

  /** The annotation of a subschema itself. */
  annotationOf(schema: JsonObject): Annotation | undefined {
    return this.#annotations.get(schema);
  }

  /** The drawing annotations of a subschema itself. */
  drawingOf(schema: JsonObject): Drawing | undefined {
    return this.#drawings.get(schema);
  }

  /** A pattern of this document, compiled once. */
  patternOf(text: string): LinearPattern {
    const pattern = this.#patterns.get(text) ?? compileLinearPattern(text);
    this.#patterns.set(text, pattern);
    return pattern;
  }

  /** Whether a subschema, or anything that it contains or refers to, has an annotation. */
  isAnnotated(schema: Subschema): boolean {
    return typeof schema === "object" && this.#annotated.has(schema);
  }

  get hasIdentifier(): boolean {
    return [...this.#annotations.values()].some((annotation) => annotation.identifier !== undefined);
  }

  /** JSON pointers of properties that may be null; the first ten. Items of lists may be null. */
  get nullable(): readonly string[] {
    const places = [...this.#pointers].filter(([schema, pointer]) => namesNull(schema) && mayMatter(pointer));
    return places.slice(0, 10).map(([, pointer]) => pointer);
  }

  #walk(schema: JsonObject, pointer: string, depth: number, visit: (schema: JsonObject) => void): void {
    if (depth > maxDepth) throw new SchemaDocumentError(`the document is more than ${maxDepth} schemas deep`);
    // YAML's aliases make one object of two places; each place needs an object of its own, which the copy gives.
    this.#pointers.set(schema, pointer);
    this.#checkKeywords(schema, pointer);
    visit(schema);
    const drawing = readDrawing(schema, pointer);
    if (drawing !== undefined) this.#drawings.set(schema, drawing);
    const annotation = readAnnotation(schema, pointer);
    if (annotation !== undefined) {
      assertEffective(schema, pointer);
      this.#annotations.set(schema, annotation);
    }
    for (const child of subschemasOf(schema)) {
      if (typeof child.schema === "object") {
        this.#walk(child.schema, `${pointer}/${child.pointer}`, depth + 1, visit);
      }
    }
  }

  #checkKeywords(schema: JsonObject, pointer: string): void {
    for (const keyword of ["$anchor", "$dynamicAnchor"]) {
      const anchor = schema[keyword];
      if (typeof anchor === "string") this.#anchors.set(`#${anchor}`, schema);
    }
    const id = schema.$id;
    if (typeof id === "string" && id.startsWith("#")) this.#anchors.set(id, schema);
    else if (id !== undefined) {
      throw new SchemaDocumentError(`${pointer}/$id: only the root may have an identifier`);
    }
    for (const keyword of referenceKeywords) {
      const reference = schema[keyword];
      if (reference !== undefined && (typeof reference !== "string" || !reference.startsWith("#"))) {
        throw new SchemaDocumentError(
          `${pointer}/${keyword}: only references within the document (#…) are followed, not ${JSON.stringify(reference)}`,
        );
      }
    }
    for (const keyword of ["const", "enum", "default"]) {
      const value = schema[keyword];
      if (value === undefined || hasExactNumbers(value)) continue;
      throw new SchemaDocumentError(
        `${pointer}/${keyword}: a whole number beyond ±${Number.MAX_SAFE_INTEGER} is no trait's value; write it as a string`,
      );
    }
    // The validator would answer with a promise, which is always true.
    if (schema.$async !== undefined) throw new SchemaDocumentError(`${pointer}/$async is not supported`);
  }

  /**
   * Each reference leads somewhere, and following what applies to the same value never comes back to where it
   * began: that would never end.
   */
  #checkReferences(): void {
    const finished = new Set<JsonObject>();
    const open = new Set<JsonObject>();
    const follow = (schema: Subschema): void => {
      if (typeof schema === "boolean" || finished.has(schema)) return;
      if (open.has(schema)) {
        throw new SchemaDocumentError(
          `${this.pointerOf(schema) || "the root"} refers to itself without going deeper into the value`,
        );
      }
      open.add(schema);
      for (const target of this.referencesOf(schema)) follow(target);
      for (const child of subschemasOf(schema)) if (child.sameValue) follow(child.schema);
      open.delete(schema);
      finished.add(schema);
    };
    for (const schema of [...this.#pointers.keys()]) follow(schema);
  }

  /** Marks what leads to an annotation, from the annotations upwards, so that circles are no trouble. */
  #markAnnotated(): void {
    const leadingTo = new Map<JsonObject, JsonObject[]>();
    for (const schema of this.#pointers.keys()) {
      const targets = [...subschemasOf(schema).map((child) => child.schema), ...this.referencesOf(schema)];
      for (const target of targets) {
        if (typeof target === "boolean") continue;
        const sources = leadingTo.get(target) ?? [];
        sources.push(schema);
        leadingTo.set(target, sources);
      }
    }
    const toMark = [...this.#annotations.keys()];
    for (let schema = toMark.pop(); schema !== undefined; schema = toMark.pop()) {
      if (this.#annotated.has(schema)) continue;
      this.#annotated.add(schema);
      toMark.push(...(leadingTo.get(schema) ?? []));
    }
  }

  #findTraits(): JsonObject {
    const properties = this.root.properties;
    const nested = isObject(properties) ? properties.traits : undefined;
    if (!isObject(nested)) return this.root;
    const described = [nested, ...this.referencesOf(nested)].filter(isObject);
    const isTraits = described.some((schema) => schema.type === "object" || isObject(schema.properties));
    return isTraits ? nested : this.root;
  }

  #atPointer(reference: string): Subschema | undefined {
    const parts = decodeFragment(reference).slice(1).split("/").map(unescapePointer).slice(1);
    let value: JsonValue | undefined = this.root;
    for (const part of parts) {
      if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
      value = Array.isArray(value) ? value[Number(part)] : value[part];
    }
    if (typeof value === "boolean") return value;
    // What no keyword makes a schema was not looked at.
    return isObject(value) && this.#pointers.has(value) ? value : undefined;
  }
}

/** A schema within a schema. */
export interface ChildSchema {
  readonly keyword: string;
  /** The property, pattern or index within the keyword. */
  readonly name: string | undefined;
  readonly schema: Subschema;
  /** The end of the JSON pointer. */
  readonly pointer: string;
  /** Whether it applies to the same value as its parent. */
  readonly sameValue: boolean;
}

/** The schemas that a schema contains, in document order. */
export function subschemasOf(schema: JsonObject): readonly ChildSchema[] {
  const children: ChildSchema[] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    const shapes = applicators.get(keyword);
    if (shapes === undefined) continue;
    const sameValue = sameValueKeywords.has(keyword);
    if (isSubschema(value) && shapes.includes("one")) {
      children.push({ keyword, name: undefined, schema: value, pointer: escapePointer(keyword), sameValue });
    } else if (
      typeof value === "object" &&
      value !== null &&
      shapes.includes(Array.isArray(value) ? "list" : "map")
    ) {
      for (const [name, inner] of Object.entries(value)) {
        // `dependencies` also takes lists of names.
        if (!isSubschema(inner)) continue;
        const pointer = `${escapePointer(keyword)}/${escapePointer(name)}`;
        children.push({ keyword, name, schema: inner, pointer, sameValue });
      }
    }
  }
  return children;
}

/** Whether a value is a schema. */
export function isSubschema(value: JsonValue | undefined): value is Subschema {
  return typeof value === "boolean" || isObject(value);
}

/** The entries of a value that is an object; none of any other. */
export function entriesOf(value: JsonValue | undefined): readonly [string, JsonValue][] {
  return isObject(value) ? Object.entries(value) : [];
}

/** The items of a list; empty for any other value. */
export function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}

const maxDepth = 64;
const referenceKeywords = ["$ref", "$dynamicRef"] as const;

type Shape = "one" | "list" | "map";

/** The keywords whose values are schemas, and the shapes that those values take. */
const applicators: ReadonlyMap<string, readonly Shape[]> = new Map(
  Object.entries({
    one: (
      "items additionalItems unevaluatedItems contains additionalProperties unevaluatedProperties " +
      "propertyNames not if then else contentSchema"
    ).split(" "),
    list: ["allOf", "anyOf", "oneOf", "prefixItems"],
    map: ["properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"],
  } satisfies Record<Shape, string[]>).flatMap(([shape, keywords]) =>
    keywords.map((keyword) => [keyword, keyword === "items" ? ["one", "list"] : [shape as Shape]] as const),
  ),
);

const sameValueKeywords = new Set([
  "allOf",
  "anyOf",
  "oneOf",
  "not",
  "if",
  "then",
  "else",
  "dependentSchemas",
  "dependencies",
]);

// Known faults of ajv, which test/identity/json-schema-suite.test.ts lists.
const inexactKeywords = [
  { keyword: "unevaluatedProperties", beside: ["if"] },
  { keyword: "unevaluatedItems", beside: ["if", "contains", "items"] },
] as const;

const withoutEffect = /^(not|contains|propertyNames|unevaluatedItems|unevaluatedProperties|contentSchema)$/;

function dialectOf(document: JsonObject): SchemaDialect {
  const named = document.$schema;
  if (named === undefined) return "2020-12";
  const name = typeof named === "string" ? named.replace(/^https?:\/\//, "").replace(/#$/, "") : "";
  if (name === "json-schema.org/draft-07/schema") return "draft-07";
  if (name === "json-schema.org/draft/2020-12/schema") return "2020-12";
  throw new SchemaDocumentError(
    `/$schema must name draft-07 or 2020-12 of JSON Schema, not ${JSON.stringify(named)}`,
  );
}

/**
 * Copies the document without the root's identifier. References that begin with it are local ones in disguise, and
 * generators write `$id: "#/properties/x"`, which says nothing. A `$dynamicRef` by pointer means the same as `$ref`
 * (2020-12 core, section 8.2.3.2); the validator forgets the former where it leads to `true` or `false`.
 */
function copyWithoutId(document: JsonObject): JsonObject {
  const id = document.$id;
  const base = typeof id === "string" ? id.replace(/#.*$/, "") : "";
  const isPlain = (object: JsonObject, name: string, inner: JsonValue) =>
    name === "$dynamicRef" && typeof inner === "string" && /^#\//.test(inner) && object.$ref === undefined;
  const copy = (value: JsonValue, depth: number): JsonValue => {
    if (depth > 4 * maxDepth) throw new SchemaDocumentError("the document is nested too deeply");
    if (Array.isArray(value)) return value.map((inner) => copy(inner, depth + 1));
    if (typeof value !== "object" || value === null) return value;
    const entries = Object.entries(value).flatMap(([name, inner]): [string, JsonValue][] => {
      if (name === "__proto__") throw new SchemaDocumentError("nothing may be named __proto__");
      if (name === "$id" && (value === document || (typeof inner === "string" && inner.startsWith("#/"))))
        return [];
      if (name === "$ref" && typeof inner === "string" && base !== "" && inner.startsWith(`${base}#`)) {
        return [[name, inner.slice(base.length)]];
      }
      if (isPlain(value, name, inner)) return [["$ref", inner]];
      return [[name, copy(inner, depth + 1)]];
    });
    return Object.fromEntries(entries);
  };
  return copy(document, 0) as JsonObject;
}

function assertEffective(schema: JsonObject, pointer: string): void {
  const keyword = schema[annotationKeyword] === undefined ? kratosKeyword : annotationKeyword;
  const parts = pointer.split("/");
  // A property may have the name of a keyword.
  const blocking = parts.find(
    (part, index) =>
      withoutEffect.test(part) &&
      !/^(properties|patternProperties|\$defs|definitions)$/.test(parts[index - 1] ?? ""),
  );
  if (blocking !== undefined) {
    throw new SchemaDocumentError(`${pointer}: ${keyword} has no effect below ${blocking}`);
  }
  const type = schema.type;
  const types = Array.isArray(type) ? type : [type];
  if (type !== undefined && !types.includes("string")) {
    throw new SchemaDocumentError(
      `${pointer}: ${keyword} belongs on a string${types.includes("array") ? "; put it on the items" : ""}`,
    );
  }
}

function hasExactNumbers(value: JsonValue): boolean {
  if (typeof value === "number") return isExactNumber(value);
  return typeof value !== "object" || value === null || Object.values(value).every(hasExactNumbers);
}

function namesNull({ type, enum: options, const: only }: JsonObject): boolean {
  const isListed = (values: JsonValue | undefined, value: JsonValue) =>
    Array.isArray(values) && values.includes(value);
  return type === "null" || isListed(type, "null") || isListed(options, null) || only === null;
}

/** Not what a value must not be, nor an item of a list. */
function mayMatter(pointer: string): boolean {
  return !/\/(not|if)(\/|$)|\/(items|prefixItems)(\/\d+)?$/.test(pointer);
}

function escapePointer(part: string): string {
  return part.replaceAll("~", "~0").replaceAll("/", "~1");
}

function unescapePointer(part: string): string {
  return part.replaceAll("~1", "/").replaceAll("~0", "~");
}

function decodeFragment(reference: string): string {
  try {
    return decodeURIComponent(reference);
  } catch {
    // A stray percent sign: read as it stands, it leads nowhere, and the caller says so.
    return reference;
  }
}
