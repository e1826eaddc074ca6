import { fromJson, toBinary } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { countThatFits, encodedBytes, maxPageBytes } from "./page-bytes.ts";

describe("encodedBytes", () => {
  test("is never less than what Protobuf makes of it", () => {
    const objects = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue({ maxDepth: 5 }));
    fc.assert(
      fc.property(objects, (object) => {
        const json = JSON.parse(JSON.stringify(object));
        const encoded = toBinary(StructSchema, fromJson(StructSchema, json)).length;
        expect(encodedBytes(json)).toBeGreaterThanOrEqual(encoded);
      }),
    );
  });

  test.each([
    ["numbers, which are short as JSON", { list: new Array(1000).fill(0) }],
    ["objects that hold nothing", { list: new Array(1000).fill({}) }],
    ["long names", Object.fromEntries(["a", "b"].map((name) => [name.repeat(255), null]))],
    ["text of which each character is four bytes", { text: "𝄞".repeat(4096) }],
  ])("is never less, and little more, for %s", (_name, object) => {
    const encoded = toBinary(StructSchema, fromJson(StructSchema, object)).length;
    expect(encodedBytes(object)).toBeGreaterThanOrEqual(encoded);
    expect(encodedBytes(object)).toBeLessThan(encoded * 1.25);
  });
});

describe("countThatFits", () => {
  const bytesOf = (bytes: number) => bytes;

  test("stops before the item that would be too much", () => {
    const half = maxPageBytes / 2;
    expect(countThatFits([half, half, 1], bytesOf)).toBe(2);
    expect(countThatFits([half, half + 1, 1], bytesOf)).toBe(1);
    expect(countThatFits([1, 1, 1], bytesOf)).toBe(3);
    expect(countThatFits([], bytesOf)).toBe(0);
  });

  test("takes the first item however large it is", () => {
    expect(countThatFits([maxPageBytes + 1, 1], bytesOf)).toBe(1);
  });
});
