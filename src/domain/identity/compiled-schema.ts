import { Ajv, type ErrorObject, type Options, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import { joinFieldPath } from "../field-path.ts";
import { type JsonObject, type JsonValue, valueAt } from "../json.ts";
import { compileLinearPattern } from "../linear-pattern.ts";
import { type OwnsAddress, ownsNothing } from "./address-claims.ts";
import { type AnnotatedTrait, AnnotationCollector } from "./collect-annotations.ts";
import { deriveTraits } from "./derive-traits.ts";
import { type ExplainedError, TraitExplainer } from "./explain-traits.ts";
import { addTraitFormats } from "./formats.ts";
import { type IdentifierTrait, identifierTraits } from "./identifier-traits.ts";
import type { DerivedTraits } from "./identity.ts";
import { checkJsonLimits, traitLimits } from "./json-limits.ts";
import { misplacedKeywords } from "./misplaced-keywords.ts";
import type { StoredSchema } from "./schema.ts";
import { entriesOf, type SchemaDialect, SchemaDocument, type Subschema } from "./schema-document.ts";
import { SchemaDocumentError } from "./schema-document-error.ts";
import type { SchemaText } from "./schema-texts.ts";
import { type TraitField, type TraitList, traitFields, undrawnTraits } from "./trait-fields.ts";
import { TraitMarks } from "./trait-marks.ts";

/** A version of a schema, ready to validate. */
export interface CompiledSchema {
  readonly id: string;
  readonly version: number;
  readonly document: JsonObject;
  /** Warnings for the operator: for example that no trait is an identifier, or that a format is not checked. */
  readonly warnings: readonly string[];
  /** The fields that a form has for traits, in document order. */
  readonly fields: readonly (TraitField | TraitList)[];
  /** The traits that people sign in with. */
  readonly identifiers: readonly IdentifierTrait[];
  /** Paths of values that their owner cannot change: `readOnly`. */
  readOnlyIn(traits: JsonObject): readonly (readonly string[])[];
  /** Paths of values that are not shown to their owner once they were sent: `writeOnly`. */
  writeOnlyIn(traits: JsonObject): readonly (readonly string[])[];
  /** The annotated values in valid traits, in document order. */
  annotatedIn(traits: JsonObject): readonly AnnotatedTrait[];
  /**
   * Checks traits, and says what they give. At most 20 violations. A username that is an address is one, unless `owns` says
   * that the address is the identity's own; by default it says so of none.
   */
  validate(traits: JsonObject, owns?: OwnsAddress): TraitValidation;
}

/** Result of validating traits. */
export type TraitValidation =
  | { readonly valid: true; readonly derived: DerivedTraits }
  | { readonly valid: false; readonly violations: readonly TraitViolation[] };

/** Something in traits that does not follow the schema. */
export interface TraitViolation {
  /** Where; empty for the traits as a whole. */
  readonly path: readonly string[];
  /** The JSON Schema keyword, `identifier` for what cannot be signed in with, or a limit that holds for all traits. */
  readonly rule: string;
  /** A sentence in English, without the value. */
  readonly message: string;
  /** Values for a message in another language: `limit`, `actual`, `pattern`, `format`, `type`, … */
  readonly params: JsonObject;
  /** The sentence that the schema itself has for it (`ostiary.error`). */
  readonly sentence?: SchemaText | undefined;
}

/**
 * Compiles a version of a schema: draft-07 or 2020-12 by its `$schema` (default 2020-12), with our annotations or
 * those of Kratos; a document made for Kratos, whose traits are the property `traits`, works as it is. Throws
 * SchemaDocumentError, with a sentence for the operator, for a document that cannot be used.
 */
export function compileSchema(stored: StoredSchema): CompiledSchema {
  const document = new SchemaDocument(stored.document);
  const validators = new Validators(document);
  const validateTraits = validators.of(document.traits);
  const fields = traitFields(document);
  const marks = new TraitMarks(document);
  const explainer = new TraitExplainer(document, (options) => validators.another(options));
  const collector = new AnnotationCollector(document, (schema, value) => validators.holds(schema, value));
  return {
    id: stored.id,
    version: stored.version,
    document: stored.document,
    // Only asked of what is configured, not of each version that was stored.
    get warnings() {
      return warningsOf(document, validators, marks);
    },
    fields,
    identifiers: identifierTraits(document, fields),
    readOnlyIn: (traits) => marks.placesIn(traits, "readOnly"),
    writeOnlyIn: (traits) => marks.placesIn(traits, "writeOnly"),
    annotatedIn: (traits) => collector.collect(traits),
    validate(traits, owns = ownsNothing) {
      // Before the schema: its patterns and comparisons are only as cheap as the values are small.
      const beyondLimits = checkJsonLimits(traits, traitLimits);
      if (beyondLimits !== undefined) return { valid: false, violations: [beyondLimits] };
      if (!validateTraits(traits)) {
        const errors = explainer.errorsOf(traits) ?? validateTraits.errors ?? [];
        return { valid: false, violations: toViolations(document, errors, traits) };
      }
      const result = deriveTraits(collector.collect(traits), owns);
      if ("derived" in result) return { valid: true, derived: result.derived };
      return { valid: false, violations: result.violations.slice(0, maxViolations) };
    },
  };
}

/**
 * Checks a document against the meta-schema of its draft. Not part of compiling, since it takes longer than that
 * and a stored version has passed it. Throws SchemaDocumentError.
 */
export function assertSchemaDocument(document: JsonObject): void {
  const read = new SchemaDocument(document);
  const { dialect, root } = read;
  const ajv =
    metaValidators.get(dialect) ?? newAjv(dialect, { validateFormats: false, strict: false, logger: false });
  metaValidators.set(dialect, ajv);
  if (ajv.validateSchema(root) !== true) {
    const [error] = ajv.errors ?? [];
    throw new SchemaDocumentError(
      `${error?.instancePath === "" ? "the root" : error?.instancePath} ${error?.message ?? "is no JSON Schema"}`,
    );
  }
  for (const [schema, pointer] of read.subschemas()) {
    if (typeof schema.pattern === "string") assertPattern(schema.pattern, `${pointer}/pattern`);
    for (const [pattern] of entriesOf(schema.patternProperties)) {
      assertPattern(pattern, `${pointer}/patternProperties`);
    }
  }
}

/** Compiling says the same of a pattern, but not where it stands. */
function assertPattern(pattern: string, pointer: string): void {
  try {
    compileLinearPattern(pattern);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SchemaDocumentError(`${pointer}: ${reason}`, { cause: error });
  }
}

// Compiling a meta-schema takes some 50 ms, which several documents pay once.
const metaValidators = new Map<SchemaDialect, Ajv>();
const maxViolations = 20;
const rootKey = "root";

// `code` is for validators that are written to files, which none is.
const linearPatterns = Object.assign((pattern: string) => compileLinearPattern(pattern), { code: "" });

/** The validators of a document's subschemas, made when first needed. */
class Validators {
  readonly #ajv: Ajv;
  readonly #document: SchemaDocument;
  readonly #compiled = new Map<JsonObject, ValidateFunction>();

  constructor(document: SchemaDocument) {
    this.#document = document;
    this.#ajv = this.another({});
    this.#ajv.addSchema(document.root, rootKey);
  }

  /** A validator of this dialect that knows no schema yet. */
  another(options: Options): Ajv {
    const ajv = newAjv(this.#document.dialect, {
      strict: false,
      allErrors: true,
      // Names that every object inherits (toString) are no traits.
      ownProperties: true,
      meta: false,
      validateSchema: false,
      logger: false,
      code: { regExp: linearPatterns },
      ...options,
    });
    addTraitFormats(ajv);
    return ajv;
  }

  of(schema: JsonObject): ValidateFunction {
    let validate = this.#compiled.get(schema);
    if (validate === undefined) {
      validate = this.#compile(schema);
      this.#compiled.set(schema, validate);
    }
    return validate;
  }

  holds(schema: Subschema, value: JsonValue): boolean {
    return typeof schema === "boolean" ? schema : this.of(schema)(value) === true;
  }

  knowsFormat(format: string): boolean {
    return Object.hasOwn(this.#ajv.formats, format);
  }

  #compile(schema: JsonObject): ValidateFunction {
    const pointer = this.#document.pointerOf(schema);
    const key = `${rootKey}#${pointer.split("/").map(encodeURIComponent).join("/")}`;
    try {
      const validate = this.#ajv.getSchema(key);
      if (validate !== undefined) return validate;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new SchemaDocumentError(`the schema cannot be compiled: ${reason}`, { cause: error });
    }
    throw new SchemaDocumentError(`the schema cannot be compiled at ${pointer}`);
  }
}

function newAjv(dialect: SchemaDialect, options: Options): Ajv {
  // Both classes have the methods that are used here; the type of one stands for both.
  return dialect === "draft-07" ? new Ajv(options) : (new Ajv2020(options) as unknown as Ajv);
}

function warningsOf(document: SchemaDocument, validators: Validators, marks: TraitMarks): readonly string[] {
  const warnings = [...document.formats]
    .filter((format) => !validators.knowsFormat(format))
    .map((format) => `the format ${JSON.stringify(format)} is unknown, so nothing checks it`);
  for (const keyword of document.inexactKeywords) {
    warnings.push(
      `${keyword} beside if, contains or nested items is not checked exactly; say what is allowed by additionalProperties or items`,
    );
  }
  warnings.push(...misplacedKeywords(document));
  if (!document.hasIdentifier)
    warnings.unshift("no trait is an identifier, so nobody can sign in with this schema");
  const nullable = document.nullable;
  if (nullable.length > 0) {
    warnings.push(
      `null is allowed at ${nullable.join(", ")}, but settings and registrations cannot store it: there null removes a trait`,
    );
  }
  warnings.push(
    ...marks.withoutEffect
      .slice(0, 10)
      .map(
        (pointer) =>
          `readOnly at ${pointer} has no effect, since it depends on other values (anyOf, oneOf, if)`,
      ),
  );
  const undrawn = undrawnTraits(document);
  warnings.push(
    ...undrawn
      .slice(0, 10)
      .map(({ path, keyword }) => `no form can draw ${joinFieldPath(path)}, because of ${keyword}`),
  );
  if (undrawn.length > 10) warnings.push(`${undrawn.length - 10} more traits that no form can draw`);
  return warnings;
}

function toViolations(
  document: SchemaDocument,
  errors: readonly (ErrorObject | ExplainedError)[],
  traits: JsonObject,
): readonly TraitViolation[] {
  const violations = new Map<string, TraitViolation>();
  for (const error of errors) {
    if (violations.size >= maxViolations) break;
    const subschema = "subschema" in error ? error.subschema : undefined;
    const isOfForm = error.keyword === "pattern" || error.keyword === "format";
    const sentence = isOfForm && subschema !== undefined ? document.drawingOf(subschema)?.error : undefined;
    const violation = { ...toViolation(error, traits), ...(sentence && { sentence }) };
    violations.set(JSON.stringify([violation.path, violation.rule, violation.params]), violation);
  }
  return [...violations.values()];
}

function toViolation(error: ErrorObject, traits: JsonObject): TraitViolation {
  const path = error.instancePath
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const params = error.params as JsonObject;
  // These speak about a property of the value that they are at.
  const property = params.missingProperty ?? params.additionalProperty ?? params.unevaluatedProperty;
  const message = error.message ?? "is not allowed";
  if (typeof property === "string") path.push(property);
  const value = valueAt(traits, path);
  if (error.keyword === "type" && typeof value === "string" && isAmbiguousNumber(value)) {
    return { path, rule: error.keyword, message, params: { ...params, problem: "ambiguous_number" } };
  }
  if (error.keyword !== "minLength" && error.keyword !== "maxLength") {
    return { path, rule: error.keyword, message, params };
  }
  const actual = typeof value === "string" ? [...value].length : 0;
  return { path, rule: error.keyword, message, params: { ...params, actual } };
}

/**
 * Whether a text is a number with separators, which mean thousands in one language and a fraction in another one. Clients put a word
 * joiner behind one that they could have read in two ways.
 */
function isAmbiguousNumber(text: string): boolean {
  const number = text.replace(/\u2060/g, "").trim();
  return number.length <= 64 && /^[+-]?\d+([\s.,'\u2019]\d+)+$/u.test(number);
}
