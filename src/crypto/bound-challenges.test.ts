import { expect, test } from "vitest";
import { Secret } from "../domain/secret.ts";
import { createBoundChallenges } from "./bound-challenges.ts";

const [old, current] = [new Secret("a".repeat(32)), new Secret("b".repeat(32))];
const context = ["passkey", "get", Buffer.from("flow"), "3"] as const;

test("a challenge has 32 bytes, and is the same each time", () => {
  const challenges = createBoundChallenges(() => [current]);
  expect(challenges.make(context)).toHaveLength(32);
  expect(challenges.make(context)).toEqual(challenges.make(context));
  expect(challenges.matches(challenges.make(context), context)).toBe(true);
});

test.each([
  ["another purpose", ["passkey", "create", Buffer.from("flow"), "3"]],
  ["another flow", ["passkey", "get", Buffer.from("flow2"), "3"]],
  ["another state of the flow", ["passkey", "get", Buffer.from("flow"), "4"]],
  ["parts that only join to the same text", ["passkey", "get", Buffer.from("flow3"), ""]],
])("a challenge is not that of %s", (_name, other) => {
  const challenges = createBoundChallenges(() => [current]);
  expect(challenges.matches(challenges.make(context), other)).toBe(false);
  expect(challenges.matches(Buffer.alloc(0), context)).toBe(false);
});

test("a challenge is good after a rotation, and new ones are made with the new secret", () => {
  const before = createBoundChallenges(() => [old]);
  const during = createBoundChallenges(() => [current, old]);
  const after = createBoundChallenges(() => [current]);
  expect(during.matches(before.make(context), context)).toBe(true);
  expect(during.make(context)).toEqual(after.make(context));
  expect(after.matches(before.make(context), context)).toBe(false);
});
