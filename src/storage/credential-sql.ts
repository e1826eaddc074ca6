import type { Credential, NewCredential } from "../domain/identity/identity.ts";
import type { CredentialId } from "../domain/ids.ts";
import type { JsonObject } from "../domain/json.ts";
import type { CredentialKind } from "../domain/kinds.ts";
import { credentialIdOf, newCredentialId } from "./credential-ids.ts";

/** A row of `credentialColumns`. */
export interface CredentialRow {
  readonly id: CredentialId;
  readonly kind: CredentialKind;
  readonly label: string;
  readonly facts: JsonObject;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly last_used_at: Date | null;
}

/** What is read of a credential, whose table is named `c`: never its secret. */
export const credentialColumns = `${credentialIdOf("c")} AS id, c.kind, c.label, c.facts, c.created_at, c.updated_at, c.last_used_at`;

/** The credential in a row. */
export function credentialFromRow(row: CredentialRow): Credential {
  return {
    id: row.id,
    kind: row.kind,
    label: row.label,
    facts: row.facts,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}

/** A new credential as one JSON parameter; undefined if there is none. */
export function credentialParameter(credential: NewCredential | undefined): string | undefined {
  if (credential === undefined) return undefined;
  const { kind, label = "", secret, facts } = credential;
  return JSON.stringify({ kind, label, secret, facts });
}

interface CredentialInsertion {
  /** The parameter of `credentialParameter`. */
  readonly credential: string;
  /** Whether an operator sets it. */
  readonly byOperator: string;
  readonly at: string;
  /** The part with the `id` of the identity; it may be empty. */
  readonly from: string;
}

/** Writes a credential if its parameter is not null. $1 tenant. */
export function insertCredential({ credential, byOperator, at, from }: CredentialInsertion): string {
  return `INSERT INTO ostiary.identity_credential AS c
      (tenant_id, identity_id, kind, id, label, secret, facts, set_by_operator, created_at, updated_at)
    SELECT $1, ${from}.id, given.kind, ${newCredentialId(at)}, given.label, given.secret, given.facts, ${byOperator}, ${at}, ${at}
    FROM ${from}, jsonb_to_record(${credential}::jsonb) AS given(kind text, label text, secret text, facts jsonb)
    WHERE ${credential}::jsonb IS NOT NULL`;
}

/** Writes a credential, in the place of one of the same kind. */
export function setCredential(insertion: CredentialInsertion): string {
  return `${insertCredential(insertion)}
    ON CONFLICT (tenant_id, identity_id, kind) DO UPDATE
      SET label = excluded.label, secret = excluded.secret, facts = excluded.facts,
        set_by_operator = excluded.set_by_operator, updated_at = excluded.updated_at, last_used_at = NULL`;
}
