import type { FeedEvent } from "../domain/event/feed.ts";
import type { IdentityId, SessionId } from "../domain/ids.ts";
import { sessionChangeOf, untoldEventTypes } from "../domain/session/session-change.ts";
import type { SessionChangeLog } from "../domain/session/session-feed.ts";
import type { Database, Statement } from "./database.ts";

interface Row {
  readonly is_whole: boolean;
  /** Null, as all that follows: there is no event. */
  readonly type: FeedEvent["type"] | null;
  readonly identity_id: IdentityId | null;
  readonly session_id: SessionId | null;
  readonly transaction_id: string;
}

/**
 * $1 tenant, $2 transaction, $3 types that are left out, $4 limit. There is always one row, with nulls where nothing has changed. Nothing
 * waits for transactions that are open: who asks follows the log as well, and hears of what they write.
 */
const changesAfterStatement: Statement = {
  name: "read_session_changes_after",
  text: `SELECT p.removed_through <= $2::xid8 AS is_whole, e.type, e.identity_id, e.session_id, e.transaction_id
    FROM (SELECT removed_through FROM ostiary.event_epoch WHERE "only" = 1) p LEFT JOIN LATERAL (
      SELECT type, identity_id, session_id, transaction_id, position FROM ostiary.event
      WHERE tenant_id = $1 AND transaction_id > $2::xid8 AND type <> ALL ($3::text[])
        AND p.removed_through <= $2::xid8
      ORDER BY transaction_id, position LIMIT $4
    ) e ON true
    ORDER BY e.transaction_id, e.position`,
};

/** Reads changes to sessions back from the event log. */
export function createSessionChangeLog(database: Pick<Database, "query">): SessionChangeLog {
  return {
    async changesAfter(scope, sequence, limit) {
      const rows = await database.query<Row>(scope, changesAfterStatement, [
        scope.tenantId,
        String(sequence),
        untoldEventTypes,
        limit + 1,
      ]);
      if (rows[0]?.is_whole !== true || rows.length > limit) return undefined;
      return rows.flatMap(({ type, identity_id, session_id, transaction_id }) => {
        if (type === null) return [];
        const change = sessionChangeOf({
          type,
          identityId: identity_id ?? undefined,
          sessionId: session_id ?? undefined,
          sequence: BigInt(transaction_id),
        });
        return change === undefined ? [] : [change];
      });
    },
  };
}
