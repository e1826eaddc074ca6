import { expect, test } from "vitest";
import { DomainError } from "../domain/errors.ts";
import { WorkQueue } from "./work-queue.ts";

/** Work that ends when it is told to. */
function heldWork() {
  const started: (() => void)[] = [];
  const work = () => new Promise<void>((resolve) => started.push(resolve));
  return { started, work };
}

const turns = async () => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

test("never runs more than its concurrency, and all of what it took in", async () => {
  const queue = new WorkQueue({ concurrency: 3, queueLimit: 100 });
  let running = 0;
  let most = 0;
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      queue.run(async () => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        return index;
      }),
    ),
  );
  expect(most).toBe(3);
  expect(results).toEqual(Array.from({ length: 50 }, (_, index) => index));
});

test("starts what waits in the order in which it came", async () => {
  const queue = new WorkQueue({ concurrency: 1, queueLimit: 10 });
  const order: number[] = [];
  await Promise.all([1, 2, 3, 4].map((number) => queue.run(async () => void order.push(number))));
  expect(order).toEqual([1, 2, 3, 4]);
});

// Security rule (SR-LIMIT-11): beyond the queue a call is refused at once, so that a flood of logins costs no memory or time.
test("refuses at once what finds the queue full, and takes more when there is room again", async () => {
  const queue = new WorkQueue({ concurrency: 2, queueLimit: 1 });
  const { started, work } = heldWork();
  const taken = [queue.run(work), queue.run(work), queue.run(work)];

  const refused = await queue.run(work).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(DomainError);
  expect(refused).toMatchObject({ reason: "SERVER_OVERLOADED", metadata: {}, retryAfterMs: 1_000 });
  expect(started).toHaveLength(2);

  started[0]?.();
  await taken[0];
  await turns();
  expect(started).toHaveLength(3);
  const afterwards = queue.run(work);
  await expect(queue.run(work)).rejects.toMatchObject({ reason: "SERVER_OVERLOADED" });
  started[1]?.();
  started[2]?.();
  await turns();
  started[3]?.();
  await Promise.all([...taken, afterwards]);
});

test("with no room to wait refuses whatever finds all places taken", async () => {
  const queue = new WorkQueue({ concurrency: 1, queueLimit: 0 });
  const { started, work } = heldWork();
  const first = queue.run(work);
  await expect(queue.run(work)).rejects.toMatchObject({ reason: "SERVER_OVERLOADED" });
  started[0]?.();
  await first;
  await expect(queue.run(async () => "done")).resolves.toBe("done");
});

test("gives a place back when the work fails, and passes the error on", async () => {
  const queue = new WorkQueue({ concurrency: 1, queueLimit: 1 });
  const failing = async () => {
    throw new Error("out of memory");
  };
  const results = await Promise.allSettled([queue.run(failing), queue.run(failing)]);
  expect(results.map((result) => result.status)).toEqual(["rejected", "rejected"]);
  await expect(queue.run(async () => "done")).resolves.toBe("done");
});

test("says to come again when the queue will have drained, by how long the work took lately", async () => {
  const queue = new WorkQueue({ concurrency: 1, queueLimit: 20 });
  const startedAt = performance.now();
  await queue.run(async () => {
    while (performance.now() - startedAt < 200) await new Promise((resolve) => setImmediate(resolve));
  });
  const { started, work } = heldWork();
  const taken = Array.from({ length: 21 }, () => queue.run(work));
  const refused: unknown = await queue.run(work).catch((error: unknown) => error);
  const retryAfterMs = refused instanceof DomainError ? (refused.retryAfterMs ?? 0) : 0;
  // 21 of at least 200 ms each.
  expect(retryAfterMs).toBeGreaterThanOrEqual(4_200);
  expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  for (let index = 0; index < taken.length; index++) {
    started[index]?.();
    await taken[index];
    await turns();
  }
});

test("tells what runs, what waits and what was refused", async () => {
  const queue = new WorkQueue({ concurrency: 2, queueLimit: 1 });
  const { started, work } = heldWork();
  const taken = [queue.run(work), queue.run(work), queue.run(work)];
  await expect(queue.run(work)).rejects.toBeInstanceOf(DomainError);
  expect(queue.figures).toEqual({ running: 2, waiting: 1, waitingLimit: 1, refused: 1 });
  for (let index = 0; index < taken.length; index++) {
    started[index]?.();
    await taken[index];
    await turns();
  }
  expect(queue.figures).toEqual({ running: 0, waiting: 0, waitingLimit: 1, refused: 1 });
});

test("cannot be made without a place", () => {
  expect(() => new WorkQueue({ concurrency: 0, queueLimit: 1 })).toThrow(RangeError);
  expect(() => new WorkQueue({ concurrency: Number.NaN, queueLimit: 1 })).toThrow(RangeError);
});
