import type { FeedPosition } from "../domain/event/feed.ts";
import type { SessionStore, SessionsRead } from "../domain/session/store.ts";
import type { Database, Statement } from "./database.ts";
import { derivedEventId, eventsParameter, insertEvents } from "./event-sql.ts";
import { type IdentityRow, identityColumns, identityFromRow } from "./identity-row.ts";
import { afterPosition, byCreation, positionOf, toPage } from "./keyset.ts";
import { readSession, type SessionRow, sessionRow } from "./rows.generated.ts";
import { idleParameter, usedSince } from "./session-row.ts";
import { latestUses, recordUseStatement } from "./use.ts";

/**
 * Finds sessions by their tokens. $1 tenant, $2 digest or digests, $3 the number of a transaction that the answer is to include. There is a
 * row where no session is found as well, since it says where the event log stood: everything below the oldest transaction that was still
 * running is included, and of the others what the snapshot shows.
 */
function findStatement(name: string, condition: string): Statement {
  return {
    name,
    text: `SELECT pg_snapshot_xmin(pg_current_snapshot()) AS xmin, pg_visible_in_snapshot($3::xid8, pg_current_snapshot()) AS includes,
      (SELECT epoch FROM ostiary.event_epoch WHERE "only" = 1) AS epoch, s.token_digest AS digest, ${sessionRow.selected}, ${identityColumns}
    FROM (SELECT) always LEFT JOIN (
      ostiary.session s JOIN ostiary.identity i ON i.tenant_id = s.tenant_id AND i.id = s.identity_id
    ) ON s.tenant_id = $1 AND ${condition}`,
  };
}

const findOneStatement = findStatement("find_session_by_token_digest", "s.token_digest = $2");
const findSeveralStatement = findStatement(
  "find_sessions_by_token_digests",
  "s.token_digest = ANY ($2::bytea[])",
);

interface FoundRow extends SessionRow, IdentityRow {
  readonly xmin: string;
  readonly includes: boolean;
  readonly epoch: string | null;
  readonly digest: Uint8Array | null;
}

/**
 * $1 tenant, $2 session, $3 now, $4 owner or null, $5 event. The row is locked first, so that one that another call ends at the
 * same moment is returned as that call left it.
 */
const revokeStatement: Statement = {
  name: "revoke_session",
  text: `WITH target AS (
    SELECT * FROM ostiary.session
    WHERE tenant_id = $1 AND id = $2 AND ($4::uuid IS NULL OR identity_id = $4)
    FOR UPDATE
  ), ended AS (
    UPDATE ostiary.session SET revoked_at = $3, updated_at = $3
    WHERE tenant_id = $1 AND id = (SELECT id FROM target) AND revoked_at IS NULL AND expires_at > $3
    RETURNING *
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$5", from: "ended", sessionId: "ended.id", identityId: "ended.identity_id" })}
  )
  SELECT ${sessionRow.selected} FROM ended s
  UNION ALL
  SELECT ${sessionRow.selected} FROM target s WHERE NOT EXISTS (SELECT FROM ended)`,
};

/** $1 tenant, $2 identity, $3 now, $4 the session that stays or null, $5 event. */
export const revokeAllStatement: Statement = {
  text: `WITH ended AS (
    UPDATE ostiary.session SET revoked_at = $3, updated_at = $3
    WHERE tenant_id = $1 AND identity_id = $2 AND revoked_at IS NULL AND expires_at > $3
      AND ($4::uuid IS NULL OR id <> $4)
    RETURNING id
  ), once AS (
    SELECT FROM ended LIMIT 1
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$5", from: "once", identityId: "$2" })}
  )
  SELECT count(*)::int AS count FROM ended`,
};

/**
 * $1 tenant, $2 who tells of the logout, $3 its id, $4 until when that is remembered, $5 a list with the proof, $6 now, $7 event.
 *
 * Security rule (SR-OIDC-21): the id of a logout is used up in the statement that ends the sessions, so that of the same logout twice at
 * once one counts, and of one that fails none.
 */
const revokeByProviderStatement: Statement = {
  text: `WITH claimed AS (
    INSERT INTO ostiary.idempotency_record AS r
      (tenant_id, caller, method, request_id, outcome, created_at, expires_at)
    VALUES ($1, $2, 'logout', $3, '', $6, $4)
    ON CONFLICT (tenant_id, caller, method, request_id) DO UPDATE
      SET created_at = excluded.created_at, expires_at = excluded.expires_at
      WHERE r.expires_at <= excluded.created_at
    RETURNING request_id
  ), ended AS (
    UPDATE ostiary.session SET revoked_at = $6, updated_at = $6
    WHERE tenant_id = $1 AND revoked_at IS NULL AND expires_at > $6 AND EXISTS (SELECT FROM claimed)
      AND authentication_methods @> '[{"kind": "oidc"}]' AND authentication_methods @> $5::jsonb
    RETURNING id, identity_id
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$7", from: "ended", sessionId: "ended.id", identityId: "ended.identity_id", id: derivedEventId })}
  )
  SELECT count(*)::int AS count FROM ended HAVING EXISTS (SELECT FROM claimed)`,
};

/** $1 tenant, $2 session, $3 now, $4 new end, $5 event. A session that ends later already is returned as it is. */
const extendStatement: Statement = {
  text: `WITH s AS (
    UPDATE ostiary.session SET expires_at = $4, updated_at = $3
    WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL AND expires_at > $3 AND expires_at < $4
    RETURNING *
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$5", from: "s", sessionId: "s.id", identityId: "s.identity_id" })}
  )
  SELECT ${sessionRow.selected} FROM s
  UNION ALL
  SELECT ${sessionRow.selected} FROM ostiary.session s
  WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL AND expires_at > $3 AND expires_at >= $4`,
};

/** $1 tenant, $2 session, $3 now, $4 and $5 the digests of the former and the new token, $6 event. */
const replaceTokenStatement: Statement = {
  text: `WITH replaced AS (
    UPDATE ostiary.session SET token_digest = $5, updated_at = $3
    WHERE tenant_id = $1 AND id = $2 AND token_digest = $4 AND revoked_at IS NULL AND expires_at > $3
    RETURNING id, identity_id
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$6", from: "replaced", sessionId: "replaced.id", identityId: "replaced.identity_id" })}
  )
  SELECT id FROM replaced`,
};

/** Sessions on PostgreSQL. */
export function createSessionStore(database: Database): SessionStore {
  return {
    async findByTokenDigests(scope, digests, atLeast) {
      const [first, ...others] = digests;
      const [statement, parameter] =
        others.length === 0 ? [findOneStatement, first] : [findSeveralStatement, digests];
      const values = [scope.tenantId, parameter, String(atLeast?.sequence ?? 0n)];
      return toRead(await database.query<FoundRow>(scope, statement, values), atLeast);
    },

    async find(scope, id) {
      const [row] = await database.query<SessionRow>(
        scope,
        { text: `SELECT ${sessionRow.selected} FROM ostiary.session s WHERE s.tenant_id = $1 AND s.id = $2` },
        [scope.tenantId, id],
      );
      return row && readSession(row);
    },

    async list(scope, filter, page) {
      const { createdAt, id } = positionOf(page);
      const values: unknown[] = [scope.tenantId, createdAt, id, page.size + 1];
      const parameter = (value: unknown) => `$${values.push(value)}`;
      const conditions = ["s.tenant_id = $1", afterPosition("s", "$2", "$3")];
      if (filter.identityId !== undefined) conditions.push(`s.identity_id = ${parameter(filter.identityId)}`);
      if (filter.active !== undefined) {
        const active = [`s.revoked_at IS NULL AND s.expires_at > ${parameter(filter.now)}`];
        if (filter.idleSince !== undefined) {
          active.push(usedSince("s", parameter(idleParameter(filter.idleSince))));
        }
        conditions.push(`${filter.active ? "" : "NOT "}(${active.join(" AND ")})`);
      }
      const rows = await database.query<SessionRow>(
        scope,
        {
          text: `SELECT ${sessionRow.selected} FROM ostiary.session s
            WHERE ${conditions.join(" AND ")} ORDER BY s.created_at DESC, s.id DESC LIMIT $4`,
        },
        values,
      );
      return toPage(rows.map(readSession), page.size, byCreation);
    },

    async revoke(scope, id, change) {
      const values = [scope.tenantId, id, change.at, change.owner, eventsParameter([change.event])];
      const [row] = await database.query<SessionRow>(scope, revokeStatement, values);
      return row && readSession(row);
    },

    async revokeAll(scope, identityId, change) {
      const values = [scope.tenantId, identityId, change.at, change.except, eventsParameter([change.event])];
      const [row] = await database.query<{ readonly count: number }>(scope, revokeAllStatement, values);
      return row?.count ?? 0;
    },

    async revokeByProvider(scope, { provider, id, knownUntil }, proof, { at, event }) {
      const [row] = await database.query<{ readonly count: number }>(scope, revokeByProviderStatement, [
        scope.tenantId,
        `provider:${provider}`,
        id,
        knownUntil,
        JSON.stringify([{ kind: "oidc", provider, ...proof }]),
        at,
        eventsParameter([event]),
      ]);
      return row?.count;
    },

    async extend(scope, id, change) {
      const values = [scope.tenantId, id, change.at, change.expiresAt, eventsParameter([change.event])];
      const [row] = await database.query<SessionRow>(scope, extendStatement, values);
      return row && readSession(row);
    },

    async replaceToken(scope, id, change) {
      const values = [scope.tenantId, id, change.at, change.from, change.to, eventsParameter([change.event])];
      return (await database.query(scope, replaceTokenStatement, values)).length > 0;
    },

    async recordUse(uses) {
      if (uses.length === 0) return;
      await database.query(undefined, recordUseStatement("session"), latestUses(uses));
    },
  };
}

function toRead(rows: readonly FoundRow[], atLeast: FeedPosition | undefined): SessionsRead {
  const [row] = rows;
  if (row === undefined) throw new Error("the look-up of sessions has answered nothing");
  const epoch = row.epoch === null ? undefined : BigInt(row.epoch);
  return {
    sessions: rows.flatMap((each) =>
      each.digest === null
        ? []
        : [{ digest: each.digest, session: readSession(each), identity: identityFromRow(each) }],
    ),
    position: epoch === undefined ? undefined : { epoch, sequence: BigInt(row.xmin) - 1n },
    includesAsked: row.includes && epoch === atLeast?.epoch,
  };
}
