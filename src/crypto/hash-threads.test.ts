import { lookup } from "node:dns/promises";
import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { getPriority } from "node:os";
import { afterEach, expect, test } from "vitest";
import { HashThreads } from "./hash-threads.ts";
import type { HashWork } from "./hash-work.ts";

const threads = new HashThreads();
const opened = [threads];
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close();
});

function someThreads(): HashThreads {
  const each = new HashThreads();
  opened.push(each);
  return each;
}

/** Of an imported hash with the highest cost that is taken: it takes seconds. */
const slow: HashWork = {
  kind: "compare",
  hash: "$2b$15$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
  forms: [{ kind: "current", text: "a password" }],
};
const parameters = { memoryKib: 64, iterations: 1, parallelism: 1 };
const quick: HashWork = { kind: "hash", text: "a password", parameters };

test("name lookups and files do not wait behind hashes, however many are computed", async () => {
  const busy = someThreads();
  const computed: Promise<unknown>[] = [];
  let finished = 0;
  // More than libuv has threads.
  for (let index = 0; index < 6; index++) {
    computed.push(
      busy
        .run(slow)
        .finally(() => finished++)
        .catch(() => {}),
    );
  }
  await lookup("localhost");
  await readFile(new URL(import.meta.url));
  expect(finished).toBe(0);
  await busy.close();
  await Promise.all(computed);
});

test.runIf(process.platform === "linux")(
  "the thread that hashes runs below the priority of the process, and the process as before",
  async () => {
    const before = niceValues();
    const own = getPriority();
    await someThreads().run(quick);
    expect(getPriority()).toBe(own);
    const added = niceValues().slice(before.length);
    expect(added).toEqual([own + 10]);
    expect(niceValues().filter((nice) => nice === own)).toHaveLength(
      before.filter((nice) => nice === own).length,
    );
  },
);

test("one thread does what comes one after the other, and others what comes at the same time", async () => {
  const some = someThreads();
  const countOf = () => readdirSync("/proc/self/task").length;
  await some.run(quick);
  const one = countOf();
  for (let index = 0; index < 5; index++) await some.run(quick);
  expect(countOf()).toBe(one);
  await Promise.all([some.run(quick), some.run(quick), some.run(quick)]);
  expect(countOf()).toBe(one + 2);
});

test("work that fails says why, and the thread goes on", async () => {
  const some = someThreads();
  const impossible: HashWork = { ...quick, parameters: { ...parameters, memoryKib: 1 } };
  await expect(some.run(impossible)).rejects.toThrow(/memory/i);
  await expect(some.run(quick)).resolves.toContain("$argon2id$");
});

test("once closed, work under way fails and none is taken", async () => {
  const some = someThreads();
  const running = some.run(slow);
  const failed = expect(running).rejects.toThrow("a thread that hashes ended");
  await some.close();
  await failed;
  await expect(some.run(quick)).rejects.toThrow("closed");
});

/** The nice values of the threads of this process (proc(5), field 19 of stat), oldest first. */
function niceValues(): readonly number[] {
  const ids = readdirSync("/proc/self/task").map(Number);
  return ids
    .toSorted((left, right) => left - right)
    .map((id) =>
      Number(readFileSync(`/proc/self/task/${id}/stat`, "utf8").split(") ")[1]?.split(" ")[16] ?? Number.NaN),
    );
}
