import { closest } from "../suggest.ts";
import { englishTexts, textValues } from "./known-texts.generated.ts";

/** What a value of a sentence is. Only of a `time` there are other formats, and only a `number` has plural forms. */
export type ValueKind = "text" | "number" | "time" | "list";

/** What is wrong with a text of a file. */
export interface TextProblem {
  readonly key: string;
  readonly message: string;
}

/** What a file of texts is worth. */
export interface TextsReport {
  readonly problems: readonly TextProblem[];
  /** The keys of the English sentences that the file has none for. */
  readonly missing: readonly string[];
}

const pluralForms = ["zero", "one", "two", "few", "many", "other"];
const timeFormats = ["date", "date-time"];
/** The longest sentence, in characters. */
const maxLength = 2_000;

/**
 * Checks the texts of a file (docs/texts.md): that each key is one that is known, and that its sentence and its conditions name values that
 * the server has for it.
 *
 * Security rule (SR-PAGES-6): texts are checked before people see them, so that none is left out, or shows a placeholder. They are text to the
 * pages and never markup.
 */
export function checkTexts(texts: Readonly<Record<string, unknown>>): TextsReport {
  const problems = Object.entries(texts).flatMap(([key, text]) =>
    problemsOf(key, text).map((message) => ({ key, message })),
  );
  const missing = Object.keys(englishTexts).filter((key) => !Object.hasOwn(texts, key) && isNeeded(key));
  return { problems, missing };
}

/** The English sentence of a key, as an example for translators. */
export function englishOf(key: string): string {
  return englishTexts[key] ?? "";
}

function problemsOf(key: string, text: unknown): readonly string[] {
  const [, base = "", rest = ""] = /^([\w.]+)((?:\[\w+=[^\]]*\])*)$/.exec(key) ?? [];
  const values = Object.hasOwn(textValues, base) ? textValues[base] : undefined;
  if (values === undefined) return [unknown(base || key)];
  if (typeof text !== "string") return ["must be a text"];
  if (text.trim() === "") return ["must not be empty"];
  if (text.length > maxLength) return [`is longer than ${maxLength} characters`];
  if (/[^\P{Cc}\n]/u.test(text)) return ["must have no control characters"];
  if (rest !== "" && !/^\d/.test(base)) return ["only messages can have conditions"];
  return [...conditionProblems(rest, values), ...placeholderProblems(text, values)];
}

function unknown(base: string): string {
  const [what, isOne] = /^\d/.test(base) ? ["message", /^\d/] : ["text", /^\D/];
  const meant = closest(
    base,
    Object.keys(textValues).filter((key) => isOne.test(key)),
  );
  return `there is no such ${what}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
}

function conditionProblems(rest: string, values: Readonly<Record<string, ValueKind>>): readonly string[] {
  return conditionsIn(rest).flatMap(({ name, wanted }) => {
    const kind = Object.hasOwn(values, name) ? values[name] : undefined;
    if (kind === undefined) return [noValue(name, values)];
    const isNumber = pluralForms.includes(wanted) || /^-?\d+(\.\d+)?$/.test(wanted);
    if (kind === "number" && !isNumber) {
      return [`${name} is a number: compare it with one, or with ${pluralForms.join(", ")}`];
    }
    return [];
  });
}

function placeholderProblems(text: string, values: Readonly<Record<string, ValueKind>>): readonly string[] {
  const placeholder = /\{(\w+)(?::([\w-]+))?\}/g;
  const left = text.replace(placeholder, "");
  const broken = /[{}]/.test(left) ? ["has a brace that belongs to no {value}"] : [];
  const wrong = [...text.matchAll(placeholder)].flatMap(([written, name = "", format]) => {
    const kind = Object.hasOwn(values, name) ? values[name] : undefined;
    if (kind === undefined) return [noValue(name, values)];
    if (kind === "list") return [`{${name}} is a list, which no sentence can hold`];
    if (format === undefined) return [];
    if (!timeFormats.includes(format)) {
      return [`${written}: there is no format ${format}; there is ${timeFormats.join(", ")}`];
    }
    return kind === "time" ? [] : [`${written}: ${name} is not a time`];
  });
  return [...broken, ...wrong];
}

function noValue(name: string, values: Readonly<Record<string, ValueKind>>): string {
  const known = Object.keys(values);
  const others = known.length === 0 ? "it has none" : `it has ${known.join(", ")}`;
  return `there is no value ${name}; ${others}`;
}

/** Whether every language needs a sentence of its own for the key: not for plural forms, which it may not have. */
function isNeeded(key: string): boolean {
  const base = /^\w+/.exec(key)?.[0] ?? "";
  return !conditionsIn(key).some(
    ({ name, wanted }) => textValues[base]?.[name] === "number" && pluralForms.includes(wanted),
  );
}

function conditionsIn(text: string): readonly { readonly name: string; readonly wanted: string }[] {
  return [...text.matchAll(/\[(\w+)=([^\]]*)\]/g)].map(([, name = "", wanted = ""]) => ({ name, wanted }));
}
