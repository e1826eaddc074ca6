import { expect, test } from "vitest";
import { compileSchema } from "./compiled-schema.ts";
import { withOneAddress } from "./one-address.ts";

const address = { type: "string", ostiary: { verifiable: "email", recovery: "email" } };
const schema = compileSchema({
  id: "person",
  version: 1,
  createdAt: new Date(0),
  document: {
    type: "object",
    properties: {
      name: { type: "string", ostiary: { identifier: "username" } },
      email: { ...address, ostiary: { ...address.ostiary, identifier: "email" } },
      others: { type: "array", items: address },
      work: { type: "object", properties: { "e.mail": address, phone: { type: "string" } } },
    },
    required: ["others"],
  },
});

function cleared(traits: object, kept: string) {
  const given = traits as never;
  const { traits: left, removed } = withOneAddress(given, schema.annotatedIn(given), kept);
  return { left, removed: [...removed] };
}

test("every other address goes, in lists and objects as well, and all else stays", () => {
  const traits = {
    name: "ada",
    email: "Ada@Example.com",
    others: ["one@example.com", "ADA@example.com", "two@example.com"],
    work: { "e.mail": "work@example.com", phone: "1" },
    more: { deep: [null, true, { x: 1 }] },
  };
  expect(cleared(traits, "ada@example.com")).toEqual({
    left: { ...traits, others: ["ADA@example.com"], work: { phone: "1" } },
    removed: ["others.0", "others.2", "work.e\\.mail"],
  });
});

test("nothing goes where there is no other address", () => {
  const traits = { name: "ada", email: "ada@example.com", others: [] };
  expect(cleared(traits, "ada@example.com")).toEqual({ left: traits, removed: [] });
});
