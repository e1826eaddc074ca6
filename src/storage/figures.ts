/** Figures of the storage, for the metrics. */
import type { Pool } from "pg";
import type { Database } from "./database.ts";

/** The connections of a pool. */
export interface PoolFigures {
  readonly name: "calls" | "jobs";
  readonly used: number;
  readonly idle: number;
  /** The most that are opened. */
  readonly limit: number;
  /** Statements and transactions that wait for a connection. */
  readonly waiting: number;
}

/** Reads the figures of a pool. */
export function poolFigures(name: PoolFigures["name"], pool: Pool): PoolFigures {
  const { totalCount, idleCount, waitingCount, options } = pool;
  return { name, used: totalCount - idleCount, idle: idleCount, limit: options.max, waiting: waitingCount };
}

/** What waits in the queue of messages, and what was given up. */
export interface CourierBacklog {
  readonly queued: number;
  readonly retrying: number;
  readonly sending: number;
  readonly failed: number;
  /** When the oldest message that is not sent was made; undefined if there is none. */
  readonly oldestAt: Date | undefined;
}

/** Up to so many messages are counted, so that a look stays cheap when a queue has grown in an outage. */
const mostCounted = 100_000;

/** The backlog of all tenants together. One statement, which reads the indexes of what waits and of what failed. */
export async function courierBacklog(database: Database): Promise<CourierBacklog> {
  const [row] = await database.query<{
    readonly queued: string;
    readonly retrying: string;
    readonly sending: string;
    readonly failed: string;
    readonly oldest: Date | null;
  }>(undefined, backlogStatement, []);
  if (row === undefined) throw new Error("an aggregate has one row");
  return {
    queued: Number(row.queued),
    retrying: Number(row.retrying),
    sending: Number(row.sending),
    failed: Number(row.failed),
    oldestAt: row.oldest ?? undefined,
  };
}

const backlogStatement = {
  name: "courier_backlog",
  text: `WITH waiting AS (
      SELECT state, attempts, created_at FROM ostiary.message WHERE state IN ('queued', 'sending')
      ORDER BY next_attempt_at LIMIT ${mostCounted}
    ), failed AS (
      SELECT 1 FROM ostiary.message WHERE state = 'failed' LIMIT ${mostCounted}
    )
    SELECT count(*) FILTER (WHERE state = 'queued' AND attempts = 0) AS queued,
      count(*) FILTER (WHERE state = 'queued' AND attempts > 0) AS retrying,
      count(*) FILTER (WHERE state = 'sending') AS sending,
      (SELECT count(*) FROM failed) AS failed, min(created_at) AS oldest
    FROM waiting`,
};
