import type { TenantId } from "./ids.ts";
import type { Clock, Logger } from "./ports.ts";

/** One use to note. */
export interface Use<Id> {
  readonly tenantId: TenantId;
  readonly id: Id;
  readonly usedAt: Date;
}

interface Deps<Id> {
  readonly write: (uses: readonly Use<Id>[]) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
}

const coarseMs = 60_000;
const mostUses = 100_000;

/**
 * Gathers in memory when sessions or keys were used, so that a check writes nothing; `flush` writes them all in one
 * statement. A time is only noted when the known one is a minute old. Beyond 100,000 waiting uses new ones are
 * dropped: an idle time that is known a little less well is better than memory without a bound.
 */
export class LastUseRecorder<Id extends string> {
  readonly #deps: Deps<Id>;
  #waiting = new Map<string, Use<Id>>();

  constructor(deps: Deps<Id>) {
    this.#deps = deps;
  }

  /** Notes a use of now or some time ago, unless the known last one is recent. Returns when it was used, if that is noted. */
  note(tenantId: TenantId, id: Id, lastUsedAt: Date | undefined, agoMs = 0): Date | undefined {
    const usedAt = new Date(this.#deps.clock.now().getTime() - agoMs);
    if (lastUsedAt !== undefined && usedAt.getTime() - lastUsedAt.getTime() < coarseMs) return undefined;
    if (this.#waiting.size >= mostUses) return undefined;
    this.#waiting.set(`${tenantId}/${id}`, { tenantId, id, usedAt });
    return usedAt;
  }

  /** Writes what was gathered. A failure is logged and the uses are kept for the next time. */
  async flush(): Promise<void> {
    if (this.#waiting.size === 0) return;
    const uses = this.#waiting;
    this.#waiting = new Map();
    try {
      await this.#deps.write([...uses.values()]);
    } catch (error) {
      for (const [key, use] of uses) if (!this.#waiting.has(key)) this.#waiting.set(key, use);
      this.#deps.logger.warn(
        { err: error, count: uses.size },
        "last uses could not be written, trying again later",
      );
    }
  }
}
