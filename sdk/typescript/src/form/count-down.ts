// SPDX-License-Identifier: Apache-2.0

/** Shorter waits are over before anybody has read of them. */
const shortestWaitMs = 1000;

/** Whether a wait is long enough to be counted down, in place of a button that is refused again. */
export function isWorthCounting(ms: number | undefined): ms is number {
  return ms !== undefined && ms >= shortestWaitMs;
}

/**
 * Counts a wait down: calls `tick` each second with the milliseconds that are left, and `over` once, at the end. Returns what stops it. It
 * measures time by itself, so that a clock that is wrong, or is put right meanwhile, changes nothing.
 */
export function countDown(ms: number, tick: (leftMs: number) => void, over: () => void): () => void {
  const end = performance.now() + ms;
  const timer = setInterval(() => {
    const left = end - performance.now();
    if (left > 0) return tick(left);
    clearInterval(timer);
    over();
  }, 1000);
  return () => clearInterval(timer);
}
