import { type EventClass, membersOf } from "../domain/event/event-class.ts";
import { batchSize, inBatches } from "./batches.ts";
import type { Database } from "./database.ts";

/** How long events are kept, and the IP address and User-Agent within them. */
export interface EventRetention {
  readonly classesMs: Readonly<Record<EventClass, number>>;
  readonly clientDetailsMs: number;
}

/** What was done. */
export interface EventsRemoved {
  readonly events: number;
  readonly clientDetails: number;
}

const eventClasses = [
  "changes",
  "sign_ins",
  "failures",
  "unknown_names",
  "messages",
] as const satisfies readonly EventClass[];

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
  let events = 0;
  for (const eventClass of eventClasses) {
    const { types, hasIdentity } = membersOf(eventClass);
    const ofIdentity = hasIdentity === undefined ? "" : `AND (identity_id IS NOT NULL) = ${hasIdentity}`;
    // A type at a time, so that each batch is one range of the index.
    for (const type of types) {
      const values = [type, before(classesMs[eventClass])];
      events += await inBatches(
        database,
        `DELETE FROM ostiary.event WHERE (tenant_id, position) IN (
          SELECT tenant_id, position FROM ostiary.event
          WHERE type = $1 AND created_at < $2 ${ofIdentity} LIMIT ${batchSize}
        ) RETURNING tenant_id`,
        values,
      );
    }
  }
  const clientDetails = await inBatches(
    database,
    `UPDATE ostiary.event SET ip_address = NULL, user_agent = NULL WHERE (tenant_id, position) IN (
      SELECT tenant_id, position FROM ostiary.event
      WHERE created_at < $1 AND ${hasClientDetails} LIMIT ${batchSize}
    ) RETURNING tenant_id`,
    [before(clientDetailsMs)],
  );
  return { events, clientDetails };
}

/** The condition of an index. */
const hasClientDetails = "(ip_address IS NOT NULL OR user_agent IS NOT NULL)";
