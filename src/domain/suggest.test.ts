import { describe, expect, test } from "vitest";
import { closest } from "./suggest.ts";

describe("suggestions", () => {
  test.each([
    ["prot", "port"],
    ["hots", "host"],
    ["certificate_fil", "certificate_file"],
    ["max_paralel", "max_parallel"],
    ["PORT", "port"],
  ])("%s means %s", (word, expected) => {
    expect(closest(word, ["port", "host", "tls", "certificate_file", "max_parallel"])).toBe(expected);
  });

  test.each(["", "x", "database", "y".repeat(100_000)])("%.10s means nothing known", (word) => {
    expect(closest(word, ["port", "host"])).toBeUndefined();
  });
});
