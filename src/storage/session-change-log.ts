import { membersOf } from "../domain/event/event-class.ts";
import type { FeedEvent } from "../domain/event/feed.ts";
import type { IdentityId, SessionId } from "../domain/ids.ts";
import { otherEventTypes, sessionChangeOf } from "../domain/session/session-change.ts";
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

const classes = ["changes", "sign_ins"] as const;
const typesOf = (eventClass: (typeof classes)[number]) => membersOf(eventClass).types;

/**
 * $1 tenant, $2 transaction, $3 types that are left out, $4 limit, $5 and $6 the types of each class.
 *
 * Old events are removed by their class, the oldest first. So where there is still one of each class that is as old as the transaction,
 * none of those after it was removed.
 */
const changesAfterStatement: Statement = {
  name: "read_session_changes_after",
  text: `WITH kept AS (
      SELECT EXISTS (SELECT FROM ostiary.event
          WHERE tenant_id = $1 AND transaction_id <= $2::xid8 AND type = ANY ($5::text[]))
        AND EXISTS (SELECT FROM ostiary.event
          WHERE tenant_id = $1 AND transaction_id <= $2::xid8 AND type = ANY ($6::text[])) AS is_whole
    )
    SELECT kept.is_whole, e.type, e.identity_id, e.session_id, e.transaction_id
    FROM kept LEFT JOIN LATERAL (
      SELECT type, identity_id, session_id, transaction_id, position FROM ostiary.event
      WHERE tenant_id = $1 AND transaction_id > $2::xid8 AND type <> ALL ($3::text[])
      ORDER BY transaction_id, position LIMIT $4
    ) e ON kept.is_whole
    ORDER BY e.position`,
};

/** Reads changes to sessions back from the event log. */
export function createSessionChangeLog(database: Pick<Database, "query">): SessionChangeLog {
  return {
    async changesAfter(scope, sequence, limit) {
      const rows = await database.query<Row>(scope, changesAfterStatement, [
        scope.tenantId,
        String(sequence),
        otherEventTypes,
        limit + 1,
        ...classes.map(typesOf),
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
