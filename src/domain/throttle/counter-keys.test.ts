import fc from "fast-check";
import { expect, test } from "vitest";
import { inMicroseconds } from "./counter-keys.ts";

test("rounding never changes how many attempts a limit lets through", () => {
  const count = fc.integer({ min: 1, max: 1_000_000 });
  const periodMs = fc.integer({ min: 1000, max: 2_592_000_000 });
  fc.assert(
    fc.property(count, periodMs, (attempts, period) => {
      const { costUs, periodUs } = inMicroseconds({ count: attempts, periodMs: period });
      expect(periodUs).toBe(costUs * attempts);
      expect(Math.abs(periodUs - period * 1000)).toBeLessThanOrEqual(attempts);
      expect(Number.isSafeInteger(costUs) && costUs >= 1).toBe(true);
    }),
  );
});
