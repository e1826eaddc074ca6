import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import { annotationKeyword } from "./annotations.ts";
import { SchemaDocumentError } from "./schema-document-error.ts";

/** The annotations that say how a trait is drawn, beside the keywords of JSON Schema. */
export interface Drawing {
  /** The title in other languages, by their tags (BCP 47). */
  readonly titles: Readonly<Record<string, string>>;
  /** The description in other languages. */
  readonly descriptions: Readonly<Record<string, string>>;
  /** Whether a text may have several lines. */
  readonly multiLine: boolean;
  /** Passed on to clients unchanged. */
  readonly ui: JsonObject | undefined;
}

/** The keys of our keyword that say how a trait is drawn. They may stand at values of any type. */
export const drawingKeys = ["titles", "descriptions", "multi_line", "ui"] as const;

/** The greatest `ui`, as compact JSON in UTF-8: it is part of every form. */
const maxUiBytes = 4096;

/** Reads the drawing annotations of a subschema; undefined if it has none. Throws SchemaDocumentError. */
export function readDrawing(schema: JsonObject, pointer: string): Drawing | undefined {
  const own = schema[annotationKeyword];
  if (!isObject(own) || !drawingKeys.some((key) => Object.hasOwn(own, key))) return undefined;
  const at = `${pointer}/${annotationKeyword}`;
  const { multi_line: multiLine, ui } = own;
  if (multiLine !== undefined && typeof multiLine !== "boolean") {
    throw new SchemaDocumentError(`${at}/multi_line must be true or false`);
  }
  if (ui !== undefined && !isObject(ui)) throw new SchemaDocumentError(`${at}/ui must be an object`);
  if (ui !== undefined && Buffer.byteLength(JSON.stringify(ui)) > maxUiBytes) {
    throw new SchemaDocumentError(`${at}/ui must be at most ${maxUiBytes} bytes as JSON`);
  }
  return {
    titles: readTexts(own.titles, `${at}/titles`),
    descriptions: readTexts(own.descriptions, `${at}/descriptions`),
    multiLine: multiLine === true,
    ui,
  };
}

function readTexts(value: JsonValue | undefined, pointer: string): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (!isObject(value)) throw new SchemaDocumentError(`${pointer} must be an object`);
  return Object.fromEntries(
    Object.entries(value).map(([tag, text]) => {
      if (!/^[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8})*$/.test(tag)) {
        throw new SchemaDocumentError(
          `${pointer}: ${JSON.stringify(tag)} is no language tag, for example de or pt-BR`,
        );
      }
      if (typeof text !== "string" || text === "") {
        throw new SchemaDocumentError(`${pointer}/${tag} must be a text`);
      }
      return [tag, text];
    }),
  );
}
