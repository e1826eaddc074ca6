import { batchSize, inBatches } from "./batches.ts";
import type { Database } from "./database.ts";

/** What was done. */
export interface Forgotten {
  readonly messagesOfDeleted: number;
  readonly eventsOfDeleted: number;
}

/**
 * Identities that were deleted since $1, and are not there again. The event of a deletion is written with it, in whatever way an identity
 * is deleted; so what comes in after it, such as the last attempts to sign in, is found as well.
 */
const deleted = `(
  SELECT DISTINCT e.tenant_id, e.identity_id FROM ostiary.event e
  WHERE e.retention_class = 'changes' AND e.type = 'identity.deleted' AND e.created_at > $1 AND NOT EXISTS (
    SELECT FROM ostiary.identity i WHERE i.tenant_id = e.tenant_id AND i.id = e.identity_id
  )
)`;

/** Messages that were sent or given up. What still waits is sent: it tells the owner of the deletion. */
const messagesStatement = `DELETE FROM ostiary.message WHERE ended_at IS NOT NULL AND (tenant_id, id) IN (
  SELECT m.tenant_id, m.id FROM ${deleted} d
  JOIN ostiary.message m ON m.tenant_id = d.tenant_id AND m.identity_id = d.identity_id
  WHERE m.ended_at IS NOT NULL LIMIT ${batchSize}
) RETURNING tenant_id`;

/** The IP address and User-Agent of what the person did, or somebody in their name. Operators stay known by what they did. */
const eventsStatement = `UPDATE ostiary.event SET ip_address = NULL, user_agent = NULL WHERE (tenant_id, position, retention_class, created_at) IN (
  SELECT e.tenant_id, e.position, e.retention_class, e.created_at FROM ${deleted} d
  JOIN ostiary.event e ON e.tenant_id = d.tenant_id AND e.identity_id = d.identity_id
  WHERE (e.ip_address IS NOT NULL OR e.user_agent IS NOT NULL) AND e.actor ->> 'kind' NOT IN ('api_key', 'certificate')
  LIMIT ${batchSize}
) RETURNING tenant_id`;

/**
 * Removes the personal data that outlives an identity, of all that were deleted since a moment. All else goes with the identity by its
 * foreign keys. What remains are events of an id that nobody has, without IP addresses and User-Agents, for as long as their
 * class is kept.
 */
export async function forgetDeleted(database: Database, since: Date): Promise<Forgotten> {
  return {
    messagesOfDeleted: await inBatches(database, messagesStatement, [since]),
    eventsOfDeleted: await inBatches(database, eventsStatement, [since]),
  };
}
