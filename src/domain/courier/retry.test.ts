import { expect, test } from "vitest";
import { delayAfter, delayOfWaiting } from "./retry.ts";

const policy = { maxAttempts: 8, firstDelayMs: 1_000, maxDelayMs: 60_000 };

test("the pause doubles after each attempt, up to the longest", () => {
  const delays = [1, 2, 3, 4, 7, 8, 1_000].map((attempt) => delayAfter(policy, attempt, 0.5));
  expect(delays).toEqual([1_000, 2_000, 4_000, 8_000, 60_000, 60_000, 60_000]);
});

test("the pause is moved by up to a quarter either way", () => {
  expect([0, 0.5, 1].map((chance) => delayAfter(policy, 1, chance))).toEqual([750, 1_000, 1_250]);
});

test("what waits for somebody is tried again after as long as it has waited, between the shortest and the longest pause", () => {
  const delays = [-5_000, 0, 1_000, 8_000, 59_000, 86_400_000].map((waited) =>
    delayOfWaiting(policy, waited, 0.5),
  );
  expect(delays).toEqual([1_000, 1_000, 1_000, 8_000, 59_000, 60_000]);
});
