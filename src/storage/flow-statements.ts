import type { Statement } from "./database.ts";
import { derivedEventId, insertEvents } from "./event-sql.ts";
import { identityColumns } from "./identity-row.ts";
import { insertIdentityParts } from "./identity-statements.ts";
import { sessionRecord, sessionValues, sessionWriteColumns } from "./session-row.ts";
import { throttleParts } from "./throttle-statements.ts";

const flowColumns = `
  f.digest AS f_digest, f.kind AS f_kind, f.client AS f_client, f.state AS f_state,
  f.created_at AS f_created_at, f.expires_at AS f_expires_at, f.return_to AS f_return_to,
  f.browser_digest AS f_browser_digest, f.identity_id AS f_identity_id, f.data AS f_data`;

/** $1 tenant, then the columns in order. */
export const createFlowStatement: Statement = {
  name: "create_flow",
  text: `INSERT INTO ostiary.flow (tenant_id, digest, kind, client, state, created_at, expires_at, return_to,
      browser_digest, identity_id, data)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
};

/** $1 tenant, $2 digest, $3 kind. */
export const findFlowStatement: Statement = {
  name: "find_flow",
  text: `SELECT ${flowColumns} FROM ostiary.flow f
    WHERE f.tenant_id = $1 AND f.digest = $2 AND f.kind = $3`,
};

/** $1 tenant, $2 digest, $3 identifier, $4 kind of credential. Always one row. */
export const findForLoginStatement: Statement = {
  name: "find_for_login",
  text: `SELECT ${flowColumns}, ${identityColumns}, i.login_sequence AS i_login_sequence, c.secret AS c_secret
    FROM (SELECT $1::uuid AS tenant_id) scope
    LEFT JOIN ostiary.flow f ON f.tenant_id = scope.tenant_id AND f.digest = $2 AND f.kind = 'login'
    LEFT JOIN ostiary.identity_identifier found ON found.tenant_id = scope.tenant_id AND found.value = $3
    LEFT JOIN ostiary.identity i ON i.tenant_id = found.tenant_id AND i.id = found.identity_id
    LEFT JOIN ostiary.identity_credential c
      ON c.tenant_id = i.tenant_id AND c.identity_id = i.id AND c.kind = $4`,
};

/**
 * Completes a login. $1 tenant, $2 flow, $3 identity, $4 login sequence, $5 kind and $6 secret of the credential,
 * $7 now, $8 session, $9 its digest, $10 and $11 the new hash or null, $12 how many other sessions may stay,
 * $13 idle since or null, $14 events, $15 the eviction's event, $16 to $20 those of `throttleParts`.
 *
 * The parts of one statement see the same snapshot. What makes it right under concurrency:
 *
 * - `open_flow` locks the flow before anything is written. Of two submits of one flow the second waits, then
 *   PostgreSQL reads the row again, finds it completed, and nothing else happens: neither is the identity touched.
 * - `guard` updates the identity only if `login_sequence` is still the one that was read. A concurrent login,
 *   deactivation or change of password or traits has raised it: this statement then waits for that one, reads the
 *   row again, and the guard fails. So if the guard passes, the identity's row in this statement's snapshot is the
 *   newest there is, hence the snapshot includes the transaction that wrote it, and with it the sessions of every
 *   earlier login. `evicted` therefore counts all of them: the limit is exact, and the losers come again.
 * - The new session is not in the snapshot, so $12 of the others may stay.
 */
export const completeLoginStatement: Statement = {
  name: "complete_login",
  text: `WITH open_flow AS MATERIALIZED (
    SELECT f.digest FROM ostiary.flow f
    WHERE f.tenant_id = $1 AND f.digest = $2 AND f.kind = 'login' AND f.state = 'active'
    FOR UPDATE
  ), guard AS (
    UPDATE ostiary.identity SET login_sequence = login_sequence + 1, last_login_at = $7
    WHERE tenant_id = $1 AND id = $3 AND state = 'active' AND login_sequence = $4
      AND EXISTS (SELECT FROM open_flow)
      AND EXISTS (
        SELECT FROM ostiary.identity_credential c
        WHERE c.tenant_id = $1 AND c.identity_id = $3 AND c.kind = $5 AND c.secret = $6
      )
    RETURNING id
  ), completed AS (
    UPDATE ostiary.flow SET state = 'completed', identity_id = $3
    WHERE tenant_id = $1 AND digest = $2 AND state = 'active' AND EXISTS (SELECT FROM guard)
    RETURNING digest
  ), created AS (
    INSERT INTO ostiary.session (tenant_id, ${sessionWriteColumns})
    SELECT $1, ${sessionValues("$9")}
    FROM completed, jsonb_to_record($8::jsonb) ${sessionRecord}
  ), evicted AS (
    UPDATE ostiary.session SET revoked_at = $7, updated_at = $7
    WHERE tenant_id = $1 AND revoked_at IS NULL AND EXISTS (SELECT FROM completed) AND id IN (
      SELECT s.id FROM ostiary.session s
      WHERE s.tenant_id = $1 AND s.identity_id = $3 AND s.revoked_at IS NULL AND s.expires_at > $7
        AND ($13::timestamptz IS NULL OR s.last_used_at > $13)
      ORDER BY s.last_used_at DESC, s.id DESC
      OFFSET $12::int
    )
    RETURNING id
  ), rehashed AS (
    UPDATE ostiary.identity_credential SET secret = $10, algorithm = $11, updated_at = $7
    WHERE tenant_id = $1 AND identity_id = $3 AND kind = $5 AND secret = $6 AND $10::text IS NOT NULL
      AND EXISTS (SELECT FROM completed)
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$14", from: "completed" })}
  ), recorded_evictions AS (
    ${insertEvents({ tenant: "$1", events: "$15", from: "evicted", sessionId: "evicted.id", identityId: "$3", id: derivedEventId })}
  ), ${throttleParts({ from: "completed", identityId: "$3", at: "$7", firstParameter: 16 })}
  SELECT EXISTS (SELECT FROM open_flow) AS flow_open, EXISTS (SELECT FROM completed) AS completed`,
};

/**
 * Completes a registration. $1 tenant, $2 flow, $3 identity, $4 identifiers, $5 verifiable and $6 recovery
 * addresses, $7 and $8 the password's hash and algorithm or null, $9 now, $10 session, $11 its digest, $12 events,
 * $13 to $17 those of `throttleParts`.
 * If an identifier is taken the statement fails with 23505, and nothing of it stays.
 */
export const completeRegistrationStatement: Statement = {
  name: "complete_registration",
  text: `WITH open_flow AS MATERIALIZED (
    SELECT f.digest FROM ostiary.flow f
    WHERE f.tenant_id = $1 AND f.digest = $2 AND f.kind = 'registration' AND f.state = 'active'
    FOR UPDATE
  ), ${insertIdentityParts({
    when: "open_flow",
    identity: "$3",
    identifiers: "$4",
    verifiableAddresses: "$5",
    recoveryAddresses: "$6",
    secret: "$7",
    algorithm: "$8",
    at: "$9",
  })}, completed AS (
    UPDATE ostiary.flow SET state = 'completed', identity_id = (SELECT id FROM new_identity)
    WHERE tenant_id = $1 AND digest = $2 AND state = 'active' AND EXISTS (SELECT FROM new_identity)
    RETURNING digest
  ), created AS (
    INSERT INTO ostiary.session (tenant_id, ${sessionWriteColumns})
    SELECT $1, ${sessionValues("$11")}
    FROM completed, jsonb_to_record($10::jsonb) ${sessionRecord}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$12", from: "completed" })}
  ), ${throttleParts({
    from: "completed",
    identityId: "(SELECT id FROM new_identity)",
    at: "$9",
    firstParameter: 13,
  })}
  SELECT EXISTS (SELECT FROM completed) AS completed`,
};
