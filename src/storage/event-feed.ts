import type { Client } from "pg";
import type { EventFeed, FeedEvent, FeedFollower, FeedPosition } from "../domain/event/feed.ts";
import type { IdentityId, SessionId, TenantId } from "../domain/ids.ts";
import type { JsonObject } from "../domain/json.ts";
import { keepRunning } from "../domain/keep-running.ts";
import type { Logger } from "../domain/ports.ts";
import { columnTypes } from "./column-types.ts";
import { ensureEpoch } from "./event-epoch.ts";
import { OwnConnection } from "./own-connection.ts";

/** The shortest time between two reads, however much is written. */
const shortestIntervalMs = 10;
/** How many events one read takes. */
const pageSize = 1_000;
/** How many reads follow each other to catch up. Where there is more than they take, followers begin anew. */
const mostPages = 20;
/** The longest interruption that is caught up with; long before events are so old that they are removed. */
const longestGapMs = 300_000;

interface FeedOptions {
  /** Asked at each connect: the password may have been changed. */
  readonly url: () => string;
  readonly logger: Logger;
  /** The longest time between two reads. */
  readonly intervalMs: number;
}

/** The feed while it runs. */
export interface OpenEventFeed extends EventFeed {
  stop(): Promise<void>;
  /** Makes its connection anew: the one that is open leads nowhere. */
  reconnect(): void;
}

/**
 * $1 the snapshot of the read before, or null for the first; $2 the snapshot to read up to, or null for now; $3 the event to go on
 * after, or null; $4 limit.
 *
 * What has become visible between two snapshots is what was written by transactions that the former one did not know yet, or knew to be
 * running. So nothing waits for a transaction that stays open, nothing is read twice, and what commits late is not missed. There is always
 * one row, with nulls where there is no event.
 */
const readStatement = {
  name: "read_event_feed",
  text: `WITH target AS MATERIALIZED (
      SELECT coalesce($2::pg_snapshot, pg_current_snapshot()) AS snapshot
    ), news AS (
      SELECT e.tenant_id, e.position, e.transaction_id, e.type, e.identity_id, e.session_id, e.data
      FROM ostiary.event e
      WHERE e.transaction_id >= pg_snapshot_xmax($1::pg_snapshot)
        AND e.position > coalesce($3::bigint, 0)
        AND ($2::pg_snapshot IS NULL OR pg_visible_in_snapshot(e.transaction_id, $2::pg_snapshot))
      UNION ALL
      SELECT e.tenant_id, e.position, e.transaction_id, e.type, e.identity_id, e.session_id, e.data
      FROM ostiary.event e
      WHERE e.transaction_id = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
        AND e.position > coalesce($3::bigint, 0)
        AND ($2::pg_snapshot IS NULL OR pg_visible_in_snapshot(e.transaction_id, $2::pg_snapshot))
    )
    SELECT p.epoch, target.snapshot::text AS snapshot, pg_snapshot_xmin(target.snapshot) AS oldest,
      pg_snapshot_xmax(target.snapshot) AS next, clock_timestamp() AS read_at, news.*
    FROM target CROSS JOIN (SELECT epoch FROM ostiary.event_epoch WHERE "only" = 1) p LEFT JOIN news ON true
    ORDER BY news.position LIMIT $4`,
};

interface Row {
  readonly epoch: string;
  readonly snapshot: string;
  readonly oldest: string;
  readonly next: string;
  readonly read_at: Date;
  /** Null, as all that follows: there is no event. */
  readonly position: string | null;
  readonly tenant_id: TenantId;
  readonly transaction_id: string;
  readonly type: FeedEvent["type"];
  readonly identity_id: IdentityId | null;
  readonly session_id: SessionId | null;
  readonly data: JsonObject;
}

/** What a read saw. */
interface Seen {
  readonly epoch: bigint;
  readonly snapshot: string;
  /** All transactions below it are over. */
  readonly oldest: bigint;
  /** No transaction from here on had begun. */
  readonly next: bigint;
  readonly readAt: Date;
}

/** How far a read of many events has come, of which each takes a part. It goes on where it was, also on another connection. */
interface Part {
  readonly target: Seen;
  readonly begunAt: number;
  readonly parts: number;
  /** The position of the last event that was told. */
  readonly after: string;
}

/** Opens the feed. Returns at once; a database that is away is waited for. */
export function openEventFeed(options: FeedOptions): OpenEventFeed {
  return new Feed(options);
}

class Feed implements OpenEventFeed {
  readonly #options: FeedOptions;
  readonly #connection: OwnConnection;
  readonly #followers = new Set<FeedFollower>();
  readonly #stopping = new AbortController();
  readonly #finished: Promise<void>;
  /** What the read before saw; undefined before the first. */
  #seen: Seen | undefined;
  #part: Part | undefined;
  #heardAt = Number.NEGATIVE_INFINITY;
  #isDue = false;
  /** Ends the wait for the next read. */
  #endWait = () => {};

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#connection = new OwnConnection({ url: options.url, application: "ostiary feed" });
    const { signal } = this.#stopping;
    const work = (succeeded: () => void) =>
      this.#connection.run(signal, (client, ended) => this.#readOn(client, ended, succeeded));
    this.#finished = keepRunning(work, {
      signal,
      // Nothing that is kept in memory is used meanwhile.
      firstPauseMs: 100,
      longestPauseMs: 1_000,
      onFailure: (error, failures) => {
        if (failures !== 1) return;
        options.logger.warn(
          { error },
          "the event log cannot be read, trying again: sessions are read from the database",
        );
      },
    });
  }

  follow(follower: FeedFollower): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  get position(): FeedPosition | undefined {
    return this.#seen && positionOf(this.#seen);
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  wake(): void {
    this.#isDue = true;
    this.#endWait();
  }

  stop(): Promise<void> {
    this.#stopping.abort();
    return this.#finished;
  }

  reconnect(): void {
    this.#connection.reconnect();
  }

  /** Reads again and again until the connection has ended; throws when a read fails. */
  async #readOn(client: Client, ended: AbortSignal, succeeded: () => void): Promise<void> {
    ended.addEventListener("abort", () => this.#endWait());
    await prepare(client);
    while (!ended.aborted) {
      this.#isDue = false;
      const begunAt = performance.now();
      const isAll = await this.#read(client, ended);
      succeeded();
      if (isAll) await this.#wait(begunAt, ended);
    }
  }

  /** Until the next read is due: after the interval, or at once when something was written. */
  async #wait(begunAt: number, ended: AbortSignal): Promise<void> {
    const sinceMs = () => performance.now() - begunAt;
    if (!this.#isDue) await this.#pause(this.#options.intervalMs - sinceMs(), ended);
    if (ended.aborted || sinceMs() >= shortestIntervalMs) return;
    await new Promise((resolve) => setTimeout(resolve, shortestIntervalMs - sinceMs()));
  }

  /** Waits, at most until it is woken. */
  #pause(ms: number, ended: AbortSignal): Promise<void> {
    if (ended.aborted || ms <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Reads what has become visible since the read before, or a part of it. Returns whether that is all. */
  async #read(client: Client, ended: AbortSignal): Promise<boolean> {
    const { before, part } = { before: this.#seen, part: this.#part };
    const begunAt = part?.begunAt ?? performance.now();
    const rows = await read(client, before, part);
    // Another connection may be reading the same by now.
    if (ended.aborted) return true;
    const now = seenBy(rows[0]);
    if (before === undefined) {
      this.#seen = now;
      this.#heardAt = begunAt;
      this.#tell((follower) => follower.reset());
      this.#tellOf([], now);
      return true;
    }
    const parts = (part?.parts ?? 0) + 1;
    const isAll = rows.length < pageSize;
    const reason = isAll || parts < mostPages ? interruption(before, now) : "too many events";
    if (reason !== undefined) {
      const text =
        "the event log is not followed from where it was left: what is kept in memory is forgotten";
      this.#options.logger.warn({ reason }, text);
      this.#seen = undefined;
      this.#part = undefined;
      return false;
    }
    const target = part?.target ?? now;
    const last = rows.at(-1)?.position ?? null;
    this.#part = isAll || last === null ? undefined : { target, begunAt, parts, after: last };
    if (isAll) {
      this.#seen = target;
      this.#heardAt = begunAt;
    }
    this.#tellOf(rows, isAll ? target : before);
    return isAll;
  }

  #tellOf(rows: readonly Row[], seen: Seen): void {
    const events = rows.flatMap((row) => (row.position === null ? [] : [toEvent(row)]));
    this.#tell((follower) => follower.heard(events, positionOf(seen)));
  }

  #tell(how: (follower: FeedFollower) => void): void {
    for (const follower of [...this.#followers]) {
      try {
        how(follower);
      } catch (error) {
        // Its own mistake; the others must not miss anything by it.
        this.#options.logger.error({ err: error }, "a follower of the event log has failed");
      }
    }
  }
}

/** Settings of the connection, beside those that all have. */
async function prepare(client: Client): Promise<void> {
  // The statement always wants the few newest rows, by their index; with parameters instead of numbers PostgreSQL expects many.
  await client.query(
    "SELECT set_config('enable_seqscan', 'off', false), set_config('jit', 'off', false), set_config('plan_cache_mode', 'force_generic_plan', false)",
  );
  await ensureEpoch(async <Row extends object>(text: string, values: readonly unknown[] = []) => {
    const { rows } = await client.query<Row>({ text, values: [...values], types: columnTypes });
    return rows;
  });
}

async function read(client: Client, before: Seen | undefined, part: Part | undefined): Promise<Row[]> {
  const values = [before?.snapshot, part?.target.snapshot, part?.after, pageSize];
  return (await client.query<Row>({ ...readStatement, values, types: columnTypes })).rows;
}

function seenBy(row: Row | undefined): Seen {
  if (row === undefined) throw new Error("the event log has no epoch");
  return {
    epoch: BigInt(row.epoch),
    snapshot: row.snapshot,
    oldest: BigInt(row.oldest),
    next: BigInt(row.next),
    readAt: row.read_at,
  };
}

/** Why what was seen now does not go on where the read before was; undefined if it does. */
function interruption(before: Seen, now: Seen): string | undefined {
  if (now.epoch !== before.epoch) return "it is the log of another database";
  if (now.next < before.next) return "its numbers have gone back";
  return now.readAt.getTime() - before.readAt.getTime() > longestGapMs
    ? "it was not read for long"
    : undefined;
}

function positionOf({ epoch, oldest }: Seen): FeedPosition {
  return { epoch, sequence: oldest - 1n };
}

function toEvent(row: Row): FeedEvent {
  return {
    tenantId: row.tenant_id,
    type: row.type,
    identityId: row.identity_id ?? undefined,
    sessionId: row.session_id ?? undefined,
    data: row.data,
    sequence: BigInt(row.transaction_id),
  };
}
