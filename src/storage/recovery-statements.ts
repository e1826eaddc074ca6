import {
  changeResult,
  endOtherFlows,
  isOfRevision,
  isSeen,
  ownFlowParts,
  seenPart,
} from "./account-change.ts";
import type { Statement } from "./database.ts";
import { endFlows, isHeldRecovery } from "./end-flows.ts";
import { insertEvents } from "./event-sql.ts";
import { closeFlows, flowColumns, insertFlow, insertSession } from "./flow-statements.ts";
import { insertMessages } from "./message-sql.ts";
import { throttleParts } from "./throttle-statements.ts";

/**
 * Completes a recovery. $1 tenant, $2 flows with $3 their revisions, $4 identity, $5 settings flow, $6 session or null, $7 its
 * digest, $8 now, $9 messages, $10 events, $11 to $15 those of `throttleParts`, $16 the revision that the identity must have or null.
 * Raises `login_sequence`, as every change of a credential does.
 */
export const completeRecoveryStatement: Statement = {
  name: "complete_recovery",
  text: `WITH ${ownFlowParts}, ${seenPart(isOfRevision("$16"))}, changed AS (
    UPDATE ostiary.identity i SET login_sequence = i.login_sequence + 1
    FROM seen WHERE ${isSeen}
    RETURNING i.id
  ), completed AS (
    ${closeFlows("$4", "changed")}
  ), closed AS (
    ${endOtherFlows}
  ), settings AS (
    ${insertFlow("$5", "changed")}
  ), ended AS (
    UPDATE ostiary.session SET revoked_at = $8, updated_at = $8
    WHERE tenant_id = $1 AND identity_id = $4 AND revoked_at IS NULL AND $6::jsonb IS NOT NULL
      AND EXISTS (SELECT FROM changed)
  ), created AS (
    ${insertSession("$6", "$7", "changed")}
  ), ${throttleParts({ from: "changed", identityId: "$4", at: "$8", firstParameter: 11 })}, sent AS (
    ${insertMessages({ tenant: "$1", messages: "$9", from: "changed" })}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$10", from: "changed" })}
  )
  ${changeResult}`,
};

/** $1 tenant, $2 identity, $3 kind and $4 value of the address, $5 now. */
export const findHeldRecoveryStatement: Statement = {
  name: "find_held_recovery",
  text: `SELECT ${flowColumns} FROM ostiary.flow f
    WHERE f.tenant_id = $1 AND f.identity_id = $2 AND f.state = 'active' AND f.expires_at > $5 AND ${isHeldRecovery}
      AND f.data #>> '{state,target,kind}' = $3 AND f.data #>> '{state,target,value}' = $4
    ORDER BY f.created_at, f.digest LIMIT 1`,
};

/**
 * Whether a flow goes on from a recovery that was proved: the settings in which the new secret is set, and a login that shows the second
 * factor, or does what comes before the session.
 */
const goesOn = `((kind = 'settings' AND data #>> '{purpose,kind}' = 'recovery') OR (kind = 'login'
      AND (data #>> '{state,firstFactor,purpose}' = 'recovery' OR data #> '{state,proved,proofs}' @> '[{"purpose": "recovery"}]')))`;

/**
 * Ends the recoveries of an identity, also those that were proved and are not completed. $1 tenant, $2 flows with $3 their
 * revisions, which may be none, $4 identity, $5 messages, $6 events, $7 whether those end as well that operators began.
 */
export const stopRecoveriesStatement: Statement = {
  name: "stop_recoveries",
  text: `WITH ${ownFlowParts}, changed AS (
    SELECT $4::uuid AS id FROM all_open WHERE EXISTS (SELECT FROM owner)
  ), completed AS (
    ${closeFlows("$4", "changed")}
  ), ended AS (
    ${endFlows(
      `tenant_id = $1 AND identity_id = $4 AND digest <> ALL ($2::bytea[]) AND EXISTS (SELECT FROM changed)
        AND ((kind = 'recovery' AND ($7 OR NOT data -> 'purpose' ? 'operator')) OR ${goesOn})`,
    )}
    RETURNING data #>> '{state,at}' = 'on_hold' OR kind <> 'recovery' AS held
  ), told AS (
    SELECT FROM changed WHERE cardinality($2::bytea[]) > 0 OR EXISTS (SELECT FROM ended WHERE held)
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$5", from: "told" })}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$6", from: "told" })}
  )
  SELECT EXISTS (SELECT FROM all_open) AS flow_open, EXISTS (SELECT FROM changed) AS completed, EXISTS (SELECT FROM told) AS told`,
};
