import { actionsOfServer, actionsWithout } from "./action-sql.ts";
import { credentialColumns, givenCredentials, insertCredentials, setCredentials } from "./credential-sql.ts";
import type { Statement } from "./database.ts";
import { endFlows, leaveWaitingFlows } from "./end-flows.ts";
import { insertEvents } from "./event-sql.ts";
import { addressRecord, identifierRecord, identityRecord, writtenIdentity } from "./identity-row.ts";
import { insertMessages } from "./message-sql.ts";

/** The parameters of `insertIdentityParts`: pieces of SQL that hold no input. $1 is the tenant. */
interface IdentityInsertion {
  /** The part that has a row if the identity is to be written. */
  readonly when: string;
  readonly identity: string;
  readonly identifiers: string;
  readonly verifiableAddresses: string;
  readonly recoveryAddresses: string;
  /** The parameter of `credentialsParameter`. */
  readonly credentials: string;
  /** Whether an operator sets it. */
  readonly byOperator: "true" | "false";
  readonly at: string;
}

/** The parts of a statement that write a new identity, `new_identity` first. */
export function insertIdentityParts(options: IdentityInsertion): string {
  return `new_identity AS (
    INSERT INTO ostiary.identity (tenant_id, ${writtenIdentity.names}, login_sequence)
    SELECT $1, ${writtenIdentity.given}, 0
    FROM ${options.when}, jsonb_to_record(${options.identity}::jsonb) ${identityRecord}
    RETURNING id
  ), new_identifier AS (
    INSERT INTO ostiary.identity_identifier (tenant_id, value, identity_id, kind, path, ordinal)
    SELECT $1, given.value, new_identity.id, given.kind, given.path, given.ordinal
    FROM new_identity, jsonb_to_recordset(${options.identifiers}::jsonb) ${identifierRecord}
  ), new_verifiable_address AS (
    INSERT INTO ostiary.identity_verifiable_address (tenant_id, identity_id, kind, value, path, verified_at, ordinal)
    SELECT $1, new_identity.id, given.kind, given.value, given.path, given.verified_at, given.ordinal
    FROM new_identity, jsonb_to_recordset(${options.verifiableAddresses}::jsonb) ${addressRecord}
  ), new_recovery_address AS (
    INSERT INTO ostiary.identity_recovery_address (tenant_id, identity_id, kind, value, path, ordinal)
    SELECT $1, new_identity.id, given.kind, given.value, given.path, given.ordinal
    FROM new_identity, jsonb_to_recordset(${options.recoveryAddresses}::jsonb) ${addressRecord}
  ), new_credential AS (
    ${insertCredentials({ ...options, from: "new_identity" })}
  )`;
}

/**
 * $1 tenant, $2 identity, $3 identifiers, $4 verifiable and $5 recovery addresses, $6 credentials,
 * $7 now, $8 events. Fails with 23505 if an identifier, the external id or a passkey is taken.
 */
export const createIdentityStatement: Statement = {
  text: `WITH always AS (SELECT), ${insertIdentityParts({
    when: "always",
    identity: "$2",
    identifiers: "$3",
    verifiableAddresses: "$4",
    recoveryAddresses: "$5",
    credentials: "$6",
    byOperator: "true",
    at: "$7",
  })}, recorded AS (
    ${insertEvents({ tenant: "$1", events: "$8", from: "new_identity" })}
  )
  SELECT id FROM new_identity`,
};

/**
 * The parts of a statement that replace the addresses of the identity in the part `changed`. What is removed and what is
 * written never share a key, so the order of the parts does not matter. $1 is the tenant.
 */
export function replaceAddressParts(verifiableAddresses: string, recoveryAddresses: string): string {
  return `verifiable_address AS (
    SELECT changed.id AS identity_id, given.*
    FROM changed, jsonb_to_recordset(${verifiableAddresses}::jsonb) ${addressRecord}
  ), removed_verifiable_address AS (
    DELETE FROM ostiary.identity_verifiable_address
    WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed)
      AND (kind, value) NOT IN (SELECT kind, value FROM verifiable_address)
  ), written_verifiable_address AS (
    INSERT INTO ostiary.identity_verifiable_address (tenant_id, identity_id, kind, value, path, verified_at, ordinal)
    SELECT $1, identity_id, kind, value, path, verified_at, ordinal FROM verifiable_address
    ON CONFLICT (tenant_id, identity_id, kind, value) DO UPDATE
      SET path = excluded.path, verified_at = excluded.verified_at, ordinal = excluded.ordinal
  ), recovery_address AS (
    SELECT changed.id AS identity_id, given.*
    FROM changed, jsonb_to_recordset(${recoveryAddresses}::jsonb) ${addressRecord}
  ), removed_recovery_address AS (
    DELETE FROM ostiary.identity_recovery_address
    WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed)
      AND (kind, value) NOT IN (SELECT kind, value FROM recovery_address)
  ), written_recovery_address AS (
    INSERT INTO ostiary.identity_recovery_address (tenant_id, identity_id, kind, value, path, ordinal)
    SELECT $1, identity_id, kind, value, path, ordinal FROM recovery_address
    ON CONFLICT (tenant_id, identity_id, kind, value) DO UPDATE
      SET path = excluded.path, ordinal = excluded.ordinal
  )`;
}

/**
 * $1 tenant, $2 identity, $3 identifiers, $4 verifiable and $5 recovery addresses, $6 expected revision, $7 events.
 *
 * `login_sequence` is raised, so that a login that read the identity before does not complete. An identifier of another
 * identity is left as it is: then `complete` is false, and the caller rolls back. The external id fails with 23505.
 */
export const updateIdentityStatement: Statement = {
  text: `WITH changed AS (
    UPDATE ostiary.identity i SET ${writtenIdentity.without("id", "created_at", "last_login_at").assignments},
      login_sequence = i.login_sequence + 1
    FROM jsonb_to_record($2::jsonb) ${identityRecord}
    WHERE i.tenant_id = $1 AND i.id = given.id AND i.revision = $6
    RETURNING i.id
  ), identifier AS (
    SELECT changed.id AS identity_id, given.*
    FROM changed, jsonb_to_recordset($3::jsonb) ${identifierRecord}
  ), removed_identifier AS (
    DELETE FROM ostiary.identity_identifier
    WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed)
      AND value NOT IN (SELECT value FROM identifier)
  ), written_identifier AS (
    INSERT INTO ostiary.identity_identifier AS n (tenant_id, value, identity_id, kind, path, ordinal)
    SELECT $1, value, identity_id, kind, path, ordinal FROM identifier
    ON CONFLICT (tenant_id, value) DO UPDATE
      SET kind = excluded.kind, path = excluded.path, ordinal = excluded.ordinal
      WHERE n.identity_id = excluded.identity_id
    RETURNING value
  ), ${replaceAddressParts("$4", "$5")}, recorded AS (
    ${insertEvents({ tenant: "$1", events: "$7", from: "changed" })}
  )
  SELECT EXISTS (SELECT FROM changed) AS updated,
    (SELECT count(*) FROM written_identifier) = (SELECT count(*) FROM identifier) AS complete`,
};

/** $1 tenant, $2 identity, $3 state, $4 now, $5 events. A row if the state was another one. */
export const setStateStatement: Statement = {
  text: `WITH changed AS (
    UPDATE ostiary.identity SET state = $3, state_changed_at = $4, updated_at = $4, revision = revision + 1,
      login_sequence = login_sequence + 1
    WHERE tenant_id = $1 AND id = $2 AND state <> $3
    RETURNING id
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$5", from: "changed" })}
  )
  SELECT id FROM changed`,
};

/**
 * $1 tenant, $2 identity, $3 what operators ask for from now on, $4 now, $5 events. Raises `login_sequence`, so that a login that
 * read the identity before does not complete without it.
 */
export const setRequiredActionsStatement: Statement = {
  text: `WITH changed AS (
    UPDATE ostiary.identity i SET required_actions = ${actionsOfServer} || $3::jsonb, updated_at = $4,
      revision = i.revision + 1, login_sequence = i.login_sequence + 1
    WHERE i.tenant_id = $1 AND i.id = $2
    RETURNING i.id
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$5", from: "changed" })}
  )
  SELECT id FROM changed`,
};

/**
 * $1 tenant, $2 identity, $3 a list with one action, $4 its kind, $5 id and $6 secrets of a credential, $7 now, $8 events, $9 its timing.
 * Asks for the action, unless one of the kind is asked for as soon, or the credential has none of the secrets by now.
 */
export const addRequiredActionStatement: Statement = {
  text: `WITH changed AS (
    UPDATE ostiary.identity i SET required_actions = i.required_actions || $3::jsonb, updated_at = $7,
      revision = i.revision + 1, login_sequence = i.login_sequence + 1
    WHERE i.tenant_id = $1 AND i.id = $2
      AND NOT EXISTS (
        SELECT FROM jsonb_array_elements(i.required_actions) each
        WHERE each ->> 'kind' = $4::text AND each ->> 'timing' IN ('before_session', $9::text)
      )
      AND EXISTS (
        SELECT FROM ostiary.identity_credential c
        WHERE c.tenant_id = $1 AND c.identity_id = $2 AND c.id = $5 AND c.secret = ANY ($6::text[])
      )
    RETURNING i.id
  )
  ${insertEvents({ tenant: "$1", events: "$8", from: "changed" })}`,
};

/** Ends the sessions and closes the open flows of an identity. $1 tenant, $2 identity, $3 now. */
export const endAccessStatement: Statement = {
  text: `WITH revoked AS (
    UPDATE ostiary.session SET revoked_at = $3, updated_at = $3
    WHERE tenant_id = $1 AND identity_id = $2 AND revoked_at IS NULL
  )
  ${endFlows("tenant_id = $1 AND identity_id = $2")}`,
};

/**
 * What follows when a secret or address was changed from outside: codes and links that were sent and flows that were begun
 * end, other sessions if $4 says so, and the owner is told. $1 tenant, $2 identity, $3 now, $5 messages, $6 the event of the
 * sessions that ended. A statement of its own, after the change in the same transaction: it sees the session of a login and
 * the settings flow of a recovery that the change had to wait for.
 */
export const endPendingStatement: Statement = {
  text: `WITH closed AS (
    ${endFlows("tenant_id = $1 AND identity_id = $2")}
  ), ended AS (
    UPDATE ostiary.session SET revoked_at = $3, updated_at = $3
    WHERE tenant_id = $1 AND identity_id = $2 AND revoked_at IS NULL AND expires_at > $3 AND $4::boolean
    RETURNING id
  ), once AS (
    SELECT FROM ended LIMIT 1
  ), always AS (
    SELECT
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$5", from: "always" })}
  )
  ${insertEvents({ tenant: "$1", events: "$6", from: "once" })}`,
};

/**
 * $1 tenant, $2 identity, $3 kind and $4 value of the address, $5 since when it is verified or null, $6 now, $7 messages, $8
 * events, $9 the ids of what is done by it. A row if that changed. Raises the revision, so that a concurrent change does not restore the former state of the
 * address, and `login_sequence`, so that no login under way completes by an address that is no longer verified.
 */
export const setVerificationStatement: Statement = {
  text: `WITH owner AS MATERIALIZED (
    SELECT id FROM ostiary.identity WHERE tenant_id = $1 AND id = $2 FOR NO KEY UPDATE
  ), address AS (
    UPDATE ostiary.identity_verifiable_address v SET verified_at = $5
    FROM owner
    WHERE v.tenant_id = $1 AND v.identity_id = owner.id AND v.kind = $3 AND v.value = $4
      AND (v.verified_at IS NULL) <> ($5::timestamptz IS NULL)
    RETURNING v.identity_id
  ), changed AS (
    UPDATE ostiary.identity i SET updated_at = $6, revision = i.revision + 1, login_sequence = i.login_sequence + 1,
      required_actions = ${actionsWithout("$9")}
    FROM address WHERE i.tenant_id = $1 AND i.id = address.identity_id
    RETURNING i.id
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$7", from: "changed" })}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$8", from: "changed" })}
  )
  SELECT id FROM changed`,
};

/**
 * $1 tenant, $2 identity, $3 now, $4 messages, $5 events. Keeps an identity that was to be deleted; a row if it was.
 */
export const cancelDeletionStatement: Statement = {
  text: `WITH changed AS (
    UPDATE ostiary.identity SET purge_at = NULL, updated_at = $3, revision = revision + 1
    WHERE tenant_id = $1 AND id = $2 AND purge_at IS NOT NULL
    RETURNING id
  ), sent AS (
    ${insertMessages({ tenant: "$1", messages: "$4", from: "changed" })}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$5", from: "changed" })}
  )
  SELECT id FROM changed`,
};

/**
 * $1 tenant, $2 identity, $3 events. Everything of the identity goes with it by its foreign keys; flows that wait for a code of
 * it become nobody's.
 */
export const deleteIdentityStatement: Statement = {
  text: `WITH deleted AS (
    DELETE FROM ostiary.identity WHERE tenant_id = $1 AND id = $2 RETURNING id
  ), left_waiting AS (
    ${leaveWaitingFlows("tenant_id = $1 AND identity_id = (SELECT id FROM deleted)")}
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$3", from: "deleted" })}
  )
  SELECT id FROM deleted`,
};

/**
 * $1 tenant, $2 identity, $3 credential, $4 now, $5 events. Raises `login_sequence`: a login that checked the former secret
 * and has not completed yet does not complete. The identity's known devices are forgotten: a person who had the former secret
 * may have made one.
 */
export const setCredentialStatement: Statement = {
  text: `WITH changed AS (
    UPDATE ostiary.identity SET login_sequence = login_sequence + 1
    WHERE tenant_id = $1 AND id = $2
    RETURNING id
  ), written AS (
    ${setCredentials({ credentials: "$3", byOperator: "true", at: "$4", from: "changed" })}
    RETURNING ${credentialColumns}
  ), forgotten AS (
    DELETE FROM ostiary.device WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed)
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$5", from: "written" })}
  )
  SELECT * FROM written`,
};

/**
 * $1 tenant, $2 identity, $3 credentials, $4 now, $5 events. As `setCredentialStatement`, for several; one that is looked up by a
 * key replaces none, and then there are fewer rows than credentials. Logins ask for all credentials of a kind or for none: the
 * other ones of a kind are asked for as well where the new ones are. Fails with 23505 if one is another identity's.
 */
export const importCredentialsStatement: Statement = {
  text: `WITH changed AS (
    UPDATE ostiary.identity SET login_sequence = login_sequence + 1
    WHERE tenant_id = $1 AND id = $2
    RETURNING id
  ), written AS (
    ${setCredentials({ credentials: "$3", byOperator: "true", at: "$4", from: "changed" })}
      WHERE c.lookup_key = ''
    RETURNING ${credentialColumns}
  ), asked AS (
    UPDATE ostiary.identity_credential c SET is_second_factor = true, updated_at = $4
    FROM changed
    WHERE c.tenant_id = $1 AND c.identity_id = changed.id AND c.lookup_key <> '' AND NOT c.is_second_factor
      AND c.lookup_key NOT IN (SELECT given.lookup_key FROM ${givenCredentials("$3")})
      AND c.kind IN (SELECT given.kind FROM ${givenCredentials("$3")} WHERE given.is_second_factor)
  ), forgotten AS (
    DELETE FROM ostiary.device WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed)
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$5", from: "changed" })}
  )
  SELECT * FROM written`,
};

/** $1 tenant, $2 identity, $3 kind, $4 previous secret, $5 secret, $6 facts, $7 now. */
export const replaceSecretStatement: Statement = {
  text: `UPDATE ostiary.identity_credential SET secret = $5, facts = $6, updated_at = $7
    WHERE tenant_id = $1 AND identity_id = $2 AND kind = $3 AND secret = $4
    RETURNING id`,
};

/**
 * $1 tenant, $2 identity, $3 credential, $4 events. Raises `login_sequence` and forgets devices as `setCredentialStatement`
 * does.
 */
export const deleteCredentialStatement: Statement = {
  text: `WITH changed AS (
    UPDATE ostiary.identity SET login_sequence = login_sequence + 1
    WHERE tenant_id = $1 AND id = $2
    RETURNING id
  ), deleted AS (
    DELETE FROM ostiary.identity_credential c
    WHERE c.tenant_id = $1 AND c.identity_id = (SELECT id FROM changed) AND c.id = $3
    RETURNING kind
  ), forgotten AS (
    DELETE FROM ostiary.device
    WHERE tenant_id = $1 AND identity_id = (SELECT id FROM changed) AND EXISTS (SELECT FROM deleted)
  ), recorded AS (
    ${insertEvents({ tenant: "$1", events: "$4", from: "deleted" })}
  )
  SELECT kind FROM deleted`,
};
