import { domainError } from "../domain/errors.ts";
import type { HashAsker } from "../domain/ports.ts";
import { FairLine } from "./fair-line.ts";

/** The bounds of a queue of hashes. */
export interface HashQueueLimits {
  /** Hashes that are computed at the same time; at least 1. */
  readonly concurrency: number;
  /** Hashes that may wait, in each lane. */
  readonly queueLimit: number;
}

/** The figures of a lane. */
export interface HashLaneFigures {
  readonly lane: HashAsker["lane"];
  /** Hashes that are computed. */
  readonly running: number;
  readonly waiting: number;
  /** How many may wait. */
  readonly waitingLimit: number;
  /** How many were refused since the start. */
  readonly refused: number;
  /** How many were given up since the start, because nobody waited for them any more. */
  readonly dropped: number;
}

/**
 * Decides which hash is computed next, and which is refused.
 *
 * Operators' work has a lane of its own. While both lanes wait, of four hashes three are of people who sign in and one is an operator's, so
 * neither keeps the other waiting for ever. Within a lane tenants take turns, within a tenant those who ask, and then accounts.
 *
 * Security rule (SR-LIMIT-17): nobody fills a lane. Somebody may have as many waiting as there are places left for others, an account a quarter
 * of that, a tenant nine times that; so there is always a place for one who has none. Work beyond that is refused at once.
 */
export class HashQueue {
  readonly #concurrency: number;
  readonly #lanes: Readonly<Record<HashAsker["lane"], Lane>>;
  #running = 0;
  #turn = 0;
  #recentMs = 0;

  constructor({ concurrency, queueLimit }: HashQueueLimits) {
    if (!Number.isInteger(concurrency) || concurrency < 1)
      throw new RangeError("a queue has 1 place or more");
    this.#concurrency = concurrency;
    this.#lanes = { sign_in: new Lane("sign_in", queueLimit), operator: new Lane("operator", queueLimit) };
  }

  /**
   * Does the work now or when its turn comes. Throws SERVER_OVERLOADED if the lane is full for the asker, and the reason of the asker's
   * signal if that comes before the turn.
   *
   * Security rule (SR-LIMIT-18): what nobody waits for any more is not computed. The try stays counted, and nothing was compared, so
   * going away gives no guess for nothing.
   */
  async run<T>(asker: HashAsker, work: () => Promise<T>): Promise<T> {
    const lane = this.#lanes[asker.lane];
    if (asker.signal?.aborted) throw lane.drop(asker.signal);
    // Where a place is free, nobody waits: work that ends hands its place over.
    if (this.#running < this.#concurrency) this.#running++;
    else await this.#wait(lane, asker);
    lane.running++;
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#note(performance.now() - startedAt);
      lane.running--;
      this.#next();
    }
  }

  /** The figures of each lane. */
  get figures(): readonly HashLaneFigures[] {
    return Object.values(this.#lanes).map((lane) => lane.figures);
  }

  #wait(lane: Lane, asker: HashAsker): Promise<void> {
    if (!lane.hasRoomFor(asker)) throw this.#overloaded(lane);
    const { signal } = asker;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        leave();
        if (signal !== undefined) reject(lane.drop(signal));
      };
      const leave = lane.add(asker, () => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      });
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  /** Hands a place over, before others can take it. */
  #next(): void {
    const begin = this.#nextLane().take();
    if (begin === undefined) this.#running--;
    else begin();
  }

  #nextLane(): Lane {
    const { sign_in: signIn, operator } = this.#lanes;
    if (operator.waiting === 0) return signIn;
    if (signIn.waiting === 0) return operator;
    this.#turn = (this.#turn + 1) % turns;
    return this.#turn === 0 ? operator : signIn;
  }

  #note(durationMs: number): void {
    this.#recentMs = this.#recentMs === 0 ? durationMs : this.#recentMs * 0.9 + durationMs * 0.1;
  }

  // The time that the queue takes to drain, so that callers who obey come back to an empty one.
  #overloaded(lane: Lane) {
    lane.refused++;
    const waiting = Object.values(this.#lanes).reduce((sum, each) => sum + each.waiting, 0);
    const drainMs = (waiting / this.#concurrency + 1) * this.#recentMs;
    const retryAfterMs = Math.min(maxRetryMs, Math.max(minRetryMs, Math.ceil(drainMs)));
    return domainError("SERVER_OVERLOADED", {}, { retryAfterMs });
  }
}

/** Of so many hashes one is an operator's, while both lanes wait. */
const turns = 4;
const minRetryMs = 1_000;
const maxRetryMs = 60_000;

/** How many somebody may have waiting for each place that is free. */
const shares = { tenant: 9, source: 1, account: 1 / 4 };

class Lane {
  readonly #name: HashAsker["lane"];
  readonly #limit: number;
  readonly #line = new FairLine<() => void>();
  /** How many of whom wait. */
  readonly #counts = new Map<string, number>();
  #dropped = 0;
  running = 0;
  refused = 0;

  constructor(name: HashAsker["lane"], limit: number) {
    this.#name = name;
    this.#limit = limit;
  }

  get waiting(): number {
    return this.#line.length;
  }

  get figures(): HashLaneFigures {
    const { running, waiting, refused } = this;
    return {
      ...{ lane: this.#name, running, waiting, refused },
      waitingLimit: this.#limit,
      dropped: this.#dropped,
    };
  }

  hasRoomFor(asker: HashAsker): boolean {
    const free = this.#limit - this.waiting;
    return countedAs(asker).every(([key, share]) => (this.#counts.get(key) ?? 0) < share * free);
  }

  /** Adds one who waits. Returns what takes it out again. */
  add(asker: HashAsker, begin: () => void): () => void {
    const keys = countedAs(asker).map(([key]) => key);
    for (const key of keys) this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1);
    const uncount = () => {
      for (const key of keys) {
        const left = (this.#counts.get(key) ?? 1) - 1;
        if (left === 0) this.#counts.delete(key);
        else this.#counts.set(key, left);
      }
    };
    const { tenantId, source = "", account = "" } = asker;
    const leave = this.#line.add([tenantId, source, account], () => {
      uncount();
      begin();
    });
    return () => {
      uncount();
      leave();
    };
  }

  take(): (() => void) | undefined {
    return this.#line.take();
  }

  /** Why the work is not done. */
  drop(signal: AbortSignal): unknown {
    this.#dropped++;
    return signal.reason;
  }
}

/** Whom one counts for, with how many they may have waiting for each free place. */
function countedAs({ tenantId, source, account }: HashAsker): readonly (readonly [string, number])[] {
  const counted: (readonly [string, number])[] = [[`tenant\0${tenantId}`, shares.tenant]];
  if (source !== undefined) counted.push([`source\0${source}`, shares.source]);
  if (account !== undefined) counted.push([`account\0${tenantId}\0${account}`, shares.account]);
  return counted;
}
