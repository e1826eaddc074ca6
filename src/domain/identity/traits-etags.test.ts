import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createKeyedDigests } from "../../crypto/keyed-digests.ts";
import { type JsonObject, type JsonValue, valueAt } from "../json.ts";
import { Secret } from "../secret.ts";
import { isSameJson, mergePatch } from "./merge-patch.ts";
import { TraitsEtags } from "./traits-etags.ts";

const secret = new Secret("x".repeat(32));
const etags = new TraitsEtags({ digests: createKeyedDigests(() => [secret]) });
const id = "somebody";
const conflicts = (then: JsonObject, now: JsonObject, patch: JsonObject) =>
  etags.changedSince(etags.make({ id, traits: then }), { id, traits: now }, patch);

const names = fc.constantFrom("a", "b");
const documents = (leaf: fc.Arbitrary<JsonValue>): fc.Arbitrary<JsonObject> => {
  const within = fc.dictionary(names, leaf, { maxKeys: 2 });
  const value = fc.oneof(leaf, within, fc.dictionary(names, fc.oneof(leaf, within), { maxKeys: 2 }));
  return fc.dictionary(names, value, { maxKeys: 2 }) as fc.Arbitrary<JsonObject>;
};
const leaves = fc.constantFrom<JsonValue>("x", 0, [], ["x"]);
const traits = documents(leaves);
const patches = documents(fc.oneof(leaves, fc.constant(null)));

/** The paths of all values that are not objects. */
function leavesIn(
  value: JsonValue | undefined,
  path: readonly string[] = [],
): readonly (readonly string[])[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [path];
  return Object.entries(value).flatMap(([name, inner]) => leavesIn(inner, [...path, name]));
}

describe("an etag of traits", () => {
  test("lets a patch through where nothing changed since", () => {
    fc.assert(
      fc.property(traits, patches, (then, patch) => {
        expect(conflicts(then, structuredClone(then), patch)).toEqual([]);
      }),
    );
  });

  test("lets no patch through that would undo what was changed elsewhere", () => {
    fc.assert(
      fc.property(traits, traits, patches, (then, now, patch) => {
        fc.pre(conflicts(then, now, patch).length === 0);
        const merged = mergePatch(now, patch);
        for (const path of [...leavesIn(now), ...leavesIn(then)]) {
          const [was, is] = [valueAt(then, path) ?? null, valueAt(now, path) ?? null];
          // An object is compared by its members.
          if (isSameJson(was, is) || (is !== null && typeof is === "object" && !Array.isArray(is))) continue;
          if (valueAt(patch, path) !== undefined && isSameJson(valueAt(patch, path) ?? null, is)) continue;
          // If the object is gone, a value that the patch sets within it is new.
          if (is === null && typeof valueAt(merged, path) === "object") continue;
          expect([path, valueAt(merged, path) ?? null]).toEqual([path, is]);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    [
      "many values",
      Object.fromEntries([
        ["many", numbered(300)],
        ["name", "A"],
      ]) as JsonObject,
    ],
    ["many at the top", { ...numbered(300), name: "A" }],
  ])("of %s is bounded, and still knows that something changed", (_what, then) => {
    expect(etags.make({ id, traits: then }).length).toBeLessThan(4096);
    expect(conflicts(then, then, { name: "B" })).toEqual([]);
    expect(conflicts(then, { ...then, name: "C" }, { name: "B" })).toEqual([["name"]]);
  });

  test("of somebody else, or none at all, names nothing", () => {
    const now = { name: "A" };
    for (const etag of ["", "?", "AAAA", etags.make({ id: "another", traits: now })]) {
      expect(etags.changedSince(etag, { id, traits: now }, { name: "B" })).toEqual([["name"]]);
    }
  });
});

function numbered(count: number): JsonObject {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`value${index}`, index]));
}
