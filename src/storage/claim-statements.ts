import { changeResult, endOtherFlows, isSeen, ownFlowParts, seenPart } from "./account-change.ts";
import { actionsWithout } from "./action-sql.ts";
import type { Statement } from "./database.ts";
import { insertEvents } from "./event-sql.ts";
import { closeFlows, insertFlow } from "./flow-statements.ts";
import { identifierRecord, identityRecord } from "./identity-row.ts";
import { replaceAddressParts } from "./identity-statements.ts";
import { insertMessages } from "./message-sql.ts";
import { unclaimed } from "./unclaimed.ts";

/** Whether the identity, $4, has the address of kind $5 and value $6. */
const hasAddress = `EXISTS (
      SELECT FROM ostiary.identity_verifiable_address v
      WHERE v.tenant_id = $1 AND v.identity_id = $4 AND v.kind = $5 AND v.value = $6
    )`;

/**
 * Completes a verification. $1 tenant, $2 flows with $3 their revisions, $4 identity, $5 kind and $6 value of the address,
 * $7 now, $8 events, $9 the session that the proof is given in or null, $10 whether it must be given in one, $11 the ids of what is done
 * by it. The identity's revision is raised, so that a change which read the address unverified does not put that back.
 *
 * Security rule (SR-OWNER-2): in an unclaimed account nothing is written unless the proof is given in an active session of it. `refused` says
 * so. That the account is still as it was seen, `isSeen`, makes it right also where another address of it is verified, or a
 * credential set, at the same moment: each raises the revision or the login sequence.
 */
export const completeVerificationStatement: Statement = {
  name: "complete_verification",
  text: `WITH ${ownFlowParts}, ${seenPart(hasAddress)}, refused AS MATERIALIZED (
    SELECT FROM seen, ostiary.identity i
    WHERE i.tenant_id = $1 AND i.id = $4 AND ($10::boolean OR ${unclaimed("i.id")}) AND NOT EXISTS (
      SELECT FROM ostiary.session s
      WHERE s.tenant_id = $1 AND s.id = $9 AND s.identity_id = $4 AND s.revoked_at IS NULL AND s.expires_at > $7
    )
  ), changed AS (
    UPDATE ostiary.identity i SET updated_at = $7, revision = i.revision + 1,
      required_actions = ${actionsWithout("$11")}
    FROM seen WHERE ${isSeen} AND NOT EXISTS (SELECT FROM refused)
    RETURNING i.id
  ), verified AS (
    UPDATE ostiary.identity_verifiable_address SET verified_at = $7
    WHERE tenant_id = $1 AND identity_id = $4 AND kind = $5 AND value = $6 AND verified_at IS NULL
      AND EXISTS (SELECT FROM changed)
  ), completed AS (
    ${closeFlows("$4", "changed")}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$8", from: "changed" })}
  )
  ${changeResult}, EXISTS (SELECT FROM refused) AS refused`,
};

/**
 * Ends what was set up in an unclaimed account. $1 tenant, $2 flows with $3 their revisions, $4 identity, $5 kind and $6 value of
 * the proven address, $7 now, $8 events, $9 expected revision, $10 identity, $11 identifiers, $12 verifiable and $13 recovery
 * addresses, $14 settings flow, $15 messages, $16 the event of the sessions that ended. Raises `login_sequence`: a login that
 * checked a former credential does not complete.
 */
export const completeDisowningStatement: Statement = {
  name: "complete_disowning",
  text: `WITH ${ownFlowParts}, ${seenPart(`i.revision = $9 AND ${hasAddress} AND ${unclaimed("i.id")}`)}, changed AS (
    UPDATE ostiary.identity i SET updated_at = $7, revision = given.revision, traits = given.traits,
      required_actions = given.required_actions, login_sequence = i.login_sequence + 1, purge_at = NULL
    FROM seen, jsonb_to_record($10::jsonb) ${identityRecord}
    WHERE ${isSeen}
    RETURNING i.id
  ), removed_identifier AS (
    DELETE FROM ostiary.identity_identifier
    WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed)
      AND value NOT IN (SELECT given.value FROM jsonb_to_recordset($11::jsonb) ${identifierRecord})
  ), ${replaceAddressParts("$12", "$13")}, ended_credential AS (
    DELETE FROM ostiary.identity_credential WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed)
  ), forgotten AS (
    DELETE FROM ostiary.device WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed)
  ), completed AS (
    ${closeFlows("$4", "changed")}
  ), closed AS (
    ${endOtherFlows}
  ), ended AS (
    UPDATE ostiary.session SET revoked_at = $7, updated_at = $7
    WHERE tenant_id = $1 AND identity_id = $4 AND revoked_at IS NULL AND expires_at > $7
      AND EXISTS (SELECT FROM changed)
    RETURNING id
  ), ended_once AS (
    SELECT FROM ended LIMIT 1
  ), settings AS (
    ${insertFlow("$14", "changed")}
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$15", from: "changed" })}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$8", from: "changed" })}
  ), recorded_end AS (
    ${insertEvents({ tenant: "$1", events: "$16", from: "ended_once" })}
  )
  ${changeResult}`,
};
