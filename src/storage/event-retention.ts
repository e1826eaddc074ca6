import { type EventClass, eventClasses } from "../domain/event/event-class.ts";
import { batchSize, inBatches } from "./batches.ts";
import type { Database } from "./database.ts";
import { defaultPartition, dropMonths, noteRemoved } from "./event-partitions.ts";

/** How long events are kept, and the IP address and User-Agent within them. */
export interface EventRetention {
  readonly classesMs: Readonly<Record<EventClass, number>>;
  readonly clientDetailsMs: number;
}

/** What was done. */
export interface EventsRemoved {
  /** Events that were removed one by one. */
  readonly events: number;
  /** Partitions that were dropped as a whole. */
  readonly months: number;
  readonly clientDetails: number;
}

/**
 * A class that is kept for a shorter time than this is removed to the day, event by event. Of the others whole months are dropped, which
 * costs nothing; they are kept for up to a month longer, without IP address and User-Agent.
 */
const shortMs = 62 * 86_400_000;

/**
 * Removes the events that are older than their class is kept, and from the others the IP address and User-Agent that are older than
 * these are. Works through all tenants, in batches, so that it can be interrupted at any time and run by several at once.
 */
export async function removeOldEvents(
  database: Database,
  now: Date,
  { classesMs, clientDetailsMs }: EventRetention,
): Promise<EventsRemoved> {
  const before = (keptMs: number) => new Date(now.getTime() - keptMs);
  const months = await dropMonths(database, (eventClass) => before(classesMs[eventClass]));
  // What a release after this one has written, in a class that is not known here.
  let events = await removeFrom(database, "ostiary.event_default", before(classesMs.changes));
  let clientDetails = await forgetIn(database, "ostiary.event_default", before(clientDetailsMs));
  for (const eventClass of eventClasses) {
    const keptMs = classesMs[eventClass];
    const table = keptMs < shortMs ? `ostiary.event_${eventClass}` : defaultPartition(eventClass);
    events += await removeFrom(database, table, before(keptMs));
    const detailsMs = Math.min(keptMs, clientDetailsMs);
    clientDetails += await forgetIn(database, `ostiary.event_${eventClass}`, before(detailsMs));
  }
  return { events, months, clientDetails };
}

/** Notes up to where, so that who reads on from before is told so. */
function removeFrom(database: Database, table: string, before: Date): Promise<number> {
  return inBatches(
    database,
    `WITH gone AS (
      DELETE FROM ${table} WHERE created_at < $1 AND (tenant_id, position, created_at) IN (
        SELECT tenant_id, position, created_at FROM ${table} WHERE created_at < $1 LIMIT ${batchSize}
      ) RETURNING tenant_id, transaction_id
    ), noted AS (${noteRemoved("(SELECT max(transaction_id) FROM gone)")})
    SELECT tenant_id FROM gone`,
    [before],
  );
}

function forgetIn(database: Database, table: string, before: Date): Promise<number> {
  return inBatches(
    database,
    `UPDATE ${table} SET ip_address = NULL, user_agent = NULL
    WHERE created_at < $1 AND ${hasClientDetails} AND (tenant_id, position, created_at) IN (
      SELECT tenant_id, position, created_at FROM ${table} WHERE created_at < $1 AND ${hasClientDetails} LIMIT ${batchSize}
    ) RETURNING tenant_id`,
    [before],
  );
}

/** The condition of an index. */
const hasClientDetails = "(ip_address IS NOT NULL OR user_agent IS NOT NULL)";
