import { describe, expect, test } from "vitest";
import { mapInOrder } from "./map-in-order.ts";

/** Work that ends when it is told to. */
function controlled() {
  const begun: number[] = [];
  const endings = new Map<number, { resolve: (result: string) => void; reject: (error: Error) => void }>();
  const work = (item: number) => {
    begun.push(item);
    return new Promise<string>((resolve, reject) => endings.set(item, { resolve, reject }));
  };
  return {
    begun,
    work,
    end: (item: number) => endings.get(item)?.resolve(`result ${item}`),
    fail: (item: number) => endings.get(item)?.reject(new Error(`failed ${item}`)),
  };
}

/** A stream that counts what is taken from it, and notes whether it was ended. */
function source(length: number, failsAt = Number.POSITIVE_INFINITY) {
  const seen = { taken: 0, ended: false };
  async function* items() {
    try {
      for (let item = 0; item < length; item++) {
        if (item === failsAt) throw new Error("the stream broke");
        seen.taken++;
        yield item;
      }
    } finally {
      seen.ended = true;
    }
  }
  return { seen, items: items() };
}

/** Lets everything that is ready run. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

async function collect<T>(results: AsyncIterable<T>): Promise<{ results: T[]; error: unknown }> {
  const collected: T[] = [];
  try {
    for await (const result of results) collected.push(result);
  } catch (error) {
    return { results: collected, error };
  }
  return { results: collected, error: undefined };
}

describe("mapInOrder", () => {
  test("gives results in the order of the items, whichever ends first", async () => {
    const { begun, work, end } = controlled();
    const all = collect(mapInOrder(source(3).items, 3, work));
    await settled();
    expect(begun).toEqual([0, 1, 2]);
    for (const item of [2, 1, 0]) end(item);
    expect(await all).toEqual({ results: ["result 0", "result 1", "result 2"], error: undefined });
  });

  test("has no more under way than it may, and takes nothing ahead", async () => {
    const { begun, work, end } = controlled();
    const { seen, items } = source(10);
    const results = mapInOrder(items, 2, work);
    const first = results.next();
    await settled();
    expect([begun, seen.taken]).toEqual([[0, 1], 2]);
    end(0);
    expect(await first).toEqual({ done: false, value: "result 0" });
    await settled();
    // Nobody asks for the next result: nothing is begun in its place.
    expect([begun, seen.taken]).toEqual([[0, 1], 2]);
    const second = results.next();
    await settled();
    expect(begun).toEqual([0, 1, 2]);
    end(1);
    expect(await second).toEqual({ done: false, value: "result 1" });
    await results.return();
    await settled();
    expect([seen.taken, seen.ended]).toEqual([3, true]);
  });

  test("gives a result while the stream waits for its next item", async () => {
    async function* items() {
      yield 0;
      await new Promise(() => {});
    }
    const results = mapInOrder(items(), 4, async (item) => item);
    expect(await results.next()).toEqual({ done: false, value: 0 });
  });

  test("throws what broke the stream after the results of the items before", async () => {
    const { items } = source(5, 2);
    const { results, error } = await collect(mapInOrder(items, 4, async (item) => item));
    expect(results).toEqual([0, 1]);
    expect(String(error)).toContain("the stream broke");
  });

  test("throws what failed in its turn, and begins nothing after it", async () => {
    const { begun, work, end, fail } = controlled();
    const { seen, items } = source(10);
    const all = collect(mapInOrder(items, 2, work));
    await settled();
    fail(1);
    await settled();
    end(0);
    const { results, error } = await all;
    expect(results).toEqual(["result 0"]);
    expect(String(error)).toContain("failed 1");
    await settled();
    // One more was begun when the first result was taken; the stream is told that no more is wanted.
    expect(begun.length).toBeLessThanOrEqual(3);
    expect(seen.ended).toBe(true);
  });

  test("of nothing is nothing", async () => {
    expect(await collect(mapInOrder(source(0).items, 4, async () => 1))).toEqual({
      results: [],
      error: undefined,
    });
  });
});
