// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from "vitest";
import { fillIn, type MessageContext, translator } from "./texts.ts";

const message = (context: MessageContext) => ({
  id: 1,
  text: "in the server's words",
  context,
});

describe("a translation", () => {
  test.each([
    [{ what: "link" }, "Resend link"],
    [{ what: "code" }, "Resend code"],
    [{ what: "code", count: 1 }, "Resend code"],
    [{}, "Resend code"],
  ])("of %j follows the conditions of its key", (context, said) => {
    const say = translator({ 1: "Resend code", "1[what=link]": "Resend link" });
    expect(say(message(context))).toBe(said);
  });

  test("with more conditions that hold comes first", () => {
    const say = translator({ "1[days=0]": "hours", "1[days=0][hours=one]": "one hour", 1: "days" });
    expect([0, 1].map((days) => say(message({ days, hours: 1 })))).toEqual(["one hour", "days"]);
    expect(say(message({ days: 0, hours: 2 }))).toBe("hours");
  });

  test("is said of what is empty, null or missing", () => {
    const say = translator({ 1: "Sent to {to}.", "1[to=]": "Sent." });
    const contexts: MessageContext[] = [{ to: "" }, { to: null }, {}, { to: "Ada" }];
    expect(contexts.map((context) => say(message(context)))).toEqual([
      "Sent.",
      "Sent.",
      "Sent.",
      "Sent to Ada.",
    ]);
  });

  test.each([
    [1, "plik"],
    [2, "pliki"],
    [5, "plików"],
  ])("of %i has the plural form of its language", (count, said) => {
    const say = translator(
      { 1: "pliku", "1[count=one]": "plik", "1[count=few]": "pliki", "1[count=many]": "plików" },
      "pl",
    );
    expect(say(message({ count }))).toBe(said);
  });

  test.each([
    ["en-GB", "1,234.5 since 28 February 2026"],
    ["en-US", "1,234.5 since February 28, 2026"],
    ["de-CH", "1'234.5 since 28. Februar 2026"],
    ["de", "1.234,5 since 28. Februar 2026"],
    ["no language at all", "1,234.5 since February 28, 2026"],
  ])("writes numbers and times as in %s", (language, said) => {
    const say = translator({ 1: "{count} since {time:date}" }, language);
    expect(say(message({ count: 1234.5, time: "2026-02-28T12:00:00Z" }))).toBe(said);
  });

  test("is left to the server if a value is missing or is no time", () => {
    const say = translator({ 1: "{count} since {time:date}" });
    const contexts: MessageContext[] = [
      { count: 1 },
      { count: 1, time: "yesterday" },
      { count: null, time: "2026" },
    ];
    for (const context of contexts) {
      expect(say(message(context))).toBe("in the server's words");
    }
    expect(fillIn("{time:week}", { time: "2026-02-28" })).toBeUndefined();
    expect(fillIn("{constructor}", {})).toBeUndefined();
  });

  test("takes no key that it does not understand for a number", () => {
    const say = translator({ "1x": "wrong", "1[a]": "wrong", "01[b=c": "wrong", "form.or": "wrong" });
    expect(say(message({ a: "", b: "c" }))).toBe("in the server's words");
  });
});
