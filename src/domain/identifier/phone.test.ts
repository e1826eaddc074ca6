import { describe, expect, test } from "vitest";
import { isPhoneCountry, nationalToE164, withCountryCode } from "./phone.ts";

describe("a telephone number as people of a country dial it", () => {
  test.each([
    ["DE", "0171 2345678", "+491712345678"],
    ["DE", "0171/234 56-78", "+491712345678"],
    ["DE", "(030) 901820", "+4930901820"],
    ["DE", "０１７１ ２３４５６７８", "+491712345678"],
    ["DE", "\u202a0171 2345678\u202c", "+491712345678"],
    ["DE", "0041 44 668 18 00", "+41446681800"],
    ["CH", "044 668 18 00", "+41446681800"],
    ["US", "(650) 253-0000", "+16502530000"],
    ["US", "011 41 44 668 18 00", "+41446681800"],
    ["ES", "612 345 678", "+34612345678"],
    ["IT", "06 698 1", "+39066981"],
  ])("of %s is read: %s", (country, text, number) => {
    expect(nationalToE164(text, country)).toBe(number);
    expect(withCountryCode(text, country)).toBe(number);
  });

  test.each([
    ["", "0171 2345678"],
    ["DE", ""],
    ["DE", "0171"],
    ["DE", "110"],
    ["DE", "0171 2345678 ext. 5"],
    ["DE", "0171 CALLME"],
    ["DE", "ada@example.com"],
    ["DE", "tel:0171"],
    // It means the same everywhere, and is read as before.
    ["DE", "+49 171 2345678"],
    ["DE", `0171${" ".repeat(10_000)}2345678`],
    ["DE", "0".repeat(100)],
  ])("of %j is none: %s", (country, text) => {
    expect(nationalToE164(text, country)).toBeUndefined();
    expect(withCountryCode(text, country)).toBe(text);
  });

  test("is known of countries alone", () => {
    expect(["DE", "CH", "XK"].every(isPhoneCountry)).toBe(true);
    expect(["XX", "de", "", "Germany"].some(isPhoneCountry)).toBe(false);
  });
});
