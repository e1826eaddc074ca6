import fc from "fast-check";
import { expect, test } from "vitest";
import { createKeyedDigests } from "../../crypto/keyed-digests.ts";
import { Secret } from "../secret.ts";
import { counterKey, deviceSubject, inMicroseconds } from "./counter-keys.ts";

test("each limit counts a subject by itself, under a key that nobody can make without the secret", () => {
  const [one, other] = ["a", "b"].map((text) => createKeyedDigests(() => [new Secret(text.repeat(32))]));
  if (one === undefined || other === undefined) throw new Error("there are two");
  const keys = [
    counterKey(one, "account", "ada"),
    counterKey(one, "account_daily", "ada"),
    counterKey(one, "account", "eve"),
    counterKey(other, "account", "ada"),
  ].map((key) => deviceSubject(key));
  expect(new Set(keys).size).toBe(4);
  expect(keys[0]).toBe(deviceSubject(one.make("throttle", "account\0ada")));
});

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
