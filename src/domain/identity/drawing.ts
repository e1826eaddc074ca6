import { isLoopbackHost } from "../hosts.ts";
import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import { annotationKeyword } from "./annotations.ts";
import { isAutocomplete } from "./autocomplete.ts";
import { SchemaDocumentError } from "./schema-document-error.ts";
import type { SchemaText } from "./schema-texts.ts";

/** The annotations that say how a trait is drawn, beside the keywords of JSON Schema. */
export interface Drawing {
  /** The title in other languages, by their tags (BCP 47). */
  readonly titles: Readonly<Record<string, string>>;
  /** The description in other languages. */
  readonly descriptions: Readonly<Record<string, string>>;
  /** Whether a text may have several lines. Undefined: by its greatest length. */
  readonly multiLine: boolean | undefined;
  /** The token of the HTML attribute `autocomplete`. Undefined: by the format and the purpose of the trait. */
  readonly autocomplete: string | undefined;
  /** The message for a value that breaks `pattern` or `format`. */
  readonly error: SchemaText | undefined;
  readonly link: SchemaLink | undefined;
  /** Passed on to clients unchanged. */
  readonly ui: JsonObject | undefined;
}

/** A page to read before a trait is filled in, such as the terms that a box agrees to. */
export interface SchemaLink {
  readonly url: string;
  /** The page in other languages, by their tags. */
  readonly urls: Readonly<Record<string, string>>;
  readonly title: SchemaText;
}

/** The keys of our keyword that say how a trait is drawn. They may stand at values of any type. */
export const drawingKeys = [
  "titles",
  "descriptions",
  "multi_line",
  "autocomplete",
  "error",
  "errors",
  "link",
  "ui",
] as const;

/** The greatest `ui`, as compact JSON in UTF-8: it is part of every form. */
const maxUiBytes = 4096;

/** Reads the drawing annotations of a subschema; undefined if it has none. Throws SchemaDocumentError. */
export function readDrawing(schema: JsonObject, pointer: string): Drawing | undefined {
  const own = schema[annotationKeyword];
  if (!isObject(own) || !drawingKeys.some((key) => Object.hasOwn(own, key))) return undefined;
  const at = `${pointer}/${annotationKeyword}`;
  const { multi_line: multiLine, autocomplete, ui } = own;
  if (multiLine !== undefined && typeof multiLine !== "boolean") {
    throw new SchemaDocumentError(`${at}/multi_line must be true or false`);
  }
  if (autocomplete !== undefined && !(typeof autocomplete === "string" && isAutocomplete(autocomplete))) {
    throw new SchemaDocumentError(
      `${at}/autocomplete must be a token of HTML for what a person is, for example given-name, bday or "work tel"`,
    );
  }
  if (ui !== undefined && !isObject(ui)) throw new SchemaDocumentError(`${at}/ui must be an object`);
  if (ui !== undefined && Buffer.byteLength(JSON.stringify(ui)) > maxUiBytes) {
    throw new SchemaDocumentError(`${at}/ui must be at most ${maxUiBytes} bytes as JSON`);
  }
  return {
    titles: readTexts(own.titles, `${at}/titles`),
    descriptions: readTexts(own.descriptions, `${at}/descriptions`),
    multiLine,
    autocomplete,
    error: readError(schema, own, at),
    link: readLink(own.link, `${at}/link`),
    ui,
  };
}

/** The sentence for a value of the wrong form. */
function readError(schema: JsonObject, own: JsonObject, at: string): SchemaText | undefined {
  const translations = readTexts(own.errors, `${at}/errors`);
  if (own.error === undefined) {
    if (own.errors !== undefined) throw new SchemaDocumentError(`${at}/errors needs error beside it`);
    return undefined;
  }
  if (schema.pattern === undefined && schema.format === undefined) {
    throw new SchemaDocumentError(`${at}/error has no effect: it belongs beside pattern or format`);
  }
  return { text: readText(own.error, `${at}/error`), translations };
}

const linkKeys = ["url", "urls", "title", "titles"];

function readLink(value: JsonValue | undefined, at: string): SchemaLink | undefined {
  if (value === undefined) return undefined;
  if (!isObject(value)) throw new SchemaDocumentError(`${at} must be an object`);
  const stranger = Object.keys(value).find((key) => !linkKeys.includes(key));
  if (stranger !== undefined) {
    throw new SchemaDocumentError(
      `${at} has an unknown key ${JSON.stringify(stranger)}; known are ${linkKeys.join(", ")}`,
    );
  }
  const urls = readTexts(value.urls, `${at}/urls`);
  for (const [tag, url] of Object.entries(urls)) assertUrl(url, `${at}/urls/${tag}`);
  const url = readText(value.url, `${at}/url`);
  assertUrl(url, `${at}/url`);
  const title = {
    text: readText(value.title, `${at}/title`),
    translations: readTexts(value.titles, `${at}/titles`),
  };
  return { url, urls, title };
}

/** Security rule (SR-TRAIT-7): a link of a schema leads to a web page. A `javascript:` URL would run as a script of the page. */
function assertUrl(text: string, pointer: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWeb =
    url?.protocol === "https:" || (url?.protocol === "http:" && isLoopbackHost(url.hostname) === true);
  if (!isWeb || url?.username !== "" || url.password !== "" || text.length > maxUrlLength) {
    throw new SchemaDocumentError(
      `${pointer} must be a URL that begins with https:// (or http:// on this machine), of at most ${maxUrlLength} characters`,
    );
  }
}

const maxUrlLength = 2048;

function readText(value: JsonValue | undefined, pointer: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw new SchemaDocumentError(`${pointer} must be a text`);
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
      return [tag, readText(text, `${pointer}/${tag}`)];
    }),
  );
}
