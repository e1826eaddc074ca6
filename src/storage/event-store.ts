import type { LoginEvent, LoginEventType } from "../domain/event/login-history.ts";
import type { EventStore } from "../domain/event/store.ts";
import type { Database, Statement } from "./database.ts";
import { eventsParameter, insertEvents } from "./event-sql.ts";
import { afterPosition, byCreation, positionOf, toPage } from "./keyset.ts";
import { type EventRow, eventRow, readEvent } from "./rows.generated.ts";

interface RecordedRow extends EventRow {
  readonly epoch: string;
  /** The oldest transaction that runs. */
  readonly oldest: string;
  readonly is_too_old: boolean;
  /** Null, as all of the event: there is none. */
  readonly transaction_id: string | null;
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
 * $1 tenant, $2 epoch, $3 transaction and $4 position of the cursor, $5 limit. There is always one row, with nulls where there is no
 * event.
 *
 * Numbers are given out in the order of writing, but rows appear in the order of commits: a reader that remembered
 * only the greatest number would skip a transaction that took a smaller one and commits later. Transaction ids
 * are ordered by their beginning; all below the oldest running one have ended, so nothing can appear among them.
 */
const readAfterStatement: Statement = {
  name: "read_events_after",
  text: `WITH log AS MATERIALIZED (
      SELECT epoch, pg_snapshot_xmin(pg_current_snapshot()) AS oldest,
        CASE WHEN epoch = $2::bigint THEN $3::xid8 ELSE '0' END AS after_transaction,
        CASE WHEN epoch = $2::bigint THEN $4::bigint ELSE 0 END AS after_position,
        coalesce(epoch = $2::bigint AND removed_through > $3::xid8, false) AS is_too_old
      FROM ostiary.event_epoch WHERE "only" = 1
    )
    SELECT log.epoch, log.oldest, log.is_too_old, e.transaction_id, e.position, ${eventRow.selected}
    FROM log LEFT JOIN LATERAL (
      SELECT * FROM ostiary.event e
      WHERE e.tenant_id = $1 AND (e.transaction_id, e.position) > (log.after_transaction, log.after_position)
        AND e.transaction_id < log.oldest AND NOT log.is_too_old
      ORDER BY e.transaction_id, e.position LIMIT $5
    ) e ON true
    ORDER BY e.transaction_id, e.position`,
};

/** After every event of a transaction. */
const lastPosition = "9223372036854775807";

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
      const [first] = rows;
      if (first === undefined) throw new Error("the event log has no epoch");
      const { epoch, oldest } = first;
      if (first.is_too_old) return { kind: "too_old" };
      const events = rows.flatMap(({ transaction_id: transactionId, position, ...row }) =>
        transactionId === null ? [] : [{ ...readEvent(row), cursor: { epoch, transactionId, position } }],
      );
      // All that is older than the oldest transaction was read, whosever it is.
      const end = { epoch, transactionId: String(BigInt(oldest) - 1n), position: lastPosition };
      const last = events.length === limit ? events.at(-1) : undefined;
      return { kind: "read", events, next: last?.cursor ?? end };
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
