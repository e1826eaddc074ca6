import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readTypedCode } from "./typed-code.ts";

const read = (text: string) => readTypedCode(text, [6, 20]);

// element-hq, authgear/authgear-server#1474, ory/elements#60: what mail programs add to a code that is copied.
describe("a pasted code", () => {
  test.each([
    ["blanks", " 123 456 "],
    ["a line break", "123\n456\r\n"],
    ["a hyphen", "123-456"],
    ["a dash", "123\u2013456"],
    ["a minus sign", "123\u2212456"],
    ["spaces around a dash", "123 - 456"],
    ["a no-break space", "123\u00a0456"],
    ["a narrow no-break space", "123\u202f456"],
    ["an ideographic space", "\u3000123456"],
    ["a zero-width space", "\u200b123456"],
    ["a byte order mark", "\ufeff123456"],
    ["a word joiner", "123\u2060456"],
    ["a soft hyphen", "123\u00ad456"],
    ["a zero-width joiner", "123\u200d456"],
    ["marks of direction", "\u202a\u200e123456\u200f\u202c"],
    ["isolates", "\u2066123456\u2069"],
    ["an Arabic letter mark", "\u061c123456"],
    ["a Mongolian vowel separator", "123\u180e456"],
    ["a Hangul filler", "\u3164123456"],
    ["variation selectors", "1\ufe0f2\ufe0f3\ufe0f456"],
    ["keycaps", "1\ufe0f\u20e32\ufe0f\u20e33\ufe0f\u20e3456"],
    ["tags", "\u{e0020}123456"],
    ["a null", "123456\0"],
    ["full-width digits", "１２３４５６"],
    ["Arabic-Indic digits", "١٢٣٤٥٦"],
    ["Persian digits", "۱۲۳۴۵۶"],
    ["Devanagari digits", "१२३४५६"],
    ["mathematical digits", "𝟏𝟐𝟑𝟺𝟻𝟼"],
    ["Adlam digits", "𞥑𞥒𞥓𞥔𞥕𞥖"],
    ["a sentence before it", "Your code: 123 456"],
    ["a sentence around it and a hyphen within", "The code is 123-456."],
    ["a digit before it, and a letter between", "2x123456"],
    ["line tabulations between it and a digit", "1\v\v123456"],
    ["a sentence around it", "123456 is your code, valid for 10 minutes."],
    ["itself again", "123456 (123-456)"],
  ])("is read with %s", (_what, text) => {
    expect(read(text)).toBe("123456");
  });

  test("may be a long one", () => {
    expect(read("12345 67890 12345 67890")).toBe("12345678901234567890");
  });

  test.each([
    ["too short", "12345"],
    ["too long", "1234567"],
    ["nothing visible", "\u200b \u00ad"],
    ["letters", "abcdef"],
    ["letters that look like digits", "I23456"],
    ["a letter within", "123a456"],
    ["a letter in the place of its last digit", "12345a"],
    ["two codes", "123456 or 654321"],
    ["digits beside it without anything between", "9123456"],
    ["superscripts that NFKC makes one digit too many", "123456²"],
    ["Roman numerals", "ⅠⅡⅢⅣⅤⅥ"],
  ])("is none: %s", (_what, text) => {
    expect(read(text)).toBeUndefined();
  });

  test("stays itself, whatever cannot be seen stands between its digits", () => {
    const invisible = fc.constantFrom(
      ..."\u00ad\u034f\u061c\u115f\u180b\u200b\u200e\u202e\u2060\u2066\ufeff\ufe0f\u{e0100} -",
    );
    const digit = fc.integer({ min: 0, max: 9 });
    const pairs = fc.array(fc.tuple(digit, fc.array(invisible)), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(pairs, (typed) => {
        const text = typed.map(([value, noise]) => `${value}${noise.join("")}`).join("");
        expect(read(text)).toBe(typed.map(([value]) => value).join(""));
      }),
    );
  });

  test("is worth its digits in every script that has some", () => {
    for (let point = 0; point <= 0x10ffff; point++) {
      if (point >= 0xd800 && point <= 0xdfff) continue;
      const digit = String.fromCodePoint(point);
      if (!/\p{Nd}/u.test(digit) || /\p{Nd}/u.test(String.fromCodePoint(point - 1))) continue;
      // The first of a row is a zero; there are whole rows of ten only.
      expect(read(digit.repeat(6))).toBe("000000");
      expect(read(String.fromCodePoint(point + 9).repeat(6))).toBe("999999");
    }
  });
});
