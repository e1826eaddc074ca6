import { describe, expect, test } from "vitest";
import { numberText, readNumber } from "./numbers.ts";

describe("a number as somebody typed it", () => {
  test.each([
    ["de", "1,72", "1.72"],
    ["en", "1.72", "1.72"],
    // No group of thousands has two digits, so it can mean one number only.
    ["de", "1.72", "1.72"],
    ["en", "1,72", "1.72"],
    ["de", "1,234", "1.234"],
    ["en", "1.234", "1.234"],
    ["de", "0.234", "0.234"],
    ["de", "1234.567", "1234.567"],
    ["de", "1.234,5", "1234.5"],
    ["en", "1.234,5", "1234.5"],
    ["de", "1,234.56", "1234.56"],
    ["de", "1.234,567", "1234.567"],
    ["en", "1,234,567", "1234567"],
    ["de", "1,234,567", "1234567"],
    ["fr", "1\u202f234,5", "1234.5"],
    ["de-CH", "1’234.5", "1234.5"],
    ["en", "1 234", "1234"],
    ["de", "-1,5", "-1.5"],
    ["de", "\u22121,5", "-1.5"],
    ["de", "+1,5", "1.5"],
    ["de", ",5", "0.5"],
    ["en", " 42 ", "42"],
    ["ar-EG", "١٢٫٥", "12.5"],
    ["ar-EG", "١٬٢٣٤٫٥", "1234.5"],
    ["en", "１２．５", "12.5"],
    ["en", "1.5e3", "1.5e3"],
    ["", "1.5", "1.5"],
    [undefined, "1.5", "1.5"],
  ])("in %s is read where it means one: %j is %j", (language, typed, read) => {
    expect(readNumber(typed, language)).toBe(read);
  });

  test.each([
    ["de", "1.234"],
    ["de", "12.345"],
    ["en", "1,234"],
    ["en", "1,00,000"],
    ["en", "1.2.3"],
    ["en", "12 34"],
    ["en", "1,234.567.8"],
    ["en", "1,2,3.4"],
    ["en", "ten"],
    ["en", "1x"],
    ["en", "."],
    ["en", "1e"],
  ])("in %s is not read where it may mean another one: %j", (language, typed) => {
    const given = readNumber(typed, language);
    // What the server would read must not be what was typed.
    expect(given).not.toMatch(/^\s*[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?\s*$/i);
    // It is shown as it was typed, and read again as before.
    expect(numberText(given, language)).toBe(typed);
    expect(readNumber(given, language)).toBe(given);
  });

  test.each(["", "  "])("is none if it is empty", (typed) => {
    expect(readNumber(typed, "de").trim()).toBe("");
  });

  test.each(["de", "en", "fr", "de-CH", "ar-EG", "hi", "sv", "pt-BR", "nothing!"])(
    "comes back as it is shown, in %s",
    (language) => {
      for (const number of [0, 1.72, 1.234, -1.234, 1234.567, 0.001, 1234567, 12.345, 1e21]) {
        expect(Number(readNumber(numberText(String(number), language), language))).toBe(number);
      }
    },
  );

  test("takes no longer for a long text than for a short one, as far as it goes", () => {
    const started = performance.now();
    readNumber(`${"1,".repeat(50_000)}x`, "en");
    readNumber("1".repeat(100_000), "en");
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
