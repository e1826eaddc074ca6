import { expect, test } from "vitest";
import { Semaphore } from "./semaphore.ts";

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("runs as many at the same moment as it has places, and the others in the order in which they came", async () => {
  const semaphore = new Semaphore(2);
  const begun: number[] = [];
  let [running, most] = [0, 0];
  const work = (number: number) => async () => {
    begun.push(number);
    most = Math.max(most, ++running);
    await turn();
    running--;
    return number;
  };
  const all = [1, 2, 3, 4, 5].map((number) => semaphore.run(work(number)));
  expect({ isFull: semaphore.isFull, waiting: semaphore.waiting }).toEqual({ isFull: true, waiting: 3 });
  expect(await Promise.all(all)).toEqual([1, 2, 3, 4, 5]);
  expect({ begun, most }).toEqual({ begun: [1, 2, 3, 4, 5], most: 2 });
  expect({ isFull: semaphore.isFull, waiting: semaphore.waiting }).toEqual({ isFull: false, waiting: 0 });
});

test("gives a place back when the work fails", async () => {
  const semaphore = new Semaphore(1);
  const failing = semaphore.run(async () => {
    throw new Error("broken");
  });
  await expect(failing).rejects.toThrow("broken");
  expect(await semaphore.run(async () => "done")).toBe("done");
});
