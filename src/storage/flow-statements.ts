import { actionsWithout } from "./action-sql.ts";
import { insertCredentials, ownCredentials } from "./credential-sql.ts";
import type { Statement } from "./database.ts";
import { endFlows, isHeldRecovery } from "./end-flows.ts";
import { derivedEventId, insertEvents } from "./event-sql.ts";
import { identityColumns } from "./identity-row.ts";
import { insertIdentityParts } from "./identity-statements.ts";
import { admissionParts } from "./invitation-sql.ts";
import { insertMessages } from "./message-sql.ts";
import { foundColumn, joinIdentity } from "./owner-statements.ts";
import { flowRow, sessionRow } from "./rows.generated.ts";
import { usedSince } from "./session-row.ts";
import { throttleParts } from "./throttle-statements.ts";

export const flowColumns = flowRow.selected;

/** The columns of a new flow. */
const newFlow = flowRow.without("revision", "challenge_attempts", "kept", "answer");

/** Writes a new flow if its parameter is not null. $1 tenant, `from` a part with one row if it is to be written. */
export function insertFlow(flow: string, from: string): string {
  return `INSERT INTO ostiary.flow (tenant_id, ${newFlow.names})
    SELECT $1, ${newFlow.given} FROM ${from}, jsonb_to_record(${flow}::jsonb) ${newFlow.record}
    WHERE ${flow}::jsonb IS NOT NULL`;
}

/** $1 tenant, $2 flow, $3 messages. */
export const createFlowStatement: Statement = {
  name: "create_flow",
  text: `WITH always AS (SELECT), created AS (${insertFlow("$2", "always")})
    ${insertMessages({ tenant: "$1", messages: "$3", from: "always" })}`,
};

/** $1 tenant, $2 flow. A row if it was not there. */
export const createFlowOnceStatement: Statement = {
  name: "create_flow_once",
  text: `WITH always AS (SELECT) ${insertFlow("$2", "always")} ON CONFLICT (tenant_id, digest) DO NOTHING RETURNING digest`,
};

/**
 * $1 tenant, $2 identity. Keeps the identity as it is until the transaction ends: of two operators the second waits, and
 * sees in its next statement what the first one began.
 */
export const lockActiveIdentityStatement: Statement = {
  name: "lock_active_identity",
  text: `SELECT id FROM ostiary.identity WHERE tenant_id = $1 AND id = $2 AND state = 'active' FOR NO KEY UPDATE`,
};

/** $1 tenant, $2 identity, $3 flow, $4 its kind, $5 the address whose flows end or null, $6 messages, $7 events. */
export const beginByOperatorStatement: Statement = {
  name: "begin_by_operator",
  text: `WITH ended AS (
    UPDATE ostiary.flow SET state = 'completed', revision = revision + 1
    WHERE tenant_id = $1 AND identity_id = $2 AND state = 'active' AND kind = $4 AND data -> 'purpose' ? 'operator'
      AND challenge_digest IS NOT NULL AND ($5::text IS NULL OR data #>> '{state,target,value}' = $5)
  ), always AS (
    SELECT
  ), created AS (
    ${insertFlow("$3", "always")}
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$6", from: "always" })}
  )
  ${insertEvents({ tenant: "$1", events: "$7", from: "always" })}`,
};

/** $1 tenant, $2 digest, $3 kind. */
export const findFlowStatement: Statement = {
  name: "find_flow",
  text: `SELECT ${flowColumns} FROM ostiary.flow f
    WHERE f.tenant_id = $1 AND f.digest = $2 AND f.kind = $3`,
};

/** $1 tenant, $2 digest of the link, $3 kind. */
export const findByLinkStatement: Statement = {
  name: "find_flow_by_link",
  text: `SELECT ${flowColumns} FROM ostiary.flow f
    WHERE f.tenant_id = $1 AND f.challenge_kind = 'link' AND f.challenge_digest = $2 AND f.kind = $3`,
};

/** $1 tenant, $2 digest, $3 kind. */
export const findWithIdentityStatement: Statement = {
  name: "find_flow_with_identity",
  text: `SELECT ${flowColumns}, ${identityColumns}, ${ownCredentials} AS c_own FROM ostiary.flow f
    LEFT JOIN ostiary.identity i ON i.tenant_id = f.tenant_id AND i.id = f.identity_id
    WHERE f.tenant_id = $1 AND f.digest = $2 AND ($3::text IS NULL OR f.kind = $3)`,
};

/**
 * $1 tenant, $2 digest, $3 identifier or null, $4 kind of credential or null, $5 whether the flow may be of any kind, $6 the key
 * of the credential or null. Always one row. Whose login it is: of the identifier that the flow remembers, else of the identity
 * that it belongs to or the one that has the key, else of $3. None of them counts for flows of other kinds.
 */
export const findForLoginStatement: Statement = {
  name: "find_for_login",
  text: `SELECT ${flowColumns}, ${identityColumns}, i.login_sequence AS i_login_sequence,
      c.id AS c_id, c.secret AS c_secret, ${ownCredentials} AS c_own, ${foundColumn("owner.id")}
    FROM (SELECT $1::uuid AS tenant_id) scope
    LEFT JOIN ostiary.flow f ON f.tenant_id = scope.tenant_id AND f.digest = $2 AND (f.kind = 'login' OR $5)
    LEFT JOIN ostiary.identity_identifier found ON found.tenant_id = scope.tenant_id
      AND found.value = COALESCE(f.data #>> '{state,identifier,value}', $3)
    LEFT JOIN ostiary.identity_credential shown ON shown.tenant_id = scope.tenant_id
      AND shown.kind = $4 AND shown.lookup_key = $6 AND $6 <> ''
    CROSS JOIN LATERAL (SELECT CASE
      WHEN f.kind <> 'login' THEN f.identity_id
      WHEN f.data #>> '{state,identifier,value}' IS NOT NULL THEN found.identity_id
      WHEN $6::text IS NOT NULL THEN COALESCE(f.identity_id, shown.identity_id)
      WHEN $3 IS NULL THEN f.identity_id
      ELSE found.identity_id END AS id) owner
    ${joinIdentity("owner.id")}
    LEFT JOIN ostiary.identity_credential c ON c.tenant_id = scope.tenant_id AND c.identity_id = owner.id
      AND c.kind = $4 AND c.lookup_key = COALESCE($6, '')`,
};

/** $1 tenant, $2 identity or null, $3 kind and $4 key of a credential or null. */
export const findCandidateStatement: Statement = {
  name: "find_candidate",
  text: `SELECT ${identityColumns}, i.login_sequence AS i_login_sequence,
      shown.id AS c_id, shown.secret AS c_secret, ${ownCredentials} AS c_own
    FROM (SELECT $1::uuid AS tenant_id) scope
    LEFT JOIN ostiary.identity_credential shown ON shown.tenant_id = scope.tenant_id
      AND shown.kind = $3 AND shown.lookup_key = $4 AND $4 <> ''
    JOIN ostiary.identity i ON i.tenant_id = scope.tenant_id AND i.id = COALESCE($2::uuid, shown.identity_id)`,
};

/**
 * $1 tenant, $2 digest, $3 revision, $4 data, $5 kind, $6 digest and $7 end of the challenge or null, $8 identity or null,
 * $9 messages, $10 events, $11 and $12 digest and revision of a flow that is used up by it, or null, $13 a flow that is stored
 * with it, or null. A row if the flows were still as they were read.
 */
export const advanceStatement: Statement = {
  name: "advance_flow",
  text: `WITH consumed AS (
    UPDATE ostiary.flow SET state = 'completed', revision = revision + 1, kept = NULL
    WHERE tenant_id = $1 AND digest = $11 AND revision = $12 AND state = 'active'
    RETURNING digest
  ), moved AS (
    UPDATE ostiary.flow SET revision = revision + 1, data = $4, challenge_kind = $5, challenge_digest = $6,
      challenge_expires_at = $7, challenge_attempts = 0, identity_id = $8, kept = NULL
    WHERE tenant_id = $1 AND digest = $2 AND revision = $3 AND state = 'active'
      AND ($11::bytea IS NULL OR EXISTS (SELECT FROM consumed))
    RETURNING digest
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$9", from: "moved" })}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$10", from: "moved" })}
  ), begun AS (
    ${insertFlow("$13", "moved")}
  )
  SELECT digest FROM moved`,
};

/** $1 tenant, $2 digest, $3 revision, $4 the kept outcome or null, $5 events. No step is taken, so the revision stays. */
export const keepOutcomeStatement: Statement = {
  name: "keep_flow_outcome",
  text: `WITH always AS (SELECT), kept AS (
    UPDATE ostiary.flow SET kept = $4
    WHERE tenant_id = $1 AND digest = $2 AND revision = $3 AND state = 'active' AND $4::text IS NOT NULL
  )
  ${insertEvents({ tenant: "$1", events: "$5", from: "always" })}`,
};

/** $1 tenant, $2 digest, $3 answer. */
export const keepAnswerStatement: Statement = {
  name: "keep_flow_answer",
  text: `UPDATE ostiary.flow SET answer = $3 WHERE tenant_id = $1 AND digest = $2`,
};

/**
 * $1 tenant, $2 digest, $3 now, $4 limit. One guarded statement: of many tries at the same moment each raises the count,
 * and none beyond the limit gets to see what it would be compared with.
 */
export const countAttemptStatement: Statement = {
  name: "count_attempt",
  text: `UPDATE ostiary.flow SET challenge_attempts = challenge_attempts + 1
    WHERE tenant_id = $1 AND digest = $2 AND state = 'active' AND challenge_digest IS NOT NULL
      AND challenge_expires_at > $3 AND challenge_attempts < $4
    RETURNING revision AS f_revision, challenge_kind AS f_challenge_kind, challenge_digest AS f_challenge_digest,
      challenge_expires_at AS f_challenge_expires_at, challenge_attempts AS f_challenge_attempts,
      EXISTS (
        SELECT FROM ostiary.address_mark k
        WHERE k.tenant_id = $1 AND k.value = data #>> '{state,target,value}' AND k.bounced_at IS NOT NULL
      ) AS is_marked`,
};

/**
 * The parts with which every completion begins. `open_flow` locks the flows, $2 with revisions $3, before anything is
 * written: of two submits of one flow the second waits, then PostgreSQL reads the row again, finds it changed, and nothing
 * else happens. `all_open` has a row if all of them were still as they were read.
 */
const openFlowParts = lockFlows("");

/** `condition`: what else must hold, as a part of a WHERE clause. */
export function lockFlows(condition: string): string {
  return `open_flow AS MATERIALIZED (
    SELECT f.digest FROM ostiary.flow f
    JOIN unnest($2::bytea[], $3::int[]) AS held(digest, revision)
      ON held.digest = f.digest AND held.revision = f.revision
    WHERE f.tenant_id = $1 AND f.state = 'active' ${condition}
    ORDER BY f.digest
    FOR UPDATE OF f
  ), all_open AS MATERIALIZED (
    SELECT WHERE (SELECT count(*) FROM open_flow) = cardinality($2::bytea[])
  )`;
}

/** Closes the flows of $2, for an identity; `when` is a part with a row if that is to be done. */
export function closeFlows(identity: string, when: string): string {
  return `UPDATE ostiary.flow SET state = 'completed', identity_id = ${identity}, revision = revision + 1, kept = NULL
    WHERE tenant_id = $1 AND digest = ANY ($2::bytea[]) AND EXISTS (SELECT FROM ${when})`;
}

/** Writes a session if its parameter is not null. */
export function insertSession(session: string, digest: string, from: string): string {
  return `INSERT INTO ostiary.session (tenant_id, token_digest, ${sessionRow.names})
    SELECT $1, ${digest}::bytea, ${sessionRow.given}
    FROM ${from}, jsonb_to_record(${session}::jsonb) ${sessionRow.record}
    WHERE ${session}::jsonb IS NOT NULL`;
}

/**
 * Completes a login. $1 tenant, $2 flows with $3 their revisions, $4 identity, $5 login sequence, $6 id and $7 secret of
 * the credential or null, $8 now, $9 session, $10 its digest, $11 and $12 the secret and facts that replace those that were read, or null, and $25 whether it was used, $13 how many other sessions
 * may stay, $14 idle since or null, $15 events, $16 the eviction's event, $17 kind and $18 value of the proven address or
 * null, $19 the session that this one replaces or null, $20 to $24 those of `throttleParts`, $26 messages, $27 what the identity is asked
 * to do from now on, $28 the ids of what is done. Where something comes before the session, $30 is the flow that goes on, with the
 * data $29, and there is no session; else both are null. $31: a flow that the login begins or null. $32: credentials that are linked with
 * the identity; if one is another's the statement fails with 23505, and nothing of it stays.
 *
 * The parts of one statement see the same snapshot. What makes it right under concurrency, beside `open_flow`:
 *
 * - `guard` updates the identity only if `login_sequence` is still the one that was read. A concurrent login,
 *   deactivation or change of password or traits has raised it: this statement then waits for that one, reads the
 *   row again, and the guard fails. So if the guard passes, the identity's row in this statement's snapshot is the
 *   newest there is, hence the snapshot includes the transaction that wrote it, and with it the sessions of every
 *   earlier login. `evicted` therefore counts all of them: the limit is exact, and the losers come again.
 * - The new session is not in the snapshot, so $13 of the others may stay.
 *
 * Security rule (SR-HOLD-3): a login ends the recoveries that wait: an owner who recovers the account has lost what signs in.
 */
export const completeLoginStatement: Statement = {
  name: "complete_login",
  text: `WITH ${openFlowParts}, guard AS (
    UPDATE ostiary.identity i SET login_sequence = i.login_sequence + 1,
      last_login_at = CASE WHEN $29::jsonb IS NULL THEN $8 ELSE i.last_login_at END,
      required_actions = ${actionsWithout("$28")} || $27::jsonb,
      revision = i.revision + CASE WHEN $27::jsonb = '[]' AND $28::text[] = '{}' THEN 0 ELSE 1 END
    WHERE i.tenant_id = $1 AND i.id = $4 AND i.state = 'active' AND i.login_sequence = $5
      AND EXISTS (SELECT FROM all_open)
      AND ($6::uuid IS NULL OR EXISTS (
        SELECT FROM ostiary.identity_credential c
        WHERE c.tenant_id = $1 AND c.identity_id = $4 AND c.id = $6 AND c.secret = $7
      ))
      AND ($17::text IS NULL OR EXISTS (
        SELECT FROM ostiary.identity_verifiable_address v
        WHERE v.tenant_id = $1 AND v.identity_id = $4 AND v.kind = $17 AND v.value = $18
          AND v.verified_at IS NOT NULL
      ))
    RETURNING i.id
  ), completed AS (
    UPDATE ostiary.flow SET revision = revision + 1, kept = NULL, identity_id = $4,
      state = CASE WHEN digest = $30 THEN state ELSE 'completed' END,
      data = CASE WHEN digest = $30 THEN $29::jsonb ELSE data END,
      challenge_kind = CASE WHEN digest = $30 THEN NULL ELSE challenge_kind END,
      challenge_digest = CASE WHEN digest = $30 THEN NULL ELSE challenge_digest END,
      challenge_expires_at = CASE WHEN digest = $30 THEN NULL ELSE challenge_expires_at END
    WHERE tenant_id = $1 AND digest = ANY ($2::bytea[]) AND EXISTS (SELECT FROM guard)
  ), unheld AS (
    ${endFlows(`tenant_id = $1 AND identity_id = $4 AND ${isHeldRecovery} AND EXISTS (SELECT FROM guard)`)}
  ), created AS (
    ${insertSession("$9", "$10", "guard")}
  ), replaced AS (
    UPDATE ostiary.session SET revoked_at = $8, updated_at = $8
    WHERE tenant_id = $1 AND id = $19 AND identity_id = $4 AND revoked_at IS NULL AND EXISTS (SELECT FROM guard)
  ), evicted AS (
    UPDATE ostiary.session SET revoked_at = $8, updated_at = $8
    WHERE tenant_id = $1 AND revoked_at IS NULL AND EXISTS (SELECT FROM guard) AND $29::jsonb IS NULL AND id IN (
      SELECT s.id FROM ostiary.session s
      WHERE s.tenant_id = $1 AND s.identity_id = $4 AND s.revoked_at IS NULL AND s.expires_at > $8
        AND ${usedSince("s", "$14")} AND s.id IS DISTINCT FROM $19
      ORDER BY s.last_used_at DESC, s.id DESC
      OFFSET $13::int
    )
    RETURNING id
  ), offered AS (
    ${insertFlow("$31", "guard")}
  ), linked AS (
    ${insertCredentials({ credentials: "$32", byOperator: "false", at: "$8", from: "guard" })}
  ), rehashed AS (
    UPDATE ostiary.identity_credential SET secret = $11, facts = $12::jsonb,
      updated_at = CASE WHEN $25::boolean THEN updated_at ELSE $8 END,
      last_used_at = CASE WHEN $25::boolean THEN $8 ELSE last_used_at END
    WHERE tenant_id = $1 AND identity_id = $4 AND id = $6 AND secret = $7 AND $11::text IS NOT NULL
      AND EXISTS (SELECT FROM guard)
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$26", from: "guard" })}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$15", from: "guard" })}
  ), recorded_evictions AS (
    ${insertEvents({ tenant: "$1", events: "$16", from: "evicted", sessionId: "evicted.id", identityId: "$4", id: derivedEventId })}
  ), ${throttleParts({ from: "guard", identityId: "$4", at: "$8", firstParameter: 20 })}
  SELECT EXISTS (SELECT FROM all_open) AS flow_open, EXISTS (SELECT FROM guard) AS completed`,
};

/**
 * Completes a registration. $1 tenant, $2 flows with $3 their revisions, $4 identity, $5 identifiers, $6 verifiable and $7
 * recovery addresses, $8 credentials, $9 now, $10 session, $11 its digest, $12 events,
 * $13 to $17 those of `throttleParts`, $18 invitation or null.
 * If an identifier is taken the statement fails with 23505, and nothing of it stays.
 */
export const completeRegistrationStatement: Statement = {
  name: "complete_registration",
  text: `WITH ${openFlowParts}, ${admissionParts({
    when: "all_open",
    invitation: "$18",
    identity: "$4",
    at: "$9",
  })}, ${insertIdentityParts({
    when: "admitted",
    identity: "$4",
    identifiers: "$5",
    verifiableAddresses: "$6",
    recoveryAddresses: "$7",
    credentials: "$8",
    byOperator: "false",
    at: "$9",
  })}, completed AS (
    ${closeFlows("(SELECT id FROM new_identity)", "new_identity")}
  ), created AS (
    ${insertSession("$10", "$11", "new_identity")}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$12", from: "new_identity" })}
  ), ${throttleParts({
    from: "new_identity",
    identityId: "(SELECT id FROM new_identity)",
    at: "$9",
    firstParameter: 13,
  })}
  SELECT EXISTS (SELECT FROM all_open) AS flow_open, EXISTS (SELECT FROM new_identity) AS completed`,
};
