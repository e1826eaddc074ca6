import type { Annotation } from "./annotations.ts";
import type { SchemaDocument } from "./schema-document.ts";
import type { SchemaText } from "./schema-texts.ts";
import { fieldsIn, type TraitField, type TraitList } from "./trait-fields.ts";

/** A trait that people sign in with. */
export interface IdentifierTrait {
  readonly kind: NonNullable<Annotation["identifier"]>;
  /** The schema's title, else the name of the property. */
  readonly title: SchemaText;
}

/**
 * The traits of a schema that people sign in with: first those that a form can draw, then the others whose kind is not among
 * the first.
 */
export function identifierTraits(
  document: SchemaDocument,
  fields: readonly (TraitField | TraitList)[],
): readonly IdentifierTrait[] {
  const found: IdentifierTrait[] = fields.flatMap((drawn) =>
    fieldsIn(drawn).flatMap(({ identifier: kind }) =>
      kind === undefined ? [] : [{ kind, title: drawn.title }],
    ),
  );
  for (const [schema, pointer] of document.subschemas()) {
    const kind = document.annotationOf(schema)?.identifier;
    if (kind === undefined || found.some((known) => known.kind === kind)) continue;
    const { title } = schema;
    const text = typeof title === "string" && title !== "" ? title : propertyOf(pointer);
    found.push({ kind, title: { text, translations: document.drawingOf(schema)?.titles ?? {} } });
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
