import type { Ajv, ErrorObject, Options, ValidateFunction } from "ajv";
import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import type { SchemaDocument } from "./schema-document.ts";
import { requiredIn } from "./schema-parts.ts";
import { constantsIn } from "./trait-scalars.ts";
import { variantsOf } from "./trait-variants.ts";

/** What is wrong with traits, and the subschema that says so. */
export interface ExplainedError extends ErrorObject {
  /** The subschema in the document; undefined if it was rewritten. */
  readonly subschema: JsonObject | undefined;
}

/**
 * Says what is wrong with traits in a way that people can mend. The validator itself tells of every variant of a `oneOf` that does
 * not hold, also of those that nobody chose. Here a `oneOf` is rewritten, so that only the chosen variant counts, and a list of
 * constants is an `enum`. Made when it is first needed, which is with the first mistake of somebody.
 */
export class TraitExplainer {
  readonly #document: SchemaDocument;
  readonly #newAjv: (options: Options) => Ajv;
  readonly #subschemas: ReadonlySet<JsonValue>;
  /** The original of each subschema that was copied. */
  readonly #originals = new Map<unknown, JsonObject>();
  /** The conditions that variants were rewritten to. */
  readonly #conditions = new Set<unknown>();
  #validate: ValidateFunction | undefined | "impossible";

  constructor(document: SchemaDocument, newAjv: (options: Options) => Ajv) {
    this.#document = document;
    this.#newAjv = newAjv;
    this.#subschemas = new Set([...document.subschemas()].map(([schema]) => schema));
  }

  /** Undefined if the traits are valid, or if this schema cannot be rewritten. */
  errorsOf(traits: JsonObject): readonly ExplainedError[] | undefined {
    this.#validate ??= this.#compile() ?? "impossible";
    const validate = this.#validate;
    if (validate === "impossible" || validate(traits)) return undefined;
    return (
      (validate.errors ?? [])
        // It follows from the errors of what `then` says, which are here as well.
        .filter(({ keyword, parentSchema }) => keyword !== "if" || !this.#conditions.has(parentSchema))
        .map((error) => ({ ...error, subschema: this.#originals.get(error.parentSchema) }))
    );
  }

  #compile(): ValidateFunction | undefined {
    const { root, traits } = this.#document;
    try {
      const ajv = this.#newAjv({ verbose: true });
      ajv.addSchema(this.#rewrite(root) as JsonObject, "root");
      const pointer = this.#document.pointerOf(traits);
      return ajv.getSchema(`root#${pointer.split("/").map(encodeURIComponent).join("/")}`);
    } catch {
      // A reference may lead into what was rewritten. The validator's own errors then stand.
      return undefined;
    }
  }

  /** A copy of a part of the document. Each subschema of it leads back to its original. */
  #rewrite(value: JsonValue): JsonValue {
    if (Array.isArray(value)) return value.map((inner) => this.#rewrite(inner));
    if (!isObject(value)) return value;
    const others = Object.entries(value).map(([name, inner]) => [name, this.#rewrite(inner)] as const);
    const copy: JsonObject = Object.fromEntries(others);
    // Not what only looks like a schema, such as a value of `const`.
    if (!this.#subschemas.has(value)) return copy;
    const { oneOf, ...rest } = copy;
    const rewritten = oneOf === undefined ? undefined : this.#withoutOneOf(value, rest);
    this.#originals.set(rewritten ?? copy, value);
    return rewritten ?? copy;
  }

  /** `rest`: the copy of the schema without its `oneOf`. Undefined: it stays as it is. */
  #withoutOneOf(schema: JsonObject, rest: JsonObject): JsonObject | undefined {
    const allOf = Array.isArray(rest.allOf) ? rest.allOf : [];
    const constants = constantsIn(schema.oneOf);
    if (constants !== undefined) return { ...rest, allOf: [...allOf, { enum: [...constants] }] };
    // The validator misjudges this keyword beside a condition.
    const isInexact = schema.unevaluatedProperties !== undefined;
    const variants = isInexact ? undefined : variantsOf(this.#document, [schema]);
    if (variants === undefined || !Array.isArray(schema.oneOf)) return undefined;
    const { property, branches } = variants;
    const valuesOf = (index: number) => (branches[index]?.choices ?? []).map(({ value }) => value);
    const isNeeded = branches.every(({ parts }) => requiredIn(parts).has(property));
    const chooser = {
      properties: { [property]: { enum: branches.flatMap((_, index) => valuesOf(index)) } },
      ...(isNeeded && { required: [property] }),
    };
    const chosen = schema.oneOf.map((branch, index) => {
      const condition = {
        if: { properties: { [property]: { enum: valuesOf(index) } }, required: [property] },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
        then: this.#rewrite(branch),
      };
      this.#conditions.add(condition);
      return condition;
    });
    return { ...rest, allOf: [...allOf, chooser, ...chosen] };
  }
}
