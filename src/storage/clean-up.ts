import type { Database } from "./database.ts";

/** How many rows one statement removes: few enough that nobody waits for it. */
const batchSize = 1_000;

/** How many rows were removed. */
export interface RemovedRows {
  readonly sessions: number;
  readonly flows: number;
  readonly idempotencyRecords: number;
  readonly messages: number;
  readonly throttleCounters: number;
  readonly devices: number;
  readonly invitations: number;
}

/**
 * Removes what has ended longer ago than the retention: sessions that expired or were revoked, flows that expired,
 * invitations that were used or revoked or expired; request ids and known devices that expired; counters of attempts that are empty; messages that were sent, given up or
 * suppressed longer ago than theirs. Events are kept. Works through all tenants, in batches, so that it can be
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
    throttleCounters: await removeInBatches(
      database,
      "throttle_counter",
      "key",
      "spent_until_us",
      options.now.getTime() * 1000,
    ),
    devices: await removeInBatches(database, "device", "token_digest", "expires_at", options.now),
    invitations: await removeInBatches(database, "invitation", "id", "ends_at", before),
  };
}

/** All names come from the code above. */
async function removeInBatches(
  database: Database,
  table: string,
  key: string,
  column: string,
  before: Date | number,
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
