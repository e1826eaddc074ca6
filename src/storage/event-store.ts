import type { LoginEvent, LoginEventType } from "../domain/event/login-history.ts";
import type { EventStore } from "../domain/event/store.ts";
import type { Database, Statement } from "./database.ts";
import { eventsParameter, insertEvents } from "./event-sql.ts";
import { afterPosition, byCreation, positionOf, toPage } from "./keyset.ts";
import { type EventRow, eventRow, readEvent } from "./rows.generated.ts";

interface RecordedRow extends EventRow {
  readonly epoch: string;
  readonly transaction_id: string;
  readonly position: string;
}

const appendStatement: Statement = {
  name: "append_events",
  text: `WITH always AS (SELECT) ${insertEvents({ tenant: "$1", events: "$2", from: "always" })}`,
};

/** The same; its name tells what the server writes by itself from what a call writes. */
const appendGatheredStatement: Statement = {
  name: "append_gathered_events",
  text: `WITH gathered AS (SELECT) ${insertEvents({ tenant: "$1", events: "$2", from: "gathered" })}`,
};

/**
 * $1 tenant, $2 epoch, $3 transaction and $4 position of the cursor, $5 limit.
 *
 * Numbers are given out in the order of writing, but rows appear in the order of commits: a reader that remembered
 * only the greatest number would skip a transaction that took a smaller one and commits later. Transaction ids
 * are ordered by their beginning; all below the oldest running one have ended, so nothing can appear among them.
 */
const readAfterStatement: Statement = {
  name: "read_events_after",
  text: `SELECT p.epoch, e.transaction_id, e.position, ${eventRow.selected}
    FROM ostiary.event_epoch p, ostiary.event e
    WHERE e.tenant_id = $1
      AND (p.epoch IS DISTINCT FROM $2::bigint OR (e.transaction_id, e.position) > ($3::xid8, $4::bigint))
      AND e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY e.transaction_id, e.position
    LIMIT $5`,
};

/** $1 tenant, $2 identity, $3 and $4 the position to go on from or null, $5 limit. */
const listLoginsStatement: Statement = {
  text: `SELECT ${eventRow.selected} FROM ostiary.event e
    WHERE e.tenant_id = $1 AND e.identity_id = $2 AND ${afterPosition("e", "$3", "$4")}
      AND e.type IN ('login.succeeded', 'login.failed', 'registration.succeeded', 'recovery.succeeded')
    ORDER BY e.created_at DESC, e.id DESC LIMIT $5`,
};

/**
 * The event log on PostgreSQL. A cursor of another epoch reads from the beginning: the epoch in what comes back
 * tells the reader that what it knows is of another log.
 */
export function createEventStore(database: Database): EventStore {
  return {
    async append(scope, events) {
      if (events.length === 0) return;
      await database.query(scope, appendStatement, [scope.tenantId, eventsParameter(events)]);
    },

    async appendGathered(scope, events) {
      await database.query(scope, appendGatheredStatement, [scope.tenantId, eventsParameter(events)]);
    },

    async readAfter(scope, cursor, limit) {
      const values = [scope.tenantId, cursor?.epoch, cursor?.transactionId, cursor?.position, limit];
      const rows = await database.query<RecordedRow>(scope, readAfterStatement, values);
      return rows.map((row) => ({
        ...readEvent(row),
        cursor: { epoch: row.epoch, transactionId: row.transaction_id, position: row.position },
      }));
    },

    async listLogins(scope, identityId, page) {
      const { createdAt, id } = positionOf(page);
      const rows = await database.query<EventRow & { readonly e_type: LoginEventType }>(
        scope,
        listLoginsStatement,
        [scope.tenantId, identityId, createdAt, id, page.size + 1],
      );
      const items = rows.map((row): LoginEvent => ({ ...readEvent(row), type: row.e_type }));
      return toPage(items, page.size, byCreation);
    },
  };
}
