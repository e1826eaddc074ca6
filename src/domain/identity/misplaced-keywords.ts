import { isObject, type JsonObject } from "../json.ts";
import { compileLinearPattern } from "../linear-pattern.ts";
import { entriesOf, type SchemaDocument, type Subschema, subschemasOf } from "./schema-document.ts";
import { fieldsIn, traitFields } from "./trait-fields.ts";

/**
 * What is valid JSON Schema and does not do what its author meant: keywords where they have no effect, `required` that
 * names nothing, traits beside `traits`, identifiers that may be left out. A sentence each, with the JSON pointer.
 *
 * @see ory/kratos#3486: `required` beside `traits` let forms draw the identifier as optional.
 */
export function misplacedKeywords(document: SchemaDocument): readonly string[] {
  const subschemas = [...document.subschemas()];
  const applied = new Set(
    subschemas.flatMap(([schema]) =>
      subschemasOf(schema).flatMap((child) => (child.sameValue ? [child.schema] : [])),
    ),
  );
  return [
    ...subschemas.flatMap(([schema, pointer]) => withoutEffectOnType(schema, pointer)),
    // What applies to the same value as a schema around it may name the properties of that one.
    ...subschemas.flatMap(([schema, pointer]) =>
      applied.has(schema) ? [] : requiredNothing(document, schema, pointer),
    ),
    ...besideTraits(document),
    ...optionalIdentifiers(document),
  ];
}

const keywordsOf: Readonly<Record<string, readonly string[]>> = {
  string: ["minLength", "maxLength", "pattern"],
  number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  array: ["items", "prefixItems", "additionalItems", "contains", "minItems", "maxItems", "uniqueItems"],
  object: [
    "properties",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "required",
    "minProperties",
    "maxProperties",
  ],
};

function withoutEffectOnType(schema: JsonObject, pointer: string): string[] {
  const types = (Array.isArray(schema.type) ? schema.type : [schema.type]).map((type) =>
    type === "integer" ? "number" : type,
  );
  if (schema.type === undefined) return [];
  return Object.entries(keywordsOf).flatMap(([type, keywords]) =>
    types.includes(type)
      ? []
      : keywords
          .filter((keyword) => Object.hasOwn(schema, keyword))
          .map((keyword) => `${pointer}/${keyword} has no effect on a value of type ${types.join(", ")}`),
  );
}

function requiredNothing(document: SchemaDocument, schema: JsonObject, pointer: string): string[] {
  if (!Array.isArray(schema.required) || !isObject(schema.properties)) return [];
  const applying = applyingTo(document, schema);
  const names = new Set(applying.flatMap((each) => entriesOf(each.properties).map(([name]) => name)));
  const patterns = applying.flatMap((each) => entriesOf(each.patternProperties).map(([pattern]) => pattern));
  const isKnown = (name: string) =>
    names.has(name) || patterns.some((pattern) => compileLinearPattern(pattern).test(name));
  const traits = document.pointerOf(document.traits);
  const hint =
    schema === document.root && traits !== "" ? `; what traits need stands in ${traits}/required` : "";
  return schema.required
    .filter((name) => typeof name === "string" && !isKnown(name))
    .map((name) => `${pointer}/required names ${JSON.stringify(name)}, which is no property there${hint}`);
}

/** In a document made for Kratos only `traits` is read. */
function besideTraits(document: SchemaDocument): string[] {
  if (document.traits === document.root) return [];
  const traits = document.pointerOf(document.traits);
  return entriesOf(document.root.properties)
    .filter(([, schema]) => schema !== document.traits)
    .map(
      ([name]) =>
        `/properties/${name} stands beside traits and has no effect: move it into ${traits}/properties`,
    );
}

/** A form draws what is not required as optional; what is then left out is refused, or leaves nobody who can sign in. */
function optionalIdentifiers(document: SchemaDocument): string[] {
  const identifiers = traitFields(document).flatMap((drawn) =>
    fieldsIn(drawn)
      .filter(({ identifier }) => identifier)
      .map(() => ({ path: drawn.path, required: drawn.required && drawn.condition === undefined })),
  );
  if (identifiers.length === 0 || identifiers.some(({ required }) => required)) return [];
  const isAlternative = ({ anyOf, oneOf }: JsonObject) =>
    [anyOf, oneOf].some(
      (list) => Array.isArray(list) && list.every((each) => isObject(each) && Array.isArray(each.required)),
    );
  if (applyingTo(document, document.traits).some(isAlternative)) return [];
  const names = identifiers.map(({ path }) => path.join(".")).join(", ");
  return [
    `no identifier is required (${names}): forms draw it as optional, and nobody can register without one`,
  ];
}

/** A schema and all that may apply to the same value. */
function applyingTo(document: SchemaDocument, start: JsonObject): readonly JsonObject[] {
  const found = new Set<JsonObject>();
  const open: Subschema[] = [start];
  for (let schema = open.pop(); schema !== undefined; schema = open.pop()) {
    if (typeof schema === "boolean" || found.has(schema)) continue;
    found.add(schema);
    const children = subschemasOf(schema).filter(({ sameValue }) => sameValue);
    open.push(...children.map((child) => child.schema), ...document.referencesOf(schema));
  }
  return [...found];
}
