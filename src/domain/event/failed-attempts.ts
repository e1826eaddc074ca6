import type { TenantId } from "../ids.ts";
import type { Clock, Logger, TenantScope } from "../ports.ts";
import type { Event } from "./event.ts";
import type { EventStore } from "./store.ts";

/** How long attempts for names that nobody has are gathered into one event. */
const windowMs = 60_000;
/** How many such events a window has beside those that gather the rest: one for each IP address, method and reason. */
const mostTallies = 100;
/** How many attempts for accounts wait to be written. More come only while the database is away. */
const mostWaiting = 10_000;
/** How many events one statement writes. */
const batchSize = 500;

interface Deps {
  readonly events: Pick<EventStore, "appendGathered">;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Waiting {
  readonly tenantId: TenantId;
  readonly event: Event;
}

interface Tally extends Waiting {
  attempts: number;
  until: Date;
  /** Whether it stands for several IP addresses. */
  readonly isRest: boolean;
}

/**
 * The events of attempts that failed: `login.failed` and `login.throttled`. They are gathered and written within a second, each one
 * of an account by itself, and those for names that nobody has as one event for each IP address, method and reason in a minute,
 * with the number of `attempts` and the time of the last (`until`). So strangers fill no table: there are at most 100 such events
 * in a minute, and one or two for the rest.
 *
 * Security rule (SR-ENUM-11): no attempt waits for its event. If only those for accounts were written at once, the time of the answer would
 * tell which names have one.
 *
 * A process that is killed loses those of its last second, and what it has gathered of unknown names.
 */
export class FailedAttempts {
  readonly #deps: Deps;
  #waiting: Waiting[] = [];
  #tallies = new Map<string, Tally>();
  #windowEndsAt = 0;
  #dropped = 0;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Takes the events of failed attempts, and gives back the others. */
  note({ tenantId }: TenantScope, events: readonly Event[]): readonly Event[] {
    return events.filter((event) => {
      if (event.type !== "login.failed" && event.type !== "login.throttled") return true;
      if (event.identityId === undefined) this.#tally(tenantId, event);
      else if (this.#waiting.length < mostWaiting) this.#waiting.push({ tenantId, event });
      else this.#dropped++;
      return false;
    });
  }

  /** Writes what is due. What cannot be written is logged, and kept for the next time. */
  async flush(): Promise<void> {
    const isOver = this.#deps.clock.now().getTime() >= this.#windowEndsAt;
    await this.#write(isOver ? this.#takeTallies() : []);
  }

  /** Writes all there is, at the end of the process. */
  async finish(): Promise<void> {
    await this.#write(this.#takeTallies());
  }

  #tally(tenantId: TenantId, event: Event): void {
    if (this.#tallies.size === 0) this.#windowEndsAt = event.createdAt.getTime() + windowMs;
    const { type, data, origin } = event;
    const ownKey = JSON.stringify([tenantId, type, data, origin.ipAddress]);
    const isRest = !this.#tallies.has(ownKey) && this.#tallies.size >= mostTallies;
    const key = isRest ? JSON.stringify([tenantId, type]) : ownKey;
    const tally = this.#tallies.get(key);
    if (tally === undefined) {
      this.#tallies.set(key, { tenantId, event, attempts: 1, until: event.createdAt, isRest });
      return;
    }
    tally.attempts++;
    tally.until = event.createdAt;
  }

  #takeTallies(): readonly Waiting[] {
    const tallies = [...this.#tallies.values()];
    this.#tallies = new Map();
    return tallies.map(({ tenantId, event, attempts, until, isRest }) => {
      const { origin, data } = event;
      // A request or agent is named where there was one.
      const one = attempts === 1 ? {} : { requestId: "", userAgent: undefined };
      return {
        tenantId,
        event: {
          ...event,
          origin: { ...origin, ...one, ...(isRest && { ipAddress: undefined }) },
          data: { ...(isRest ? {} : data), attempts, until: until.toISOString() },
        },
      };
    });
  }

  async #write(tallies: readonly Waiting[]): Promise<void> {
    const { events, logger } = this.#deps;
    if (this.#dropped > 0) {
      logger.warn({ count: this.#dropped }, "failed attempts were not recorded: too many waited");
      this.#dropped = 0;
    }
    const due = [...this.#waiting, ...tallies];
    this.#waiting = [];
    const byTenant = [...Map.groupBy(due, ({ tenantId }) => tenantId)];
    const batches = byTenant.flatMap(([tenantId, of]) =>
      Array.from({ length: Math.ceil(of.length / batchSize) }, (_, index) => ({
        tenantId,
        of: of.slice(index * batchSize, (index + 1) * batchSize),
      })),
    );
    for (const [index, { tenantId, of }] of batches.entries()) {
      try {
        await events.appendGathered(
          { tenantId },
          of.map(({ event }) => event),
        );
      } catch (error) {
        const left = batches.slice(index).flatMap((batch) => batch.of);
        this.#waiting = [...left, ...this.#waiting].slice(0, mostWaiting);
        logger.warn(
          { err: error, count: left.length },
          "failed attempts could not be recorded, trying again",
        );
        return;
      }
    }
  }
}
