import type { Database } from "./database.ts";

/** How many rows one statement removes: few enough that nobody waits for it. */
const batchSize = 1_000;

/**
 * What is removed: rows of a table, by their key, once the time in a column is past. `keptFor` is which retention they have; those
 * without one are removed at once.
 */
const rules = [
  { rows: "sessions", table: "session", key: "id", column: "expires_at", keptFor: "retentionMs" },
  { rows: "sessions", table: "session", key: "id", column: "revoked_at", keptFor: "retentionMs" },
  { rows: "flows", table: "flow", key: "digest", column: "expires_at", keptFor: "retentionMs" },
  {
    rows: "idempotencyRecords",
    table: "idempotency_record",
    key: "caller, method, request_id",
    column: "expires_at",
  },
  { rows: "messages", table: "message", key: "id", column: "ended_at", keptFor: "messageRetentionMs" },
  { rows: "throttleCounters", table: "throttle_counter", key: "key", column: "spent_until_us" },
  { rows: "devices", table: "device", key: "token_digest", column: "expires_at" },
  { rows: "invitations", table: "invitation", key: "id", column: "ends_at", keptFor: "retentionMs" },
] as const;

type Rule = (typeof rules)[number];

/**
 * Removes what has ended longer ago than it is kept: sessions that expired or were revoked, flows that expired, invitations that
 * were used or revoked or expired; messages that were sent, given up or suppressed; request ids and known devices that expired;
 * counters of attempts that are empty. Events are kept. Works through all tenants, in batches, so that it can be interrupted at
 * any time. Returns how many rows were removed.
 */
export async function removeExpired(
  database: Database,
  options: { readonly now: Date; readonly retentionMs: number; readonly messageRetentionMs: number },
): Promise<Readonly<Record<Rule["rows"], number>>> {
  const removed = Object.fromEntries(rules.map(({ rows }) => [rows, 0])) as Record<Rule["rows"], number>;
  for (const rule of rules) {
    const keptMs = "keptFor" in rule ? options[rule.keptFor] : 0;
    removed[rule.rows] += await removeInBatches(database, rule, new Date(options.now.getTime() - keptMs));
  }
  return removed;
}

/** All names come from the table above. */
async function removeInBatches(
  database: Database,
  { table, key, column }: Rule,
  before: Date,
): Promise<number> {
  const end = column === "spent_until_us" ? before.getTime() * 1000 : before;
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
      [end],
    );
    total += removed.length;
    if (removed.length < batchSize) return total;
  }
}
