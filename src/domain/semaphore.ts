/** Lets a few pieces of work run at the same moment. The others wait, first come first served. */
export class Semaphore {
  readonly #places: number;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** `places`: how many run at the same moment; at least 1. */
  constructor(places: number) {
    if (!Number.isInteger(places) || places < 1) throw new RangeError("a semaphore has 1 place or more");
    this.#places = places;
    this.#free = places;
  }

  /** Number of pieces of work that run. */
  get running(): number {
    return this.#places - this.#free;
  }

  /** Number of pieces of work that wait for a place. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Whether further work would have to wait. */
  get isFull(): boolean {
    return this.#free === 0;
  }

  /** Runs the work now, or when its turn comes. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    // Work that ends hands its place over before it wakes the next one, so later work cannot slip in between.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
