import { setTimeout as delay } from "node:timers/promises";

/** How often work that fails is tried again. */
export interface KeepRunningOptions {
  /** Ends the loop, and a pause at once; the work ends by itself. */
  readonly signal: AbortSignal;
  /** The pause after the first failure. Each further one in a row doubles it. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** Called before each pause with the number of failures in a row. What it throws ends the loop. */
  readonly onFailure: (reason: string, failures: number) => void;
}

/**
 * Runs work again and again until the signal is aborted: at once when it returns, after a growing pause when it throws. Work that
 * only ever ends by throwing calls `succeeded` once it is under way, and the pauses begin anew.
 */
export async function keepRunning(
  work: (succeeded: () => void) => Promise<void>,
  { signal, firstPauseMs, longestPauseMs, onFailure }: KeepRunningOptions,
): Promise<void> {
  let failures = 0;
  const succeeded = () => {
    failures = 0;
  };
  while (!signal.aborted) {
    try {
      await work(succeeded);
      succeeded();
    } catch (error) {
      if (signal.aborted) return;
      onFailure(error instanceof Error ? error.message : String(error), ++failures);
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (failures - 1));
      // Rejects when the signal is aborted, which the loop sees as well.
      await delay(pauseMs, undefined, { signal }).catch(() => {});
    }
  }
}
