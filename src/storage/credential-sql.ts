import type { Credential, NewCredential } from "../domain/identity/identity.ts";
import type { CredentialId } from "../domain/ids.ts";
import type { JsonObject } from "../domain/json.ts";
import type { CredentialKind } from "../domain/kinds.ts";
import { newCredentialId } from "./credential-ids.ts";

/** A row of `credentialColumns`. */
export interface CredentialRow {
  readonly id: CredentialId;
  readonly kind: CredentialKind;
  readonly lookup_key: string;
  readonly label: string;
  readonly is_second_factor: boolean;
  readonly facts: JsonObject;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly last_used_at: Date | null;
}

/** A row of `credentialColumns` as a member of a JSON array, where times are text. */
export type CredentialJson = {
  readonly [Column in keyof CredentialRow]: Date extends CredentialRow[Column]
    ? string | Exclude<CredentialRow[Column], Date>
    : CredentialRow[Column];
};

const columns = [
  "id",
  "kind",
  "lookup_key",
  "label",
  "is_second_factor",
  "facts",
  "created_at",
  "updated_at",
  "last_used_at",
] satisfies readonly (keyof CredentialRow)[];

/** What is read of a credential, whose table is named `c`: never its secret. */
export const credentialColumns = columns.map((column) => `c.${column}`).join(", ");

/** The credentials of the identity `i` as a JSON array of rows, oldest first. */
export const ownCredentials = `COALESCE((SELECT json_agg(own) FROM (
      SELECT ${credentialColumns} FROM ostiary.identity_credential c
      WHERE c.tenant_id = i.tenant_id AND c.identity_id = i.id
      ORDER BY c.created_at, c.id
    ) own), '[]')`;

/** The credential in a row. */
export function credentialFromRow(row: CredentialRow): Credential {
  return {
    id: row.id,
    kind: row.kind,
    lookupKey: row.lookup_key,
    label: row.label,
    isSecondFactor: row.is_second_factor,
    facts: row.facts,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lastUsedAt: row.last_used_at ?? undefined,
  };
}

/** The credential in a row that is JSON. */
export function credentialFromJson(row: CredentialJson): Credential {
  return credentialFromRow({
    ...row,
    created_at: new Date(row.created_at),
    updated_at: new Date(row.updated_at),
    last_used_at: row.last_used_at === null ? null : new Date(row.last_used_at),
  });
}

/** New credentials as one JSON parameter. */
export function credentialsParameter(credentials: readonly NewCredential[]): string {
  return JSON.stringify(
    credentials.map(
      ({ kind, id, lookupKey = "", label = "", isSecondFactor = false, secret, facts, createdAt }) => ({
        ...{ kind, id, lookup_key: lookupKey, label, is_second_factor: isSecondFactor, secret, facts },
        created_at: createdAt,
      }),
    ),
  );
}

interface CredentialInsertion {
  /** The parameter of `credentialsParameter`. */
  readonly credentials: string;
  /** Whether an operator sets it. */
  readonly byOperator: string;
  readonly at: string;
  /** The part with the `id` of the identity; it may be empty. */
  readonly from: string;
}

/** Writes credentials. $1 tenant. */
export function insertCredentials({ credentials, byOperator, at, from }: CredentialInsertion): string {
  return `INSERT INTO ostiary.identity_credential AS c
      (tenant_id, identity_id, kind, lookup_key, id, label, is_second_factor, secret, facts, set_by_operator, created_at, updated_at)
    SELECT $1, ${from}.id, given.kind, given.lookup_key, COALESCE(given.id, ${newCredentialId(at)}), given.label, given.is_second_factor,
      given.secret, given.facts, ${byOperator}, COALESCE(given.created_at, ${at}), ${at}
    FROM ${from}, ${givenCredentials(credentials)}`;
}

/** The rows of a parameter of `credentialsParameter`, as `given`. */
export function givenCredentials(parameter: string): string {
  return `jsonb_to_recordset(${parameter}::jsonb) AS given(kind text, id uuid, lookup_key text, label text,
      is_second_factor boolean, secret text, facts jsonb, created_at timestamptz)`;
}

/** Writes credentials, each in the place of one of the same kind and key. */
export function setCredentials(insertion: CredentialInsertion): string {
  return `${insertCredentials(insertion)}
    ON CONFLICT (tenant_id, identity_id, kind, lookup_key) DO UPDATE
      SET label = excluded.label, is_second_factor = excluded.is_second_factor, secret = excluded.secret, facts = excluded.facts,
        set_by_operator = excluded.set_by_operator, updated_at = excluded.updated_at, last_used_at = NULL`;
}
