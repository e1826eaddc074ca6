import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import { entriesOf, isSubschema, listOf, type SchemaDocument, type Subschema } from "./schema-document.ts";
import { itemSchema, partsOf } from "./schema-parts.ts";

/** Keywords that restrict who sees a value, or changes it. */
type Mark = "readOnly" | "writeOnly";
type Path = readonly string[];

/**
 * Finds where in traits a schema says `readOnly` or `writeOnly`: at any depth, also within the items of lists. Where all items of
 * a list have the mark it is the list itself. It goes by what is there, since a schema that refers to itself has no end.
 */
export class TraitMarks {
  readonly #document: SchemaDocument;
  readonly #marks: ReadonlySet<Mark>;
  readonly #parts = { readOnly: new Map<Subschema, Parts>(), writeOnly: new Map<Subschema, Parts>() };

  constructor(document: SchemaDocument) {
    this.#document = document;
    const schemas = [...document.subschemas()].map(([schema]) => schema);
    const marks: readonly Mark[] = ["readOnly", "writeOnly"];
    this.#marks = new Set(marks.filter((mark) => schemas.some((schema) => schema[mark] === true)));
  }

  /** Where the traits have the mark. Of `writeOnly` also where it may depend on other values whether it counts. */
  placesIn(traits: JsonObject, mark: Mark): readonly Path[] {
    if (!this.#marks.has(mark)) return [];
    const places: Path[] = [];
    const visit = (schemas: readonly Subschema[], value: JsonValue, path: Path): void => {
      const parts = this.#partsOf(schemas, mark);
      if (parts.length === 0) return;
      if (parts.some((part) => part[mark] === true) || this.#areItemsMarked(parts, mark)) {
        places.push(path);
      } else if (Array.isArray(value)) {
        for (const [index, item] of value.entries()) {
          visit(parts.map((part) => itemSchema(part, index)).filter(isSubschema), item, [
            ...path,
            String(index),
          ]);
        }
      } else if (isObject(value)) {
        for (const [name, inner] of Object.entries(value)) {
          visit(
            parts.flatMap((part) => this.#memberSchemas(part, name)),
            inner,
            [...path, name],
          );
        }
      }
    };
    visit([this.#document.traits], traits, []);
    return places;
  }

  /** Where the document says `readOnly` and nothing comes of it, as JSON pointers: whether it counts depends on other values. */
  get withoutEffect(): readonly string[] {
    if (!this.#marks.has("readOnly")) return [];
    const enforced = this.#reached("readOnly");
    const reached = this.#reached("writeOnly");
    return [...this.#document.subschemas()]
      .filter(([schema]) => schema.readOnly === true && reached.has(schema) && !enforced.has(schema))
      .map(([, pointer]) => pointer);
  }

  #memberSchemas(part: JsonObject, name: string): readonly Subschema[] {
    const { properties, additionalProperties } = part;
    const named = isObject(properties) && Object.hasOwn(properties, name) ? [properties[name]] : [];
    const matching = entriesOf(part.patternProperties).filter(([pattern]) =>
      this.#document.patternOf(pattern).test(name),
    );
    const found = [...named, ...matching.map(([, schema]) => schema)];
    return (found.length > 0 ? found : [additionalProperties]).filter(isSubschema);
  }

  #areItemsMarked(parts: Parts, mark: Mark): boolean {
    const items = parts.flatMap((part) => (isObject(part.items) ? [part.items] : []));
    return this.#partsOf(items, mark).some((part) => part[mark] === true);
  }

  #reached(mark: Mark): ReadonlySet<JsonObject> {
    const reached = new Set<JsonObject>();
    const toVisit: Subschema[] = [this.#document.traits];
    for (let schema = toVisit.pop(); schema !== undefined; schema = toVisit.pop()) {
      for (const part of this.#partsOf([schema], mark)) {
        if (reached.has(part)) continue;
        reached.add(part);
        toVisit.push(...innerSchemas(part));
      }
    }
    return reached;
  }

  #partsOf(schemas: readonly Subschema[], mark: Mark): Parts {
    const known = this.#parts[mark];
    const parts = schemas.flatMap((schema) => {
      const own = known.get(schema) ?? this.#allParts(schema, mark);
      known.set(schema, own);
      return own;
    });
    return [...new Set(parts)];
  }

  /** Security rule (SR-TRAIT-2): what is hidden in one of several variants is hidden in all of them, whether they hold or not. */
  #allParts(schema: Subschema, mark: Mark): Parts {
    const parts = partsOf(this.#document, schema);
    if (mark === "readOnly") return parts;
    return parts.flatMap((part) => [
      part,
      ...branchesOf(part).flatMap((branch) => this.#allParts(branch, mark)),
    ]);
  }
}

type Parts = readonly JsonObject[];

function branchesOf(part: JsonObject): readonly Subschema[] {
  const several = ["anyOf", "oneOf"].flatMap((keyword) => listOf(part[keyword]));
  const dependent = ["dependentSchemas", "dependencies"].flatMap((keyword) =>
    entriesOf(part[keyword]).map(([, schema]) => schema),
  );
  return [...several, part.if, part.then, part.else, ...dependent].filter(isSubschema);
}

function innerSchemas(part: JsonObject): readonly Subschema[] {
  const { items, prefixItems, additionalItems, additionalProperties } = part;
  const members = [...entriesOf(part.properties), ...entriesOf(part.patternProperties)];
  return [
    ...members.map(([, schema]) => schema),
    additionalProperties,
    ...listOf(prefixItems),
    ...listOf(items),
    items,
    additionalItems,
  ].filter(isSubschema);
}
