import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anAsker } from "../../test/support/records.ts";
import { DomainError } from "../domain/errors.ts";
import type { TenantId } from "../domain/ids.ts";
import type { HashAsker } from "../domain/ports.ts";
import { HashQueue } from "./hash-queue.ts";

/** Work that ends when it is told to. */
function heldWork() {
  const started: (() => void)[] = [];
  const work = () => new Promise<void>((resolve) => started.push(resolve));
  return { started, work };
}

/** Somebody else each time. */
let others = 0;
const someone = () => anAsker({ source: `192.0.2.${++others}`, account: `account-${others}` });

const turns = async () => {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
};

test("never runs more than its concurrency, and all of what it took in", async () => {
  const queue = new HashQueue({ concurrency: 3, queueLimit: 100 });
  let running = 0;
  let most = 0;
  const results = await Promise.all(
    Array.from({ length: 50 }, (_, index) =>
      queue.run(someone(), async () => {
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
  const queue = new HashQueue({ concurrency: 1, queueLimit: 10 });
  const order: number[] = [];
  await Promise.all(
    [1, 2, 3, 4].map((number) =>
      queue.run(anAsker({ account: undefined }), async () => void order.push(number)),
    ),
  );
  expect(order).toEqual([1, 2, 3, 4]);
});

// Security rule (SR-LIMIT-11): beyond the queue a call is refused at once, so that a flood of logins costs no memory or time.
test("refuses at once what finds the queue full, and takes more when there is room again", async () => {
  const queue = new HashQueue({ concurrency: 2, queueLimit: 1 });
  const { started, work } = heldWork();
  const taken = [queue.run(anAsker(), work), queue.run(anAsker(), work), queue.run(anAsker(), work)];

  const refused = await queue.run(anAsker(), work).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(DomainError);
  expect(refused).toMatchObject({ reason: "SERVER_OVERLOADED", metadata: {}, retryAfterMs: 1_000 });
  expect(started).toHaveLength(2);

  started[0]?.();
  await taken[0];
  await turns();
  expect(started).toHaveLength(3);
  const afterwards = queue.run(anAsker(), work);
  await expect(queue.run(anAsker(), work)).rejects.toMatchObject({ reason: "SERVER_OVERLOADED" });
  started[1]?.();
  started[2]?.();
  await turns();
  started[3]?.();
  await Promise.all([...taken, afterwards]);
});

test("with no room to wait refuses whatever finds all places taken", async () => {
  const queue = new HashQueue({ concurrency: 1, queueLimit: 0 });
  const { started, work } = heldWork();
  const first = queue.run(anAsker(), work);
  await expect(queue.run(anAsker(), work)).rejects.toMatchObject({ reason: "SERVER_OVERLOADED" });
  started[0]?.();
  await first;
  await expect(queue.run(anAsker(), async () => "done")).resolves.toBe("done");
});

test("gives a place back when the work fails, and passes the error on", async () => {
  const queue = new HashQueue({ concurrency: 1, queueLimit: 1 });
  const failing = async () => {
    throw new Error("out of memory");
  };
  const results = await Promise.allSettled([queue.run(anAsker(), failing), queue.run(anAsker(), failing)]);
  expect(results.map((result) => result.status)).toEqual(["rejected", "rejected"]);
  await expect(queue.run(anAsker(), async () => "done")).resolves.toBe("done");
});

test("says to come again when the queue will have drained, by how long the work took lately", async () => {
  const queue = new HashQueue({ concurrency: 1, queueLimit: 20 });
  const startedAt = performance.now();
  await queue.run(anAsker(), async () => {
    while (performance.now() - startedAt < 200) await new Promise((resolve) => setImmediate(resolve));
  });
  const { started, work } = heldWork();
  const taken = Array.from({ length: 19 }, () => queue.run(someone(), work));
  const refused: unknown = await queue.run(anAsker(), work).catch((error: unknown) => error);
  const retryAfterMs = refused instanceof DomainError ? (refused.retryAfterMs ?? 0) : 0;
  // 19 of at least 200 ms each: one tenant may have 18 of the 20 places.
  expect(retryAfterMs).toBeGreaterThanOrEqual(3_800);
  expect(retryAfterMs).toBeLessThanOrEqual(60_000);
  for (let index = 0; index < taken.length; index++) {
    started[index]?.();
    await taken[index];
    await turns();
  }
});

test("tells what runs, what waits and what was refused", async () => {
  const queue = new HashQueue({ concurrency: 2, queueLimit: 1 });
  const { started, work } = heldWork();
  const taken = [queue.run(anAsker(), work), queue.run(anAsker(), work), queue.run(anAsker(), work)];
  await expect(queue.run(anAsker(), work)).rejects.toBeInstanceOf(DomainError);
  expect(queue.figures).toEqual([
    { lane: "sign_in", running: 2, waiting: 1, waitingLimit: 1, refused: 1, dropped: 0 },
    { lane: "operator", running: 0, waiting: 0, waitingLimit: 1, refused: 0, dropped: 0 },
  ]);
  for (let index = 0; index < taken.length; index++) {
    started[index]?.();
    await taken[index];
    await turns();
  }
  expect(queue.figures[0]).toMatchObject({ running: 0, waiting: 0, waitingLimit: 1, refused: 1 });
});

test("cannot be made without a place", () => {
  expect(() => new HashQueue({ concurrency: 0, queueLimit: 1 })).toThrow(RangeError);
  expect(() => new HashQueue({ concurrency: Number.NaN, queueLimit: 1 })).toThrow(RangeError);
});

/** A queue with one place, which is taken, so that all else waits. */
function busyQueue(queueLimit = 100) {
  const queue = new HashQueue({ concurrency: 1, queueLimit });
  const { started, work } = heldWork();
  void queue.run(someone(), work);
  const done: string[] = [];
  return {
    queue,
    done,
    /** Waits under a name; gives why it was refused, if it was. */
    ask: (name: string, asker: HashAsker) =>
      queue.run(asker, async () => void done.push(name)).catch((error: unknown) => error),
    async finish() {
      started[0]?.();
      for (let round = 0; round < 500; round++) await turns();
    },
    waiting: () => queue.figures.reduce((sum, { waiting }) => sum + waiting, 0),
  };
}

const overloaded = { reason: "SERVER_OVERLOADED", retryAfterMs: expect.any(Number) };

// Security rule (SR-LIMIT-17)
describe("nobody fills the queue", () => {
  const tenant = (name: string) => name as TenantId;
  test.each([
    ["an address", { source: "203.0.113.1" }, 50],
    ["an account, from wherever it is tried", { account: "victim@example.com" }, 20],
    ["a tenant", { tenantId: tenant("greedy") }, 90],
  ])("%s", async (_name, own, most) => {
    const { queue, waiting } = busyQueue();
    const idle = async () => {};
    const refused: unknown[] = [];
    for (let index = 0; index < 200; index++) {
      void queue.run({ ...someone(), ...own }, idle).catch((error: unknown) => refused.push(error));
    }
    await turns();
    expect(waiting()).toBe(most);
    expect(refused).toHaveLength(200 - most);
    for (const error of refused) expect(error).toMatchObject(overloaded);
    // Others are let in.
    void queue.run({ ...someone(), tenantId: tenant("other") }, idle);
    expect(waiting()).toBe(most + 1);
  });

  test("and a caller with none waiting gets in as long as there is a place, whatever came before", () => {
    const askers = fc.record({ source: fc.nat(5), account: fc.nat(8), tenantId: fc.nat(2) });
    fc.assert(
      fc.property(fc.array(askers, { maxLength: 120 }), fc.integer({ min: 1, max: 40 }), (given, limit) => {
        const { queue, waiting } = busyQueue(limit);
        for (const { source, account, tenantId } of given) {
          const names = { source: `s${source}`, account: `a${account}`, tenantId: tenant(`t${tenantId}`) };
          queue.run(anAsker(names), async () => {}).catch(() => {});
        }
        const before = waiting();
        expect(before).toBeLessThanOrEqual(limit);
        const stranger = { ...someone(), tenantId: tenant("stranger") };
        queue.run(stranger, async () => {}).catch(() => {});
        expect(waiting()).toBe(before < limit ? before + 1 : limit);
      }),
    );
  });

  test("an address that sends many waits for its own, not others for it", async () => {
    const { ask, done, finish } = busyQueue();
    for (let index = 0; index < 30; index++)
      void ask(`many ${index}`, { ...someone(), source: "203.0.113.1" });
    void ask("one", someone());
    await finish();
    expect(done.indexOf("one")).toBe(1);
    expect(done).toHaveLength(31);
  });

  test("one who is known by nothing takes turns with the others", async () => {
    const { ask, done, finish } = busyQueue();
    const unknown = anAsker({ source: undefined, account: undefined });
    for (let index = 0; index < 5; index++) void ask(`unknown ${index}`, unknown);
    void ask("known", someone());
    await finish();
    expect(done.slice(0, 2)).toEqual(["unknown 0", "known"]);
  });
});

describe("operators' work", () => {
  const operator = () => anAsker({ lane: "operator", source: `api_key:${++others}`, account: undefined });

  test("gets every fourth turn beside logins, and logins get the others", async () => {
    const { ask, done, finish } = busyQueue();
    for (let index = 0; index < 20; index++) void ask("import", operator());
    for (let index = 0; index < 20; index++) void ask("login", someone());
    await finish();
    expect(done.slice(0, 8).join()).toBe("login,login,login,import,login,login,login,import");
    // The logins are through after a third more; the rest has all of it.
    expect(done.lastIndexOf("login")).toBe(25);
    expect(done).toHaveLength(40);
  });

  test("does not take the places in which logins wait, nor the other way round", async () => {
    const { ask, queue, waiting } = busyQueue(10);
    for (let index = 0; index < 50; index++) void ask("import", operator());
    await turns();
    // All but what one tenant leaves to others.
    expect(waiting()).toBe(9);
    void ask("login", someone());
    expect(waiting()).toBe(10);
    expect(queue.figures.map(({ refused }) => refused)).toEqual([0, 41]);
  });
});

// Security rule (SR-LIMIT-18)
describe("what nobody waits for any more", () => {
  test("is dropped before it is computed, and leaves its place to others at once", async () => {
    const { ask, done, finish, queue, waiting } = busyQueue(2);
    const controller = new AbortController();
    const gone = ask("gone", { ...someone(), signal: controller.signal });
    void ask("second", someone());
    expect(waiting()).toBe(2);
    expect(await ask("third", someone())).toMatchObject(overloaded);
    const reason = new Error("the caller went away");
    controller.abort(reason);
    expect(await gone).toBe(reason);
    expect(waiting()).toBe(1);
    void ask("fourth", someone());
    await finish();
    expect(done).toEqual(["second", "fourth"]);
    expect(queue.figures[0]).toMatchObject({ dropped: 1, refused: 1, running: 0, waiting: 0 });
  });

  test("does not count for its address any more", async () => {
    const { ask, waiting } = busyQueue();
    const controllers = Array.from({ length: 50 }, () => new AbortController());
    const from = { source: "203.0.113.1" };
    for (const { signal } of controllers) void ask("", { ...someone(), ...from, signal });
    expect(await ask("", { ...someone(), ...from })).toMatchObject(overloaded);
    for (const controller of controllers) controller.abort(new Error("gone"));
    expect(waiting()).toBe(0);
    for (let index = 0; index < 50; index++) void ask("", { ...someone(), ...from });
    expect(waiting()).toBe(50);
  });

  test("does not even wait if that is known before", async () => {
    const queue = new HashQueue({ concurrency: 1, queueLimit: 1 });
    const reason = new Error("gone");
    let ran = false;
    const run = queue.run(anAsker({ signal: AbortSignal.abort(reason) }), async () => {
      ran = true;
    });
    await expect(run).rejects.toBe(reason);
    expect(ran).toBe(false);
  });

  test("is computed to its end once it has begun, and leaves no listener behind", async () => {
    const queue = new HashQueue({ concurrency: 1, queueLimit: 1 });
    const controller = new AbortController();
    const { started, work } = heldWork();
    const running = queue.run(anAsker({ signal: controller.signal }), work);
    controller.abort(new Error("gone"));
    started[0]?.();
    await expect(running).resolves.toBeUndefined();
    expect(queue.figures[0]).toMatchObject({ dropped: 0, running: 0 });
  });
});
