import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { durationToMs, formatSpan, parseSpan, spanToJson } from "./spans.ts";

describe("spans", () => {
  test.each([
    ["0", 0],
    ["0s", 0],
    ["500ms", 500],
    ["15m", 900_000],
    ["1h30m", 5_400_000],
    ["7d", 604_800_000],
    ["1.5h", 5_400_000],
    ["0.1s", 100],
    ["2d3h4m5s6ms", 183_845_006],
  ])("%s is %i milliseconds", (text, ms) => {
    expect(parseSpan(text)).toBe(ms);
  });

  test.each([
    "",
    "5",
    "s",
    "-1s",
    "1m1h",
    "1s1s",
    "1 h",
    "1H",
    "1e3s",
    "0.0001s",
    "1w",
    "1s ",
    "36526d",
    ".5s",
    "1hm",
  ])("%j is none", (text) => {
    expect(parseSpan(text)).toBeUndefined();
  });

  test("what is written is read as the same", () => {
    const ms = fc.integer({ min: 0, max: 3_000_000_000_000 });
    fc.assert(
      fc.property(ms, (value) => {
        expect(parseSpan(formatSpan(value))).toBe(value);
      }),
    );
  });

  test("a Duration's JSON keeps milliseconds", () => {
    expect(spanToJson(1500)).toBe("1.500s");
    expect(spanToJson(1005)).toBe("1.005s");
    expect(spanToJson(60_000)).toBe("60s");
    expect(durationToMs({ seconds: 2n, nanos: 5_000_000 })).toBe(2005);
  });
});
