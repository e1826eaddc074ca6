import type { Clock } from "../../domain/ports.ts";
import { type ProviderProblem, toProblem } from "./provider-problem.ts";

interface LookupCacheOptions {
  readonly clock: Clock;
  /** For how long an answer is used without asking again. */
  readonly lifetimeMs: number;
  /** For how long an answer is used while asking again fails. Longer than `lifetimeMs`. */
  readonly keptMs: number;
  /** For how long it is not asked again after a failure. */
  readonly retryAfterMs: number;
  /** Called when a look-up fails that has worked or was never tried, and when one works again. */
  readonly onChange: (key: string, problem: ProviderProblem | undefined) => void;
}

interface Entry<T> {
  value: T | undefined;
  loadedAt: number;
  askedAt: number;
  problem: ProviderProblem | undefined;
  /** Never fails: what came of it is here. */
  underWay: Promise<void> | undefined;
}

/**
 * Answers of providers that are asked for seldom: of many callers who wait for the same one, one asks. While a look-up fails,
 * callers get what is known from before, or the failure at once, and it is tried again every now and then.
 */
export class LookupCache<T> {
  readonly #options: LookupCacheOptions;
  /** One for each provider of the configuration, so there is no bound. */
  readonly #entries = new Map<string, Entry<T>>();

  constructor(options: LookupCacheOptions) {
    this.#options = options;
  }

  /** Whether the last look-up has failed, and nothing is known from before. */
  isFailing(key: string): boolean {
    const entry = this.#entries.get(key);
    return entry?.problem !== undefined && this.#usable(entry) === undefined;
  }

  /** Whether asking would send a request now. */
  isDue(key: string): boolean {
    const entry = this.#entries.get(key);
    return entry === undefined || (entry.underWay === undefined && this.#isDue(entry));
  }

  /** The answer, from memory while it is new. Throws ProviderProblem. */
  async get(key: string, load: () => Promise<T>): Promise<T> {
    const entry = this.#entryOf(key);
    if (entry.underWay === undefined && this.#isDue(entry)) this.#ask(key, entry, load);
    return await this.#settled(entry);
  }

  /** The answer, asked for again unless that was done within `notWithinMs`. Throws ProviderProblem. */
  async refresh(key: string, load: () => Promise<T>, notWithinMs: number): Promise<T> {
    const entry = this.#entryOf(key);
    if (entry.underWay === undefined && this.#now() - entry.askedAt >= notWithinMs) {
      this.#ask(key, entry, load);
    }
    return await this.#settled(entry);
  }

  async #settled(entry: Entry<T>): Promise<T> {
    await entry.underWay;
    const value = this.#usable(entry);
    if (value === undefined) throw entry.problem ?? new Error("nothing was asked");
    return value;
  }

  #usable({ value, loadedAt }: Entry<T>): T | undefined {
    return this.#now() - loadedAt < this.#options.keptMs ? value : undefined;
  }

  #ask(key: string, entry: Entry<T>, load: () => Promise<T>): void {
    entry.askedAt = this.#now();
    entry.underWay = load().then(
      (value) => {
        const hadFailed = entry.problem !== undefined;
        Object.assign(entry, { value, loadedAt: this.#now(), problem: undefined, underWay: undefined });
        if (hadFailed) this.#options.onChange(key, undefined);
      },
      (error: unknown) => {
        const problem = toProblem(error);
        const hadFailed = entry.problem !== undefined;
        Object.assign(entry, { problem, underWay: undefined });
        if (!hadFailed) this.#options.onChange(key, problem);
      },
    );
  }

  #isDue(entry: Entry<T>): boolean {
    if (entry.problem !== undefined) return this.#now() - entry.askedAt >= this.#options.retryAfterMs;
    return entry.value === undefined || this.#now() - entry.loadedAt >= this.#options.lifetimeMs;
  }

  #entryOf(key: string): Entry<T> {
    let entry = this.#entries.get(key);
    if (entry === undefined) {
      const never = Number.NEGATIVE_INFINITY;
      entry = { value: undefined, loadedAt: never, askedAt: never, problem: undefined, underWay: undefined };
      this.#entries.set(key, entry);
    }
    return entry;
  }

  #now(): number {
    return this.#options.clock.now().getTime();
  }
}
