/** A thread that computes hashes, one after the other. Started by hash-threads.ts. */
import { getPriority, setPriority } from "node:os";
import { parentPort } from "node:worker_threads";
import { doHashWork, type HashResult, type HashWork } from "./hash-work.ts";

/** What a thread answers. */
export type HashAnswer =
  | { readonly kind: "done"; readonly result: HashResult }
  | { readonly kind: "failed"; readonly error: unknown };

/** How much lower than the rest of the process a thread that hashes runs: it gets a tenth of a core that others want as well. */
const lowerBy = 10;
const lowest = 19;

lowerPriority();
parentPort?.on("message", (work: HashWork) => parentPort?.postMessage(answerTo(work)));

function answerTo(work: HashWork): HashAnswer {
  try {
    return { kind: "done", result: doHashWork(work) };
  } catch (error) {
    return { kind: "failed", error };
  }
}

/**
 * On Linux a nice value is the thread's own (setpriority(2), "C library/kernel differences"), and 0 means the thread that asks. Elsewhere it
 * is the process's, so nothing is lowered there: the core that is left free has to do.
 */
function lowerPriority(): void {
  if (process.platform !== "linux") return;
  try {
    setPriority(0, Math.min(lowest, getPriority(0) + lowerBy));
  } catch {
    // A sandbox may forbid it. Hashes then run as they do on other systems.
  }
}
