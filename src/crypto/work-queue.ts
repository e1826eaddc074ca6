import { domainError } from "../domain/errors.ts";
import { Semaphore } from "../domain/semaphore.ts";

/** The bounds of a queue. */
export interface WorkQueueLimits {
  /** Pieces of work that run at the same time; at least 1. */
  readonly concurrency: number;
  /** Pieces of work that may wait, first come first served. */
  readonly queueLimit: number;
}

/** The figures of a queue. */
export interface WorkQueueFigures {
  /** Pieces of work that run. */
  readonly running: number;
  readonly waiting: number;
  /** How many may wait. */
  readonly waitingLimit: number;
  /** How many were refused since the start. */
  readonly refused: number;
}

/** Runs expensive work, a few pieces at a time. If the queue is full, work is refused at once with a time to try again. */
export class WorkQueue {
  readonly #limits: WorkQueueLimits;
  readonly #places: Semaphore;
  #recentMs = 0;
  #refused = 0;

  constructor(limits: WorkQueueLimits) {
    this.#limits = limits;
    this.#places = new Semaphore(limits.concurrency);
  }

  /** Runs the work now or when its turn comes; throws SERVER_OVERLOADED if the queue is full. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    const { isFull, waiting } = this.#places;
    if (isFull && waiting >= this.#limits.queueLimit) throw this.#overloaded(waiting);
    return this.#places.run(async () => {
      const startedAt = performance.now();
      try {
        return await work();
      } finally {
        this.#note(performance.now() - startedAt);
      }
    });
  }

  get figures(): WorkQueueFigures {
    const { running, waiting } = this.#places;
    return { running, waiting, waitingLimit: this.#limits.queueLimit, refused: this.#refused };
  }

  #note(durationMs: number): void {
    this.#recentMs = this.#recentMs === 0 ? durationMs : this.#recentMs * 0.9 + durationMs * 0.1;
  }

  // The time that the queue takes to drain, so that callers who obey come back to an empty one.
  #overloaded(waiting: number) {
    this.#refused++;
    const drainMs = (waiting / this.#limits.concurrency + 1) * this.#recentMs;
    const retryAfterMs = Math.min(maxRetryMs, Math.max(minRetryMs, Math.ceil(drainMs)));
    return domainError("SERVER_OVERLOADED", {}, { retryAfterMs });
  }
}

const minRetryMs = 1_000;
const maxRetryMs = 60_000;
