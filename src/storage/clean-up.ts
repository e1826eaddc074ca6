import type { Database } from "./database.ts";

/** How many rows one statement removes: few enough that nobody waits for it. */
const batchSize = 1_000;

/** How many rows were removed. */
export interface RemovedRows {
  readonly sessions: number;
  readonly flows: number;
  readonly idempotencyRecords: number;
  readonly messages: number;
}

/**
 * Removes what has ended longer ago than the retention: sessions that expired or were revoked, flows that expired;
 * request ids that expired; messages that were sent, given up or suppressed longer ago than theirs. Events are kept. Works through all tenants, in batches, so that it can be
 * interrupted at any time.
 */
export async function removeExpired(
  database: Database,
  options: { readonly now: Date; readonly retentionMs: number; readonly messageRetentionMs: number },
): Promise<RemovedRows> {
  const before = new Date(options.now.getTime() - options.retentionMs);
  const messagesBefore = new Date(options.now.getTime() - options.messageRetentionMs);
  return {
    sessions:
      (await removeInBatches(database, "session", "id", "expires_at", before)) +
      (await removeInBatches(database, "session", "id", "revoked_at", before)),
    flows: await removeInBatches(database, "flow", "digest", "expires_at", before),
    idempotencyRecords: await removeInBatches(
      database,
      "idempotency_record",
      "caller, method, request_id",
      "expires_at",
      options.now,
    ),
    messages: await removeInBatches(database, "message", "id", "ended_at", messagesBefore),
  };
}

/** All names come from the code above. */
async function removeInBatches(
  database: Database,
  table: string,
  key: string,
  column: string,
  before: Date,
): Promise<number> {
  let total = 0;
  for (;;) {
    // The condition stands twice: a row whose end was moved meanwhile stays.
    const removed = await database.query(
      undefined,
      {
        text: `DELETE FROM ostiary.${table} WHERE ${column} < $1 AND (tenant_id, ${key}) IN (
            SELECT tenant_id, ${key} FROM ostiary.${table} WHERE ${column} < $1 LIMIT ${batchSize}
          )
          RETURNING tenant_id`,
      },
      [before],
    );
    total += removed.length;
    if (removed.length < batchSize) return total;
  }
}
