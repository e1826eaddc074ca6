import type { Annotation } from "./annotations.ts";
import type { TraitField } from "./compiled-schema.ts";
import type { SchemaDocument } from "./schema-document.ts";

/** A trait that people sign in with. */
export interface IdentifierTrait {
  readonly kind: NonNullable<Annotation["identifier"]>;
  /** The schema's title, else the name of the property. */
  readonly title: string;
}

/**
 * The traits of a schema that people sign in with: those that a form has a field for, then those within `anyOf`, `oneOf` or `if`
 * whose kind is not among them.
 */
export function identifierTraits(
  document: SchemaDocument,
  fields: readonly TraitField[],
): readonly IdentifierTrait[] {
  const found: IdentifierTrait[] = fields.flatMap(({ identifier: kind, title }) =>
    kind === undefined ? [] : [{ kind, title }],
  );
  for (const [schema, pointer] of document.subschemas()) {
    const kind = document.annotationOf(schema)?.identifier;
    if (kind === undefined || found.some((known) => known.kind === kind)) continue;
    const { title } = schema;
    found.push({ kind, title: typeof title === "string" && title !== "" ? title : propertyOf(pointer) });
  }
  return found;
}

/** The name of the property that a JSON pointer leads to, also to its items. */
function propertyOf(pointer: string): string {
  const [name = ""] = pointer
    .split("/")
    .reverse()
    .filter((part) => part !== "items");
  return name.replaceAll("~1", "/").replaceAll("~0", "~");
}
