import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { formatDuration, parseDuration } from "./durations.ts";

describe("durations", () => {
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
    expect(parseDuration(text)).toBe(ms);
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
    expect(parseDuration(text)).toBeUndefined();
  });

  test("what is written is read as the same", () => {
    const ms = fc.integer({ min: 0, max: 3_000_000_000_000 });
    fc.assert(
      fc.property(ms, (value) => {
        expect(parseDuration(formatDuration(value))).toBe(value);
      }),
    );
  });
});
