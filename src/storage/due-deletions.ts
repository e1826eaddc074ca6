import { type Event, newEvent, serverOrigin } from "../domain/event/event.ts";
import type { CredentialWithSecret } from "../domain/identity/identity.ts";
import type { IdentityId, TenantId } from "../domain/ids.ts";
import type { Database, Statement } from "./database.ts";
import { leaveWaitingFlows } from "./end-flows.ts";
import { derivedEventId, eventsParameter, insertEvents } from "./event-sql.ts";

/** How many accounts one statement deletes, with everything of them: few enough that nobody waits for it. */
const batchSize = 100;

/** $1 now. */
const findDueStatement: Statement = {
  text: `SELECT tenant_id, id FROM ostiary.identity WHERE purge_at <= $1 ORDER BY purge_at LIMIT ${batchSize}`,
};

/** What was kept with a link of a deleted account. */
type Kept = Pick<CredentialWithSecret, "secret" | "facts">;

/** Told of the links of deleted accounts, with what was kept of them. */
export type LinksDeleted = (tenantId: TenantId, links: readonly Kept[]) => void;

/**
 * $1 tenant, $2 identities, $3 now, $4 event. The links are read as they were before. Security rule (SR-SETTINGS-2): an account that is kept at the same moment stays. Its row is read
 * again once the other change is done, and the condition stands here as well.
 */
const deleteDueStatement: Statement = {
  text: `WITH deleted AS (
    DELETE FROM ostiary.identity
    WHERE tenant_id = $1 AND id = ANY ($2::uuid[]) AND purge_at <= $3
    RETURNING id
  ), left_waiting AS (
    ${leaveWaitingFlows("tenant_id = $1 AND identity_id IN (SELECT id FROM deleted)")}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$4", from: "deleted", identityId: "deleted.id", id: derivedEventId })}
  )
  SELECT deleted.id, (
    SELECT json_agg(json_build_object('secret', c.secret, 'facts', c.facts)) FROM ostiary.identity_credential c
    WHERE c.tenant_id = $1 AND c.identity_id = deleted.id AND c.kind = 'oidc' AND c.secret <> ''
  ) AS links FROM deleted`,
};

/**
 * Deletes the accounts whose owners asked for it and whose period of grace is over, inactive ones as well, each with its
 * event. Works through all tenants, in batches, so that it can be interrupted at any time and run by several at once.
 */
export async function deleteDueAccounts(
  database: Database,
  now: Date,
  onLinksDeleted: LinksDeleted = () => {},
): Promise<number> {
  let total = 0;
  for (;;) {
    const due = await database.query<{ readonly tenant_id: TenantId; readonly id: IdentityId }>(
      undefined,
      findDueStatement,
      [now],
    );
    let deleted = 0;
    for (const [tenantId, rows] of Map.groupBy(due, (row) => row.tenant_id)) {
      const ids = rows.map(({ id }) => id);
      const event = deletionEvent(now);
      const told = ids.map((identityId) => ({ ...event, identityId }));
      const values = [tenantId, ids, now, eventsParameter([event], { told })];
      const gone = await database.query<{ readonly links: readonly Kept[] | null }>(
        { tenantId },
        deleteDueStatement,
        values,
      );
      deleted += gone.length;
      onLinksDeleted(
        tenantId,
        gone.flatMap(({ links }) => links ?? []),
      );
    }
    total += deleted;
    // Of a full batch of which none was left to delete the rest is somebody else's: another server's, or kept.
    if (due.length < batchSize || deleted === 0) return total;
  }
}

/** Written for each account; the statement gives it the account and an id of its own. */
function deletionEvent(now: Date): Event {
  return newEvent("identity.deleted", now, serverOrigin, { data: { reason: "owner_requested" } });
}
