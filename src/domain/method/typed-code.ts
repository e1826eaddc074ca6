/**
 * Digits of a code that is sent where many wrong ones were tried for the account. They hold 66 bits, and NIST SP 800-63B-4,
 * section 3.1.3.2, wants no limit of guesses from 64 bits on: its owner gets in however often others have guessed.
 */
export const longCodeLength = 20;

/** Renderers show nothing of these: zero-width characters, soft hyphens, marks of direction, variation selectors. */
const hidden = /\p{Default_Ignorable_Code_Point}|\p{Cc}|\u20e3/gu;
/** What mail programs and people put between digits. */
const separators = /[\s\p{Pd}\u2212]/gu;
const anyDigit = /\p{Nd}/gu;
/** Digits with at most one separator between each two. */
const groups = /\d(?:[\s\p{Pd}\u2212]?\d)*/gu;

/**
 * Reads a code of digits as somebody typed or pasted it; undefined if it can be no code of one of these lengths. Hidden
 * characters, white space and hyphens are left out, digits of other scripts are taken, and of a sentence ("Your code:
 * 123 456") the one group of digits that has a right length.
 *
 * It depends on nothing but the text and the configured lengths, so refusing what is no code costs no try and tells nothing.
 */
export function readTypedCode(text: string, lengths: readonly number[]): string | undefined {
  // Control characters that are white space separate: a line break between two groups of digits.
  const visible = text
    .replace(/[\t\n\v\f\r\u0085]/g, " ")
    .replace(hidden, "")
    .normalize("NFKC");
  const plain = visible.replace(anyDigit, toAsciiDigit);
  const isCode = (digits: string) => /^\d+$/.test(digits) && lengths.includes(digits.length);
  const whole = plain.replace(separators, "");
  if (isCode(whole)) return whole;
  const found = new Set(
    [...plain.matchAll(groups)].map(([group]) => group.replace(separators, "")).filter(isCode),
  );
  const [only] = found;
  return found.size === 1 ? only : undefined;
}

/** Unicode gives the digits of each script ten code points in a row, so a digit is worth as many as stand before it. */
function toAsciiDigit(digit: string): string {
  let value = 0;
  const point = digit.codePointAt(0) ?? 0;
  while (value < 9 && /\p{Nd}/u.test(String.fromCodePoint(point - value - 1))) value++;
  return String(value);
}
