import { expect, test } from "vitest";
import { shareOf } from "./shares.ts";

const sharesOf = (total: number, count: number) =>
  Array.from({ length: count }, (_, index) => shareOf(total, { index, count }));

test.each([
  [2, 4, [1, 1, 0, 0]],
  [7, 3, [3, 2, 2]],
  [0, 2, [0, 0]],
])("%i are divided among %i processes, and none is lost", (total, count, expected) => {
  expect(sharesOf(total, count)).toEqual(expected);
});

test("a process alone has all", () => {
  expect(shareOf(5, undefined)).toBe(5);
});
