import { knownMessages, knownWords } from "./known-texts.generated.ts";
import { closest } from "./suggest.ts";

/** The longest text, in characters. */
const maxLength = 2_000;

/** How a value may be written: `{time:date}`. */
const formats = ["date", "date-time"];

/**
 * What is wrong with an operator's texts, each with its key. A key is the number of a message, with conditions if need be
 * (`1070008[what=link]`), or the path of a word of the pages (`login.title`).
 *
 * Security rule (SR-PAGES-6): texts are checked at the start, so that none is left out, or shows a placeholder, before people. They are text to the
 * pages and never markup.
 */
export function checkTexts(texts: unknown): readonly string[] {
  if (typeof texts !== "object" || texts === null || Array.isArray(texts)) {
    return ['must be a map of texts, such as { "login.title": "Welcome" }'];
  }
  return Object.entries(texts).flatMap(([key, text]) => {
    const mistake = mistakeIn(key, text);
    return mistake === undefined ? [] : [`${key}: ${mistake}`];
  });
}

function mistakeIn(key: string, text: unknown): string | undefined {
  const values = valuesOf(key);
  if (typeof values === "string") return values;
  if (typeof text !== "string") return "must be text";
  if (text.trim() === "") return "must not be empty";
  if (text.length > maxLength) return `is longer than ${maxLength} characters`;
  if (/[^\P{Cc}\n]/u.test(text)) return "must have no control characters";
  return placeholderMistakeIn(text, values);
}

/** The names of the values that a text can have, or what is wrong with its key. */
function valuesOf(key: string): readonly string[] | string {
  const [, number, conditions = ""] = /^(\d+)((?:\[\w+=[^\]]*\])*)$/.exec(key) ?? [];
  if (number === undefined) return ownValue(knownWords, key) ?? unknown("word", key, Object.keys(knownWords));
  const values = ownValue(knownMessages, number);
  if (values === undefined) return unknown("message", number, Object.keys(knownMessages));
  const asked = [...conditions.matchAll(/\[(\w+)=/g)].map(([, name = ""]) => name);
  const strange = asked.find((name) => !values.includes(name));
  return strange === undefined ? values : `the message has no value ${strange}; ${namesIn(values)}`;
}

function unknown(what: "word" | "message", key: string, known: readonly string[]): string {
  const meant = closest(key, known);
  return `there is no such ${what}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}

function placeholderMistakeIn(text: string, values: readonly string[]): string | undefined {
  for (const [whole, inner = ""] of text.matchAll(/\{([^{}]*)\}?/g)) {
    const [, name, format] = /^(\w+)(?::([\w-]+))?$/.exec(inner) ?? [];
    if (name === undefined || !whole.endsWith("}")) return `${whole} is no placeholder`;
    if (!values.includes(name)) return `has no value {${name}}; ${namesIn(values)}`;
    if (format !== undefined && !formats.includes(format)) {
      return `{${inner}}: the format must be ${formats.join(" or ")}`;
    }
  }
  return undefined;
}

function namesIn(values: readonly string[]): string {
  return values.length === 0 ? "it has none" : `it has ${values.map((name) => `{${name}}`).join(", ")}`;
}

function ownValue<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
