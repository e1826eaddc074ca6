// SPDX-License-Identifier: Apache-2.0

/** A number as a field shows it: with the decimal sign of the language, without separators for thousands. */
export function numberText(text: string, language: string | undefined): string {
  return isNumber(text) ? text.replace(".", decimalSignOf(language)) : text.replace(unread, "");
}

/**
 * A number as somebody typed it, as the server reads it: with a point and without separators. `1.234,5` and `1 234.5` can mean
 * one number only, so they are read in each language. `1,72` is read as it is meant where the comma is the decimal sign, and elsewhere
 * as well, since no group of thousands has two digits. A text that may mean two numbers is not read: `1.234` on a German page. It
 * comes back so that the server refuses it, with a sentence of its own.
 */
export function readNumber(text: string, language: string | undefined): string {
  const plain = asciiOf(text.replace(unread, ""), language).trim();
  const [, sign = "", body = ""] = /^([+-]?)(.*)$/s.exec(plain) ?? [];
  if (/^\d+(\.\d*)?e[+-]?\d+$/i.test(body)) return plain;
  const read = readDigits(body, decimalSignOf(language));
  if (read !== undefined) return (sign === "+" ? "" : sign) + read;
  return isNumber(text) ? text + mark : text;
}

/**
 * Stands behind a number that was not read, where the server would read it: a word joiner, which nobody sees. Such a text is never
 * saved.
 */
const mark = "\u2060";
const unread = /\u2060/g;

/** The digits of a number without its sign; undefined if they do not mean exactly one number. */
function readDigits(text: string, decimalSign: string): string | undefined {
  const groups = text.split(separator);
  const separators: readonly string[] = text.match(separatorsIn) ?? [];
  const [first = "", ...others] = groups;
  if (!others.every((group) => /^\d+$/.test(group)) || !/^\d*$/.test(first)) return undefined;
  const kinds = new Set(separators);
  const last = separators.at(-1);
  if (last === undefined) return first === "" ? undefined : first;
  const fraction = groups.at(-1) ?? "";
  const whole = groups.slice(0, -1);
  if (kinds.size === 1 && separators.length > 1) return areThousands(groups) ? groups.join("") : undefined;
  if (kinds.size === 1) {
    const isDecimal = last === decimalSign || last === arabicDecimalSign;
    if (isDecimal || (isPointOrComma(last) && !areThousands(groups))) return `${first || "0"}.${fraction}`;
    return !isPointOrComma(last) && areThousands(groups) ? groups.join("") : undefined;
  }
  // Of two signs the one that comes once, and last, is of the fraction.
  const isLast = separators.indexOf(last) === separators.length - 1;
  const isOfFraction = isPointOrComma(last) || last === arabicDecimalSign;
  return kinds.size === 2 && isLast && isOfFraction && areThousands(whole)
    ? `${whole.join("")}.${fraction}`
    : undefined;
}

const separator = /[.,\u066b\u066c'\u2019\s]/u;
const separatorsIn = new RegExp(separator, "gu");
const arabicDecimalSign = "\u066b";

function isPointOrComma(sign: string): boolean {
  return sign === "." || sign === ",";
}

/** Whether these can be the groups of a number with separators for thousands. */
function areThousands([first = "", ...others]: readonly string[]): boolean {
  return /^[1-9]\d{0,2}$/.test(first) && others.every((group) => group.length === 3);
}

function isNumber(text: string): boolean {
  return /^[+-]?\d+(\.\d+)?$/.test(text);
}

/** A text with the digits and signs of ASCII: people also write with the digits of their language, or in full width. */
function asciiOf(text: string, language: string | undefined): string {
  const digits = digitsOf(language);
  return text
    .normalize("NFKC")
    .replace(/[\u2212\u2010-\u2015]/g, "-")
    .replace(/\p{Nd}/gu, (digit) => (digits.has(digit) ? String(digits.get(digit)) : digit));
}

function digitsOf(language: string | undefined): ReadonlyMap<string, number> {
  const format = formatOf(language, {});
  return new Map(Array.from({ length: 10 }, (_, digit) => [format?.format(digit) ?? "", digit] as const));
}

function decimalSignOf(language: string | undefined): string {
  const parts = formatOf(language, { numberingSystem: "latn" })?.formatToParts(1.5) ?? [];
  return parts.find(({ type }) => type === "decimal")?.value ?? ".";
}

/** Undefined for a language that is none. */
function formatOf(language = "en", options: Intl.NumberFormatOptions): Intl.NumberFormat | undefined {
  try {
    return new Intl.NumberFormat(language, options);
  } catch {
    return undefined;
  }
}
