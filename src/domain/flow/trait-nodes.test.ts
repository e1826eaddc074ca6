import { describe, expect, test } from "vitest";
import { compileSchema } from "../identity/compiled-schema.ts";
import type { JsonObject } from "../json.ts";
import { traitNodes } from "./trait-nodes.ts";

const list = (more: JsonObject = {}): JsonObject => ({ type: "array", items: { type: "string" }, ...more });

function drawn(property: JsonObject, traits: JsonObject, saved?: JsonObject) {
  const document = { properties: { x: property }, required: ["x"] };
  const { fields } = compileSchema({ id: "test", version: 1, createdAt: new Date(0), document });
  return traitNodes(fields, traits, saved).map(({ name, element }) => ({ name, ...element }));
}

describe("a list", () => {
  test.each<[string, JsonObject, JsonObject, number]>([
    ["all items and one more", list(), { x: ["a", "b"] }, 3],
    ["one where there is none", list(), {}, 1],
    ["as many as there must be", list({ minItems: 3 }), { x: ["a"] }, 3],
    ["no more than there may be", list({ maxItems: 2 }), { x: ["a", "b"] }, 2],
    ["all items, also if there are too many", list({ maxItems: 1 }), { x: ["a", "b"] }, 2],
    ["items of another type, as they are", list(), { x: ["a", 5, true] }, 4],
    ["nothing if an item is an object", list(), { x: ["a", {}] }, 0],
    ["nothing if an item is a list", list(), { x: [["a"]] }, 0],
    ["nothing if an item is null", list(), { x: ["a", null] }, 0],
    ["nothing if it is none", list(), { x: "a" }, 0],
    ["199 items and one more", list(), { x: Array.from({ length: 199 }, String) }, 200],
    ["nothing of more than fit", list(), { x: Array.from({ length: 200 }, String) }, 0],
  ])("is drawn with %s", (_, property, traits, count) => {
    const nodes = drawn(property, traits);
    expect(nodes.map(({ name }) => name)).toEqual(
      Array.from({ length: count }, (__, at) => `traits.x.${at}`),
    );
    expect(nodes.every((node) => node.kind === "input" && node.listItem === true)).toBe(true);
  });

  test("asks for its least number of items", () => {
    const nodes = drawn(list({ minItems: 2 }), { x: ["a", "b"] });
    expect(nodes.map((node) => node.kind === "input" && node.required)).toEqual([true, true, false]);
  });
});

describe("a value that is not saved", () => {
  test.each<[string, JsonObject, JsonObject, JsonObject, boolean]>([
    ["that was changed", { type: "string" }, { x: "new" }, { x: "old" }, true],
    ["that was emptied", { type: "string" }, {}, { x: "old" }, true],
    ["that is as it was", { type: "string" }, { x: "old" }, { x: "old" }, false],
    ["of a list that lost its items", list(), { x: [] }, { x: ["a"] }, true],
    ["of a list that is as it was", list(), { x: ["a"] }, { x: ["a"] }, false],
  ])("is told from one that is: %s", (_, property, traits, saved, unsaved) => {
    for (const node of drawn(property, traits, saved)) expect(node).toMatchObject({ unsaved });
  });
});

test("a value that is no choice any more is still one of its field", () => {
  const choice = { enum: ["red", "blue"] };
  const options = (traits: JsonObject) =>
    drawn(choice, traits).map((node) => node.kind === "input" && node.options?.map(({ value }) => value));
  expect(options({ x: "green" })).toEqual([["red", "blue", "green"]]);
  expect(options({ x: "red" })).toEqual([["red", "blue"]]);
  expect(options({})).toEqual([["red", "blue"]]);
});
