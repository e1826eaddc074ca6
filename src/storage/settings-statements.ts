import {
  changeResult,
  endOtherFlows,
  isOfRevision,
  isSeen,
  ownFlowParts,
  seenPart,
} from "./account-change.ts";
import { actionsDone, actionsWithout, areAsked } from "./action-sql.ts";
import { setCredentials } from "./credential-sql.ts";
import type { Statement } from "./database.ts";
import { leaveWaitingFlows } from "./end-flows.ts";
import { insertEvents } from "./event-sql.ts";
import { insertFlow, insertSession } from "./flow-statements.ts";
import { identifierRecord, identityRecord } from "./identity-row.ts";
import { replaceAddressParts } from "./identity-statements.ts";
import { insertMessages } from "./message-sql.ts";
import { throttleParts } from "./throttle-statements.ts";

/**
 * What follows the part `changed`. $1 tenant, $2 flow with $3 its revision, $4 identity, $5 now, $6 whether other sessions end,
 * $7 the one that stays or null, $8 whether the flow is over, $9 whether what is on its way ends, $10 messages, $11 events, $12
 * the event of the sessions that ended, $13 the outcome that the flow keeps or null, $14 the flow's data after the change.
 */
const followingParts = `moved AS (
    UPDATE ostiary.flow SET revision = revision + 1, kept = $13,
      data = $14::jsonb,
      challenge_kind = NULL, challenge_digest = NULL, challenge_expires_at = NULL,
      state = CASE WHEN $8::boolean THEN 'completed' ELSE state END
    WHERE tenant_id = $1 AND digest = ANY ($2::bytea[]) AND EXISTS (SELECT FROM changed)
  ), closed AS (
    ${endOtherFlows} AND $9::boolean
  ), ended AS (
    UPDATE ostiary.session SET revoked_at = $5, updated_at = $5
    WHERE tenant_id = $1 AND identity_id = $4 AND revoked_at IS NULL AND expires_at > $5 AND $6::boolean
      AND id IS DISTINCT FROM $7 AND EXISTS (SELECT FROM changed)
    RETURNING id
  ), ended_once AS (
    SELECT FROM ended LIMIT 1
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$10", from: "changed" })}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$11", from: "changed" })}
  ), recorded_end AS (
    ${insertEvents({ tenant: "$1", events: "$12", from: "ended_once" })}
  )`;

/**
 * The parameters of `followingParts`, then $15 credential, $16 session or null, $17 its digest,
 * $18 to $22 those of `throttleParts`, $23 the session that the new one replaces or null, $24 the ids of what is done by it, $25 the
 * revision that the identity must have or null, $26 the login that begins or null.
 */
export const changeCredentialStatement: Statement = {
  name: "change_credential",
  text: `WITH ${ownFlowParts}, ${seenPart(isOfRevision("$25"))}, changed AS (
    UPDATE ostiary.identity i SET login_sequence = i.login_sequence + 1, ${actionsDone("$24")}
    FROM seen WHERE ${isSeen}
    RETURNING i.id
  ), written AS (
    ${setCredentials({ credentials: "$15", byOperator: "false", at: "$5", from: "changed" })}
  ), forgotten AS (
    DELETE FROM ostiary.device WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed)
  ), created AS (
    ${insertSession("$16", "$17", "changed")}
  ), replaced AS (
    UPDATE ostiary.session SET revoked_at = $5, updated_at = $5
    WHERE tenant_id = $1 AND id = $23 AND identity_id = $4 AND revoked_at IS NULL AND EXISTS (SELECT FROM changed)
  ), begun AS (
    ${insertFlow("$26", "changed")}
  ), ${throttleParts({ from: "changed", identityId: "$4", at: "$5", firstParameter: 18 })}, ${followingParts}
  ${changeResult}`,
};

/**
 * The parameters of `followingParts`, then $15 the credential and $16 all that the account is known to have, in order. Of two
 * that remove the last two at the same moment one finds others than it knows.
 */
export const removeCredentialStatement: Statement = {
  name: "remove_credential",
  text: `WITH ${ownFlowParts}, ${seenPart(`ARRAY(
      SELECT c.id FROM ostiary.identity_credential c WHERE c.tenant_id = $1 AND c.identity_id = $4 ORDER BY c.id
    ) = $16::uuid[]`)}, changed AS (
    UPDATE ostiary.identity i SET login_sequence = i.login_sequence + 1
    FROM seen WHERE ${isSeen}
    RETURNING i.id
  ), removed AS (
    DELETE FROM ostiary.identity_credential
    WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed) AND id = $15
  ), forgotten AS (
    DELETE FROM ostiary.device WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed)
  ), ${followingParts}
  ${changeResult}`,
};

/**
 * The parameters of `followingParts`, then $15 the credential, which the account must have, $16 its name, and $17 whether it and the
 * others of its kind are second factors; null: as before. $18 is their kind, $19 the ids of what is done by it.
 */
export const editCredentialStatement: Statement = {
  name: "edit_credential",
  text: `WITH ${ownFlowParts}, ${seenPart(`EXISTS (
      SELECT FROM ostiary.identity_credential c WHERE c.tenant_id = $1 AND c.identity_id = $4 AND c.id = $15
    )`)}, changed AS (
    UPDATE ostiary.identity i SET login_sequence = i.login_sequence + 1, ${actionsDone("$19")}
    FROM seen WHERE ${isSeen}
    RETURNING i.id
  ), edited AS (
    UPDATE ostiary.identity_credential SET label = COALESCE($16, label),
      is_second_factor = COALESCE($17::boolean, is_second_factor), updated_at = $5
    WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed) AND (id = $15 OR kind = $18)
  ), ${followingParts}
  ${changeResult}`,
};

/**
 * The parameters of `followingParts`, then $15 expected revision, $16 identity, $17 identifiers, $18 verifiable and $19 recovery
 * addresses.
 *
 * The identifiers that go, stay and come are three sets without a common key: the parts of one statement may not touch a row
 * twice, nor insert a key that another part removes. An identifier of another identity fails with 23505, and nothing stays.
 */
export const changeProfileStatement: Statement = {
  name: "change_profile",
  text: `WITH ${ownFlowParts}, ${seenPart("i.revision = $15")}, changed AS (
    UPDATE ostiary.identity i SET updated_at = given.updated_at, revision = given.revision,
      schema_id = given.schema_id, schema_version = given.schema_version, traits = given.traits,
      display_name = given.display_name, required_actions = given.required_actions, login_sequence = i.login_sequence + 1
    FROM seen, jsonb_to_record($16::jsonb) ${identityRecord}
    WHERE ${isSeen}
    RETURNING i.id
  ), identifier AS MATERIALIZED (
    SELECT changed.id AS identity_id, given.*
    FROM changed, jsonb_to_recordset($17::jsonb) ${identifierRecord}
  ), removed_identifier AS (
    DELETE FROM ostiary.identity_identifier
    WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed) AND value NOT IN (SELECT value FROM identifier)
  ), kept_identifier AS (
    UPDATE ostiary.identity_identifier n SET kind = given.kind, path = given.path, ordinal = given.ordinal
    FROM identifier given
    WHERE n.tenant_id = $1 AND n.value = given.value AND n.identity_id = given.identity_id
  ), new_identifier AS (
    INSERT INTO ostiary.identity_identifier (tenant_id, value, identity_id, kind, path, ordinal)
    SELECT $1, given.value, given.identity_id, given.kind, given.path, given.ordinal FROM identifier given
    WHERE NOT EXISTS (
      SELECT FROM ostiary.identity_identifier n
      WHERE n.tenant_id = $1 AND n.value = given.value AND n.identity_id = given.identity_id
    )
  ), ${replaceAddressParts("$18", "$19")}, ${followingParts}
  ${changeResult}`,
};

/** The parameters of `followingParts`, then $15 the ids of what is done, all of which must be asked for: it is done once. */
export const completeActionsStatement: Statement = {
  name: "complete_actions",
  text: `WITH ${ownFlowParts}, ${seenPart(areAsked("$15"))}, changed AS (
    UPDATE ostiary.identity i SET required_actions = ${actionsWithout("$15")}, updated_at = $5,
      revision = i.revision + 1, login_sequence = i.login_sequence + 1
    FROM seen WHERE ${isSeen}
    RETURNING i.id
  ), ${followingParts}
  ${changeResult}`,
};

/** The parameters of `followingParts`, then $15 when the account is to be deleted. */
export const scheduleDeletionStatement: Statement = {
  name: "schedule_deletion",
  text: `WITH ${ownFlowParts}, ${seenPart("i.purge_at IS NULL")}, changed AS (
    UPDATE ostiary.identity i SET purge_at = $15, updated_at = $5, revision = i.revision + 1,
      login_sequence = i.login_sequence + 1
    FROM seen WHERE ${isSeen}
    RETURNING i.id
  ), ${followingParts}
  ${changeResult}`,
};

/** The parameters of `followingParts`. */
export const cancelOwnDeletionStatement: Statement = {
  name: "cancel_own_deletion",
  text: `WITH ${ownFlowParts}, ${seenPart("i.purge_at IS NOT NULL")}, changed AS (
    UPDATE ostiary.identity i SET purge_at = NULL, updated_at = $5, revision = i.revision + 1
    FROM seen WHERE ${isSeen}
    RETURNING i.id
  ), ${followingParts}
  ${changeResult}`,
};

/**
 * $1 tenant, $2 flow with $3 its revision, $4 identity, $5 messages, $6 events. Everything of the identity goes with it by its
 * foreign keys, this flow as well; flows that wait for a code of it become nobody's.
 */
export const deleteAccountStatement: Statement = {
  name: "delete_account",
  text: `WITH ${ownFlowParts}, ${seenPart("i.purge_at IS NULL")}, changed AS (
    DELETE FROM ostiary.identity i USING seen WHERE ${isSeen}
    RETURNING i.id
  ), left_waiting AS (
    ${leaveWaitingFlows("tenant_id = $1 AND identity_id = (SELECT id FROM changed)")}
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$5", from: "changed" })}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$6", from: "changed" })}
  )
  ${changeResult}`,
};
