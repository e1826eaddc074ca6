import { describe, expect, test } from "vitest";
import { LocalBuckets } from "./local-buckets.ts";

const limit = { count: 3, periodMs: 3000 };

describe("a bucket", () => {
  test("lets so many through at once, then one whenever one is given back", () => {
    const buckets = new LocalBuckets();
    expect([0, 0, 0, 0].map((now) => buckets.take("a", limit, now))).toEqual([0, 0, 0, 1000]);
    expect(buckets.take("b", limit, 0)).toBe(0);
    expect(buckets.take("a", limit, 999)).toBe(1);
    expect(buckets.take("a", limit, 1000)).toBe(0);
    expect(buckets.take("a", limit, 1000)).toBe(1000);
    // What was refused cost nothing.
    expect([5000, 5000, 5000, 5000].map((now) => buckets.take("a", limit, now))).toEqual([0, 0, 0, 1000]);
  });

  test("is asked without being counted", () => {
    const buckets = new LocalBuckets();
    for (let index = 0; index < 10; index++) expect(buckets.waitOf("a", limit, 0)).toBe(0);
    for (let index = 0; index < 3; index++) buckets.take("a", limit, 0);
    expect(buckets.waitOf("a", limit, 0)).toBe(1000);
  });

  test("shuts nobody out after the clock was set back", () => {
    const buckets = new LocalBuckets();
    for (let index = 0; index < 3; index++) buckets.take("a", limit, 1_000_000);
    expect(buckets.take("a", limit, 0)).toBe(0);
  });

  test("stays in bounded memory, and forgets what has ended first", () => {
    const buckets = new LocalBuckets();
    const long = { count: 1, periodMs: 1_000_000 };
    buckets.take("kept", long, 0);
    for (let index = 0; index < 99_999; index++) buckets.take(`short ${index}`, limit, 0);
    buckets.take("one more", limit, 2000);
    expect(buckets.waitOf("kept", long, 2000)).toBeGreaterThan(0);
    // A flood of subjects that have not ended pushes the oldest out.
    for (let index = 0; index < 100_000; index++) buckets.take(`long ${index}`, long, 2000);
    expect(buckets.waitOf("kept", long, 2000)).toBe(0);
    expect(buckets.waitOf("long 99999", long, 2000)).toBeGreaterThan(0);
  });
});
