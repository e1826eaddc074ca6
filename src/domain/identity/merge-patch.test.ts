import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { JsonObject, JsonValue } from "../json.ts";
import { changeableNow, changeBetween, mergePatch } from "./merge-patch.ts";

const documents = fc.dictionary(
  fc.constantFrom("a", "b", "", "1"),
  fc.letrec<{ value: JsonValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom<JsonValue>("x", "", 0, true, [], [null], ["x", { a: null }]),
      fc.dictionary(fc.constantFrom("a", "b", "", "1"), tie("value")),
    ),
  })).value,
) as fc.Arbitrary<JsonObject>;

describe("a merge patch", () => {
  // The examples of RFC 7396, appendix A, whose patch is an object.
  test.each<[JsonValue, JsonObject, JsonObject]>([
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])("of %j with %j gives %j", (document, patch, expected) => {
    expect(mergePatch(document, patch)).toEqual(expected);
  });

  // Security rule (SR-FLOW-10): no name of a trait reaches a prototype.
  test("reaches no prototype", () => {
    const patch = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}');
    const merged = mergePatch({ a: 1 }, patch);
    expect(Object.getPrototypeOf(merged)).toBe(Object.prototype);
    expect(Reflect.get({}, "polluted")).toBeUndefined();
  });

  test("between two documents leads from one to the other, and back", () => {
    fc.assert(
      fc.property(documents, documents, (before, after) => {
        const { patch, undo } = changeBetween(before, after);
        expect(mergePatch(before, patch)).toEqual(after);
        expect(mergePatch(after, undo)).toEqual(before);
      }),
    );
  });
});

describe("a change that waits", () => {
  test("is made whole where nothing else has changed, and not at all where everything has", () => {
    fc.assert(
      fc.property(documents, documents, documents, (before, after, other) => {
        const change = changeBetween(before, after);
        expect(mergePatch(before, changeableNow(change, before))).toEqual(after);
        // Whatever it still does, it touches nothing that is no longer as it was.
        const now = changeableNow(change, other);
        for (const name of Object.keys(now)) {
          const isNested = typeof other[name] === "object" && !Array.isArray(other[name]);
          if (!isNested) expect(other[name] ?? null).toEqual(before[name] ?? null);
        }
      }),
    );
  });

  test.each<[string, JsonObject, JsonObject]>([
    ["a value that somebody else has changed", { note: "theirs" }, { note: "theirs", city: "new" }],
    ["one that somebody else has removed", {}, { city: "new" }],
    ["what nobody has changed", { note: "old", more: 1 }, { note: "new", more: 1, city: "new" }],
  ])("to %s", (_, now, expected) => {
    const change = changeBetween({ note: "old" }, { note: "new", city: "new" });
    expect(mergePatch(now, changeableNow(change, now))).toEqual(expected);
  });

  test("goes into objects, but makes none again that somebody else has removed", () => {
    const change = changeBetween({ name: { first: "Ada" } }, { name: { first: "Ada", last: "Byron" } });
    expect(changeableNow(change, { name: { first: "Augusta" } })).toEqual({ name: { last: "Byron" } });
    expect(changeableNow(change, {})).toEqual({});
    expect(changeableNow(change, { name: "Ada" })).toEqual({});
  });
});
