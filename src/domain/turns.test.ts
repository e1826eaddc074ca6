import { expect, test } from "vitest";
import { Turns } from "./turns.ts";

const tooLate = () => new Error("too late");

test("work on one thing is done one after the other, in the order in which it came", async () => {
  const turns = new Turns(60_000);
  const log: string[] = [];
  const work = (name: string) => async (hasWaited: boolean) => {
    log.push(`${name} ${hasWaited}`);
    await Promise.resolve();
    log.push(`${name} done`);
  };
  await Promise.all(["first", "second", "third"].map((name) => turns.take("it", work(name), tooLate)));
  expect(log).toEqual([
    "first false",
    "first done",
    "second true",
    "second done",
    "third true",
    "third done",
  ]);
  expect(await turns.take("it", async (hasWaited) => hasWaited, tooLate)).toBe(false);
});

test("work on another thing does not wait, and work that fails hands its turn over", async () => {
  const turns = new Turns(60_000);
  const { promise, reject } = Promise.withResolvers<never>();
  const failing = turns.take("it", () => promise, tooLate);
  const next = turns.take("it", async () => "next", tooLate);
  expect(await turns.take("other", async () => "other", tooLate)).toBe("other");
  reject(new Error("failed"));
  await expect(failing).rejects.toThrow("failed");
  expect(await next).toBe("next");
});

test("work whose turn does not come in time is not done, and costs nobody else a turn", async () => {
  const turns = new Turns(1);
  const { promise, resolve } = Promise.withResolvers<string>();
  const first = turns.take("it", () => promise, tooLate);
  let wasDone = false;
  const late = turns.take(
    "it",
    async () => {
      wasDone = true;
    },
    tooLate,
  );
  await expect(late).rejects.toThrow("too late");
  resolve("first");
  expect(await first).toBe("first");
  expect(await turns.take("it", async (hasWaited) => hasWaited, tooLate)).toBe(false);
  expect(wasDone).toBe(false);
});
