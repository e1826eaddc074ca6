import { expect, test } from "vitest";
import { keepRunning } from "./keep-running.ts";

const failure = new Error("away");

/** Runs these outcomes one after the other, then stops. What it tells: the failures in a row, as they were reported. */
async function runAll(outcomes: readonly ("returns" | "throws" | "succeeds, then throws")[]) {
  const stopping = new AbortController();
  const reported: number[] = [];
  const left = [...outcomes];
  await keepRunning(
    async (succeeded) => {
      const outcome = left.shift();
      if (outcome === undefined) stopping.abort();
      if (outcome === "succeeds, then throws") succeeded();
      if (outcome !== "returns") throw failure;
    },
    {
      signal: stopping.signal,
      firstPauseMs: 1,
      longestPauseMs: 2,
      onFailure: (_reason, failures) => reported.push(failures),
    },
  );
  return reported;
}

test("counts failures in a row, and begins anew after a run that returned or said that it succeeded", async () => {
  expect(await runAll(["throws", "throws", "returns", "throws"])).toEqual([1, 2, 1]);
  expect(await runAll(["throws", "throws", "succeeds, then throws", "throws"])).toEqual([1, 2, 1, 2]);
});

test("reports no failure that follows the abort", async () => {
  expect(await runAll([])).toEqual([]);
});

test("doubles the pause up to the longest one, and an abort ends it at once", async () => {
  const stopping = new AbortController();
  const begin = performance.now();
  await keepRunning(() => Promise.reject(failure), {
    signal: stopping.signal,
    firstPauseMs: 5,
    longestPauseMs: 1_000_000,
    // 5, 10, 20, 40, and so on: the sixteenth pause would last until tomorrow.
    onFailure: (_reason, failures) => {
      if (failures === 5) setImmediate(() => stopping.abort());
    },
  });
  expect(performance.now() - begin).toBeGreaterThan(70);
});

test("ends with what the report of a failure throws, so that it can be given up", async () => {
  const given = keepRunning(() => Promise.reject(failure), {
    signal: new AbortController().signal,
    firstPauseMs: 1,
    longestPauseMs: 1,
    onFailure: (reason, failures) => {
      if (failures === 3) throw new Error(`given up: ${reason}`);
    },
  });
  await expect(given).rejects.toThrow("given up: away");
});
