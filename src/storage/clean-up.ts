import { batchSize, inBatches } from "./batches.ts";
import type { Database } from "./database.ts";

/**
 * What is removed: rows of a table, by their key, once the time in a column is past. `keptFor` is which retention they have; those
 * without one are removed at once. `only`: a condition on the rows.
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
  // They hold what strangers typed, and nobody sees them.
  {
    rows: "messages",
    table: "message",
    key: "id",
    column: "ended_at",
    only: "state = 'suppressed'",
    keptFor: "retentionMs",
  },
  // Marks that were removed, and those of addresses without an account: no code is ever entered for these.
  {
    rows: "addressMarks",
    table: "address_mark",
    key: "value",
    column: "updated_at",
    only: `((bounced_at IS NULL AND complained_at IS NULL) OR NOT EXISTS (
      SELECT FROM ostiary.identity_verifiable_address v
      WHERE v.tenant_id = address_mark.tenant_id AND v.kind = 'email' AND v.value = address_mark.value
    ))`,
    keptFor: "messageRetentionMs",
  },
  { rows: "throttleCounters", table: "throttle_counter", key: "key", column: "spent_until_us" },
  { rows: "signingKeys", table: "signing_key", key: "ordinal", column: "ends_at", keptFor: "retentionMs" },
  { rows: "devices", table: "device", key: "token_digest", column: "expires_at" },
  { rows: "invitations", table: "invitation", key: "id", column: "ends_at", keptFor: "retentionMs" },
] as const;

type Rule = (typeof rules)[number];

/**
 * Removes what has ended longer ago than it is kept: sessions that expired or were revoked, flows that expired, invitations that
 * were used or revoked or expired; keys that signed tokens, once they are published no longer; messages that were sent, given up or suppressed; marks of addresses that nobody has; request ids and known devices that expired;
 * counters of attempts that are empty. Events have event-retention.ts. Works through all tenants, in batches, so that it can be interrupted at
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
function removeInBatches(database: Database, rule: Rule, before: Date): Promise<number> {
  const { table, key, column } = rule;
  const end = column === "spent_until_us" ? before.getTime() * 1000 : before;
  const condition = `${column} < $1${"only" in rule ? ` AND ${rule.only}` : ""}`;
  // The condition stands twice: a row whose end was moved meanwhile stays.
  return inBatches(
    database,
    `DELETE FROM ostiary.${table} WHERE ${condition} AND (tenant_id, ${key}) IN (
      SELECT tenant_id, ${key} FROM ostiary.${table} WHERE ${condition} LIMIT ${batchSize}
    )
    RETURNING tenant_id`,
    [end],
  );
}
