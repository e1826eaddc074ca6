import { expect, test } from "vitest";
import type { JsonObject } from "../json.ts";
import { compileSchema } from "./compiled-schema.ts";
import { checkChange } from "./own-traits.ts";

const schema = compileSchema({
  id: "test",
  version: 1,
  createdAt: new Date(0),
  document: {
    properties: {
      email: { type: "string" },
      account: { type: "object", properties: { number: { readOnly: true }, name: { type: "string" } } },
      fixed: { type: "object", readOnly: true },
    },
  },
});

function broken(patch: JsonObject, traits: JsonObject = {}): readonly string[] {
  const checked = checkChange(schema, traits, patch);
  return checked.valid ? [] : checked.violations.map(({ path, rule }) => `${path.join(".")} ${rule}`);
}

// Security rule: a patch is measured before it is merged, so that none exhausts the stack.
test("a patch that is too deep is refused before it is merged", () => {
  let deep: JsonObject = {};
  for (let level = 0; level < 100_000; level++) deep = { a: deep };
  expect(broken(deep)).toEqual([expect.stringMatching(/ max_depth$/)]);
});

test("the traits are shown as they are where a patch cannot be read", () => {
  const checked = checkChange(schema, { email: "a" }, JSON.parse('{"__proto__":{}}'));
  expect(checked).toMatchObject({ valid: false, merged: { email: "a" } });
});

// Security rule: what a schema calls read-only is the operator's to set.
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
