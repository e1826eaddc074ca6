import { domainError } from "../domain/errors.ts";

/** The bounds of a queue. */
export interface WorkQueueLimits {
  /** How much work runs at the same time; at least 1. */
  readonly concurrency: number;
  /** How much more may wait, first come first served. */
  readonly queueLimit: number;
}

/** Runs expensive work a few at a time. What finds the queue full is refused at once and told when to come again. */
export class WorkQueue {
  readonly #concurrency: number;
  readonly #queueLimit: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;
  #recentMs = 0;

  constructor({ concurrency, queueLimit }: WorkQueueLimits) {
    if (!Number.isInteger(concurrency) || concurrency < 1)
      throw new RangeError("concurrency must be 1 or more");
    this.#concurrency = concurrency;
    this.#queueLimit = queueLimit;
  }

  /** Runs the work now or when its turn comes; throws SERVER_OVERLOADED if the queue is full. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#running >= this.#concurrency) {
      if (this.#waiting.length >= this.#queueLimit) throw this.#overloaded();
      // Whoever finishes hands its place over before it wakes us, so nobody who comes later slips in between.
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else {
      this.#running++;
    }
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#note(performance.now() - startedAt);
      const next = this.#waiting.shift();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #note(durationMs: number): void {
    this.#recentMs = this.#recentMs === 0 ? durationMs : this.#recentMs * 0.9 + durationMs * 0.1;
  }

  // The time that the queue takes to drain, so that callers who obey come back to an empty one.
  #overloaded() {
    const drainMs = ((this.#waiting.length + this.#running) / this.#concurrency) * this.#recentMs;
    const retryAfterMs = Math.min(maxRetryMs, Math.max(minRetryMs, Math.ceil(drainMs)));
    return domainError("SERVER_OVERLOADED", {}, { retryAfterMs });
  }
}

const minRetryMs = 1_000;
const maxRetryMs = 60_000;
