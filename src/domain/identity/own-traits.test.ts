import { expect, test } from "vitest";
import type { JsonObject } from "../json.ts";
import { compileSchema } from "./compiled-schema.ts";
import { checkChange } from "./own-traits.ts";

function parts(): JsonObject {
  return { items: { properties: { name: { type: "string" }, price: { readOnly: true } } } };
}

const schema = compileSchema({
  id: "test",
  version: 1,
  createdAt: new Date(0),
  document: {
    properties: {
      email: { type: "string" },
      account: { type: "object", properties: { number: { readOnly: true }, name: { type: "string" } } },
      fixed: { type: "object", readOnly: true },
      orders: {
        items: { properties: { note: { type: "string" }, status: { readOnly: true }, parts: parts() } },
      },
      pair: { prefixItems: [{ type: "string" }, { readOnly: true }] },
    },
  },
});

function broken(patch: JsonObject, traits: JsonObject = {}): readonly string[] {
  const checked = checkChange(schema, traits, patch);
  return checked.valid ? [] : checked.violations.map(({ path, rule }) => `${path.join(".")} ${rule}`);
}

// Security rule (SR-TRAIT-3): a patch is measured before it is merged, so that none exhausts the stack.
test("a patch that is too deep is refused before it is merged", () => {
  let deep: JsonObject = {};
  for (let level = 0; level < 100_000; level++) deep = { a: deep };
  expect(broken(deep)).toEqual([expect.stringMatching(/ max_depth$/)]);
});

test("the traits are shown as they are where a patch cannot be read", () => {
  const checked = checkChange(schema, { email: "a" }, JSON.parse('{"__proto__":{}}'));
  expect(checked).toMatchObject({ valid: false, merged: { email: "a" } });
});

// Security rule (SR-TRAIT-1): only an operator sets a read-only trait.
test("what is read-only is neither set, changed nor removed, nor is an object around it", () => {
  const traits = { account: { number: 7, name: "x" }, fixed: { a: 1 } };
  expect(broken({ account: { number: 8 } }, traits)).toEqual(["account.number readOnly"]);
  expect(broken({ account: { number: null } }, traits)).toEqual(["account.number readOnly"]);
  expect(broken({ account: null }, traits)).toEqual(["account.number readOnly"]);
  expect(broken({ account: "x", fixed: null }, traits)).toEqual([
    "account.number readOnly",
    "fixed readOnly",
  ]);
  expect(broken({ account: { number: 7 } })).toEqual(["account.number readOnly"]);
  expect(broken({ account: { number: 7, name: "y" }, fixed: { a: 1 } }, traits)).toEqual([]);
});

const ordered: JsonObject = { orders: [{ status: "open" }, { note: "n" }], pair: ["a", 2] };

// Security rule (SR-TRAIT-1): only an operator sets a read-only trait.
test.each<[string, JsonObject, readonly string[]]>([
  ["changed", { orders: [{ status: "paid" }, { note: "n" }] }, ["orders.0.status readOnly"]],
  ["left out", { orders: [{ note: "x" }, { note: "n" }] }, ["orders.0.status readOnly"]],
  [
    "given to an item that has none",
    { orders: [{ status: "open" }, { status: "x" }] },
    ["orders.1.status readOnly"],
  ],
  ["added", { orders: [{ status: "open" }, {}, { status: "x" }] }, ["orders.2.status readOnly"]],
  [
    "moved",
    { orders: [{ note: "n" }, { status: "open" }] },
    ["orders.0.status readOnly", "orders.1.status readOnly"],
  ],
  ["removed with its item", { orders: [{ note: "n" }] }, ["orders.0.status readOnly"]],
  ["removed with its list", { orders: null }, ["orders.0.status readOnly"]],
  ["replaced with its list", { orders: "x" }, ["orders.0.status readOnly"]],
  ["replaced with its item", { orders: ["x", { note: "n" }] }, ["orders.0.status readOnly"]],
  [
    "set in an item of an item",
    { orders: [{ status: "open", parts: [{ price: 1 }] }] },
    ["orders.0.parts.0.price readOnly"],
  ],
  ["changed in a place of a tuple", { pair: ["a", 3] }, ["pair.1 readOnly"]],
])("a read-only trait in an item of a list is not %s", (_, patch, violations) => {
  expect(broken(patch, ordered)).toEqual(violations);
});

test.each<[string, JsonObject]>([
  ["changed beside it", { orders: [{ status: "open", note: "x" }, { note: "y" }] }],
  ["added without it", { orders: [{ status: "open" }, { note: "n" }, { note: "new" }] }],
  ["removed that does not hold it", { orders: [{ status: "open" }] }],
  ["changed in a place that is not read-only", { pair: ["b", 2] }],
])("an item of a list may be %s", (_, patch) => {
  expect(broken(patch, ordered)).toEqual([]);
});
