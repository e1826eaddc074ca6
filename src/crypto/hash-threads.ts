import { Worker } from "node:worker_threads";
import type { HashAnswer } from "./hash-thread.ts";
import type { HashResult, HashWork } from "./hash-work.ts";

/**
 * Threads that compute hashes, below the priority of the rest of the process (on Linux). They are of their own, so that what uses libuv's
 * threads (name lookups, files) never waits behind passwords. A thread is started when all others are busy, and kept.
 */
export class HashThreads {
  readonly #all = new Set<HashThread>();
  readonly #idle: HashThread[] = [];
  #isClosed = false;

  /** Does the work in a thread that has none. How many work at the same time is up to the caller. */
  async run(work: HashWork): Promise<HashResult> {
    if (this.#isClosed) throw new Error("the threads that hash were closed");
    // The one that was busy last: its memory is in the caches.
    const thread = this.#idle.pop() ?? this.#start();
    try {
      return await thread.run(work);
    } finally {
      if (this.#all.has(thread)) this.#idle.push(thread);
    }
  }

  /** Ends the threads. Work that one of them does fails. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(Array.from(this.#all, (thread) => thread.end()));
  }

  #start(): HashThread {
    const thread = new HashThread(() => this.#all.delete(thread));
    this.#all.add(thread);
    return thread;
  }
}

class HashThread {
  readonly #worker: Worker;
  #work: PromiseWithResolvers<HashResult> | undefined;

  constructor(onEnd: () => void) {
    // Its heap holds little more than code: what a hash takes is allocated outside of it.
    const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 32 };
    this.#worker = new Worker(threadFile, { name: "ostiary-hash", env: {}, resourceLimits });
    // Nobody waits for a thread that has no work.
    this.#worker.unref();
    this.#worker.on("message", (answer: HashAnswer) => {
      this.#end(
        answer.kind === "done" ? (work) => work.resolve(answer.result) : (work) => work.reject(answer.error),
      );
    });
    let problem: unknown;
    this.#worker.on("error", (error) => {
      problem = error;
    });
    this.#worker.on("exit", () => {
      onEnd();
      this.#end((work) => work.reject(problem ?? new Error("a thread that hashes ended")));
    });
  }

  run(work: HashWork): Promise<HashResult> {
    this.#work = Promise.withResolvers<HashResult>();
    this.#worker.ref();
    this.#worker.postMessage(work);
    return this.#work.promise;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #end(how: (work: PromiseWithResolvers<HashResult>) => void): void {
    const work = this.#work;
    this.#work = undefined;
    this.#worker.unref();
    if (work !== undefined) how(work);
  }
}

// Beside this file, in TypeScript in a checkout and compiled in the published package.
const threadFile = new URL(import.meta.url.replace("hash-threads.", "hash-thread."));
