import { describe, expect, test } from "vitest";
import { checkTexts } from "./check-texts.ts";

describe("a file of texts", () => {
  test.each([
    ["1010022", "Log in"],
    ["1070008[what=link]", "Send the link again"],
    ["9000308[remaining=one]", "{remaining} code left of {total}."],
    ["9000308[remaining=0]", "None left."],
    ["9000316", "Since {time:date}."],
    ["1010014[sent_to=]", "Sent."],
    ["form.optional", "not needed"],
    ["login.title", "Hello"],
  ])("may have %s", (key, text) => {
    expect(checkTexts({ [key]: text }).problems).toEqual([]);
  });

  test.each([
    ["9999999", "Hello", "there is no such message"],
    ["login.titel", "Hello", "there is no such text; did you mean login.title?"],
    ["constructor", "Hello", "there is no such text"],
    ["__proto__x", "Hello", "there is no such text"],
    ["1070008[what]", "Hello", "there is no such message"],
    ["1010022", 5, "must be a text"],
    ["1010022", " ", "must not be empty"],
    ["1010022", "x".repeat(2_001), "is longer than 2000 characters"],
    ["1010022", "a\u0007b", "must have no control characters"],
    ["1010022", "Hello {name}", "there is no value name; it has none"],
    ["1010014", "To {address}", "there is no value address; it has sent_to"],
    ["1010014", "To {toString}", "there is no value toString; it has sent_to"],
    ["1010014", "To {sent_to:date}", "{sent_to:date}: sent_to is not a time"],
    ["9000316", "At {time:hour}", "{time:hour}: there is no format hour; there is date, date-time"],
    ["1010014", "To {sent_to", "has a brace that belongs to no {value}"],
    ["1050015", "{codes}", "{codes} is a list, which no sentence can hold"],
    ["1010014[address=]", "Sent.", "there is no value address; it has sent_to"],
    [
      "9000308[remaining=lots]",
      "Plenty.",
      "remaining is a number: compare it with one, or with zero, one, two, few, many, other",
    ],
    ["form.optional[a=b]", "Hello", "only messages can have conditions"],
  ])("may not have %s as %j", (key, text, message) => {
    expect(checkTexts({ [key]: text }).problems).toEqual([{ key, message }]);
  });

  test("lacks what it has no sentence for, but for plural forms", () => {
    const { missing } = checkTexts({ "1010022": "Log in" });
    expect(missing).not.toContain("1010022");
    expect(missing).toEqual(
      expect.arrayContaining(["1010014", "1010014[sent_to=]", "form.optional", "login.title"]),
    );
    expect(missing.filter((key) => /=(one|few|many)\]/.test(key))).toEqual([]);
  });
});
