import fc from "fast-check";
import { expect, test } from "vitest";
import { joinFieldPath, splitFieldPath } from "./field-path.ts";

test("parts are joined by dots, those within a part with a backslash before them", () => {
  expect(joinFieldPath(["name", "first"])).toBe("name.first");
  expect(joinFieldPath(["a.b", "c\\d", "0"])).toBe("a\\.b.c\\\\d.0");
});

test("splitting gives back what was joined", () => {
  const part = fc.string({ unit: fc.constantFrom("a", ".", "\\", "\n", "\u{1f600}"), maxLength: 5 });
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      expect(splitFieldPath(joinFieldPath(parts))).toEqual(parts);
    }),
  );
});

test("splitting takes any text", () => {
  expect(splitFieldPath("")).toEqual([""]);
  expect(splitFieldPath("a.")).toEqual(["a", ""]);
  expect(splitFieldPath("a\\")).toEqual(["a\\"]);
});
