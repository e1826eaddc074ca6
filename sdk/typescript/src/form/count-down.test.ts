// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { countDown, isWorthCounting } from "./count-down.ts";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("counts each second, and ends once, also if the clock is put back meanwhile", () => {
  const left: number[] = [];
  let ends = 0;
  countDown(
    3000,
    (ms) => left.push(ms),
    () => ends++,
  );
  vi.advanceTimersByTime(1000);
  vi.setSystemTime(Date.now() - 3_600_000);
  vi.advanceTimersByTime(1000);
  expect(left).toEqual([2000, 1000]);
  vi.advanceTimersByTime(10_000);
  expect([left, ends]).toEqual([[2000, 1000], 1]);
});

test("says nothing any more once it is stopped", () => {
  let calls = 0;
  const stop = countDown(
    3000,
    () => calls++,
    () => calls++,
  );
  vi.advanceTimersByTime(1000);
  stop();
  vi.advanceTimersByTime(10_000);
  expect(calls).toBe(1);
});

test("no time, and one that is over before anybody has read of it, are not counted", () => {
  expect([undefined, 0, 999, 1000].map(isWorthCounting)).toEqual([false, false, false, true]);
});
