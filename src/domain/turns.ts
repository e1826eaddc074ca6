/**
 * Lets pieces of work on the same thing take turns, first come first served. What belongs to different things does not wait for
 * each other. A piece whose turn does not come in time is not done.
 */
export class Turns {
  readonly #longestWaitMs: number;
  /** Those who wait, by the thing; a key is there while work on it is under way. */
  readonly #waiting = new Map<string, Set<() => void>>();

  /** `longestWaitMs`: how long a piece of work waits for its turn. */
  constructor(longestWaitMs: number) {
    this.#longestWaitMs = longestWaitMs;
  }

  /**
   * Does the work now, or when its turn comes; `hasWaited` says whether others were done before it. Throws what `tooLate` makes if
   * the turn does not come in time.
   */
  async take<T>(key: string, work: (hasWaited: boolean) => Promise<T>, tooLate: () => Error): Promise<T> {
    const queue = this.#waiting.get(key);
    if (queue === undefined) this.#waiting.set(key, new Set());
    else await this.#wait(queue, tooLate);
    try {
      return await work(queue !== undefined);
    } finally {
      this.#next(key);
    }
  }

  #wait(queue: Set<() => void>, tooLate: () => Error): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        queue.delete(begin);
        reject(tooLate());
      }, this.#longestWaitMs);
      const begin = () => {
        clearTimeout(timer);
        resolve();
      };
      queue.add(begin);
    });
  }

  /** Hands the turn over before the next one begins, so that nobody who comes later slips in between. */
  #next(key: string): void {
    const queue = this.#waiting.get(key);
    const [begin] = queue ?? [];
    if (begin === undefined) {
      this.#waiting.delete(key);
      return;
    }
    queue?.delete(begin);
    begin();
  }
}
