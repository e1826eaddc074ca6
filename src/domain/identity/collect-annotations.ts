import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import type { Annotation } from "./annotations.ts";
import { entriesOf, isSubschema, listOf, type SchemaDocument, type Subschema } from "./schema-document.ts";
import { itemSchema } from "./schema-parts.ts";

/** A trait that an annotation speaks about. */
export interface AnnotatedTrait {
  readonly annotation: Annotation;
  readonly path: readonly string[];
  readonly value: JsonValue;
}

/**
 * Finds what the annotations of a schema speak about in traits that are valid, in the schema's order. An
 * annotation counts exactly where JSON Schema says that annotations do (2020-12 core, section 7.7): where its
 * subschema applies to a value and that value is valid against it. So an `anyOf` or `oneOf` branch that does
 * not hold leaves nothing behind, of `if` the side taken counts, and references and `allOf` always do.
 */
export class AnnotationCollector {
  readonly #document: SchemaDocument;
  readonly #holds: (schema: Subschema, value: JsonValue) => boolean;

  /** `holds` says whether a value is valid against a subschema of the document. */
  constructor(document: SchemaDocument, holds: (schema: Subschema, value: JsonValue) => boolean) {
    this.#document = document;
    this.#holds = holds;
  }

  collect(traits: JsonObject): readonly AnnotatedTrait[] {
    const found: AnnotatedTrait[] = [];
    this.#visit(this.#document.traits, { value: traits, path: [] }, found);
    return found;
  }

  #visit(schema: Subschema, place: Place, found: AnnotatedTrait[]): void {
    if (typeof schema === "boolean" || !this.#document.isAnnotated(schema)) return;
    const annotation = this.#document.annotationOf(schema);
    if (annotation !== undefined) found.push({ annotation, path: place.path, value: place.value });
    for (const target of this.#document.referencesOf(schema)) this.#visit(target, place, found);
    for (const branch of this.#applicable(schema, place.value)) this.#visit(branch, place, found);
    if (Array.isArray(place.value)) this.#visitItems(schema, place.value, place.path, found);
    else if (isObject(place.value)) this.#visitProperties(schema, place.value, place.path, found);
  }

  /** The subschemas that apply to the same value and hold. */
  #applicable(schema: JsonObject, value: JsonValue): readonly Subschema[] {
    const holds = (branch: Subschema) => this.#document.isAnnotated(branch) && this.#holds(branch, value);
    const of = (keyword: string) => listOf(schema[keyword]).filter(isSubschema);
    const branches = [...of("allOf"), ...[...of("anyOf"), ...of("oneOf")].filter(holds)];
    const condition = schema.if;
    if (isSubschema(condition)) {
      const met = this.#holds(condition, value);
      const taken = schema[met ? "then" : "else"];
      if (met) branches.push(condition);
      if (isSubschema(taken)) branches.push(taken);
    }
    for (const keyword of ["dependentSchemas", "dependencies"]) {
      for (const [name, dependent] of entriesOf(schema[keyword])) {
        if (isObject(value) && Object.hasOwn(value, name) && isSubschema(dependent)) branches.push(dependent);
      }
    }
    return branches;
  }

  #visitProperties(
    schema: JsonObject,
    value: JsonObject,
    path: readonly string[],
    found: AnnotatedTrait[],
  ): void {
    const others = new Set(Object.keys(value));
    const visit = (name: string, inner: JsonValue | undefined) => {
      const property = value[name];
      others.delete(name);
      if (isSubschema(inner) && property !== undefined) {
        this.#visit(inner, { value: property, path: [...path, name] }, found);
      }
    };
    for (const [name, inner] of entriesOf(schema.properties)) {
      if (Object.hasOwn(value, name)) visit(name, inner);
    }
    for (const [pattern, inner] of entriesOf(schema.patternProperties)) {
      for (const name of Object.keys(value))
        if (this.#document.patternOf(pattern).test(name)) visit(name, inner);
    }
    for (const name of [...others]) visit(name, schema.additionalProperties);
  }

  #visitItems(
    schema: JsonObject,
    values: readonly JsonValue[],
    path: readonly string[],
    found: AnnotatedTrait[],
  ): void {
    for (const [index, value] of values.entries()) {
      const inner = itemSchema(schema, index);
      if (isSubschema(inner)) this.#visit(inner, { value, path: [...path, String(index)] }, found);
    }
  }
}

interface Place {
  readonly value: JsonValue;
  readonly path: readonly string[];
}
