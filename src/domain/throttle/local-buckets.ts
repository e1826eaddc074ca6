import type { Limit } from "../tenant/throttle-settings.ts";

const mostBuckets = 100_000;

/**
 * Counts attempts in this process's memory. Beyond 100,000 subjects buckets are dropped: first empty ones,
 * then the oldest. That lets a flood of addresses through a little early, and keeps memory bounded.
 */
export class LocalBuckets {
  /** By subject, the moment at which the bucket is empty again. */
  readonly #spentUntil = new Map<string, number>();

  /** Counts one attempt, unless the limit is reached. Returns how long to wait; 0: it was let through. */
  take(subject: string, limit: Limit, nowMs: number): number {
    const waitMs = this.waitOf(subject, limit, nowMs);
    if (waitMs > 0) return waitMs;
    const spentUntil = Math.max(this.#spentUntil.get(subject) ?? 0, nowMs) + limit.periodMs / limit.count;
    if (!this.#spentUntil.has(subject) && this.#spentUntil.size >= mostBuckets) this.#makeRoom(nowMs);
    this.#spentUntil.set(subject, spentUntil);
    return 0;
  }

  /** Time until an attempt of a subject would be let through; counts nothing. */
  waitOf(subject: string, { count, periodMs }: Limit, nowMs: number): number {
    const spentUntil = this.#spentUntil.get(subject);
    if (spentUntil === undefined) return 0;
    // The clock was set back by more than a bucket holds, so the stored time is ignored.
    if (spentUntil > nowMs + 2 * periodMs) return 0;
    return Math.max(0, spentUntil + periodMs / count - periodMs - nowMs);
  }

  #makeRoom(nowMs: number): void {
    for (const [subject, spentUntil] of this.#spentUntil) {
      if (spentUntil <= nowMs) this.#spentUntil.delete(subject);
    }
    // A Map keeps its order of insertion.
    for (const subject of this.#spentUntil.keys()) {
      if (this.#spentUntil.size < mostBuckets * 0.9) break;
      this.#spentUntil.delete(subject);
    }
  }
}
