import type { JsonObject } from "../json.ts";
import type { SchemaDocument } from "./schema-document.ts";

/** A text of a schema for people to read, in its own language and in others. */
export interface SchemaText {
  readonly text: string;
  /** The text in other languages, by their tags. */
  readonly translations: Readonly<Record<string, string>>;
}

export function titleOf(
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

export function titleIn(document: SchemaDocument, parts: readonly JsonObject[]): SchemaText | undefined {
  const title = parts.map((part) => part.title).find((each) => typeof each === "string" && each !== "");
  return typeof title === "string"
    ? { text: title, translations: translationsIn(document, parts, "titles") }
    : undefined;
}

export function descriptionOf(
  document: SchemaDocument,
  parts: readonly JsonObject[],
): SchemaText | undefined {
  const description = parts
    .map((part) => part.description)
    .find((each) => typeof each === "string" && each !== "");
  return typeof description === "string"
    ? { text: description, translations: translationsIn(document, parts, "descriptions") }
    : undefined;
}

/** The translations of all parts; if several have a language, the first counts. */
function translationsIn(
  document: SchemaDocument,
  parts: readonly JsonObject[],
  what: "titles" | "descriptions",
): Readonly<Record<string, string>> {
  return Object.assign({}, ...parts.map((part) => document.drawingOf(part)?.[what]).reverse());
}
