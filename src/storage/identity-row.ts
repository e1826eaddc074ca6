import type {
  Identifier,
  Identity,
  RecoveryAddress,
  VerifiableAddress,
} from "../domain/identity/identity.ts";
import { readTime } from "./column-types.ts";
import {
  identityRow,
  type IdentityRow as OwnColumns,
  readIdentity,
  writeIdentity,
} from "./rows.generated.ts";

/**
 * The columns of an identity with its identifiers and addresses, in one row: for `FROM ostiary.identity i`. Names
 * begin with `i_`, so that they can stand beside those of a session or a flow.
 */
export const identityColumns = `${identityRow.selected},
  (SELECT json_agg(json_build_object('kind', n.kind, 'value', n.value, 'path', n.path) ORDER BY n.ordinal)
    FROM ostiary.identity_identifier n
    WHERE n.tenant_id = i.tenant_id AND n.identity_id = i.id) AS i_identifiers,
  (SELECT json_agg(json_build_object('kind', v.kind, 'value', v.value, 'path', v.path, 'verifiedAt', v.verified_at)
      ORDER BY v.ordinal)
    FROM ostiary.identity_verifiable_address v
    WHERE v.tenant_id = i.tenant_id AND v.identity_id = i.id) AS i_verifiable_addresses,
  (SELECT json_agg(json_build_object('kind', r.kind, 'value', r.value, 'path', r.path) ORDER BY r.ordinal)
    FROM ostiary.identity_recovery_address r
    WHERE r.tenant_id = i.tenant_id AND r.identity_id = i.id) AS i_recovery_addresses`;

/** The same without traits and metadata, which are most of a row. They are empty and not read. */
export const basicIdentityColumns = identityColumns.replace(
  /i\.(?:traits|public_metadata|admin_metadata)(?= AS )/g,
  "'{}'::jsonb",
);

/** A row of `identityColumns`. */
export interface IdentityRow extends OwnColumns {
  readonly i_identifiers: readonly Identifier[] | null;
  readonly i_verifiable_addresses:
    | readonly (RecoveryAddress & { readonly verifiedAt: string | null })[]
    | null;
  readonly i_recovery_addresses: readonly RecoveryAddress[] | null;
}

/** The identity in a row. */
export function identityFromRow(row: IdentityRow): Identity {
  return {
    ...readIdentity(row),
    identifiers: row.i_identifiers ?? [],
    verifiableAddresses: (row.i_verifiable_addresses ?? []).map(
      ({ kind, value, path, verifiedAt }): VerifiableAddress => ({
        kind,
        value,
        path,
        verifiedAt: verifiedAt === null ? undefined : readTime(verifiedAt),
      }),
    ),
    recoveryAddresses: row.i_recovery_addresses ?? [],
  };
}

/**
 * The columns that an identity is written to. Security rule (SR-SETTINGS-2): `purge_at` is not among them, so that no create, import or
 * update schedules a deletion or cancels one.
 */
export const writtenIdentity = identityRow.without("purge_at");

/** What the first of `identityParameters` unfolds to within a statement. */
export const identityRecord = writtenIdentity.record;

/** An identity as four JSON parameters: its own fields, its identifiers, its verifiable and its recovery addresses. */
export function identityParameters(identity: Identity): readonly string[] {
  return [
    JSON.stringify(writeIdentity(identity)),
    identifiersParameter(identity.identifiers),
    addressesParameter(identity.verifiableAddresses),
    addressesParameter(identity.recoveryAddresses),
  ];
}

/** What the second unfolds to. */
export const identifierRecord = "AS given(kind text, value text, path text, ordinal int)";

/**
 * Identifiers as one JSON parameter, sorted by value: statements that claim the same identifiers then wait for
 * each other instead of blocking each other.
 */
function identifiersParameter(identifiers: readonly Identifier[]): string {
  const numbered = identifiers.map(({ kind, value, path }, ordinal) => ({ kind, value, path, ordinal }));
  // The same value may come from two traits; the first one counts.
  const unique = [...new Map([...numbered].reverse().map((entry) => [entry.value, entry])).values()];
  return JSON.stringify(unique.sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0)));
}

/** What the others unfold to. */
export const addressRecord =
  "AS given(kind text, value text, path text, verified_at timestamptz, ordinal int)";

/** Addresses as one JSON parameter. */
function addressesParameter(
  addresses: readonly (RecoveryAddress & { readonly verifiedAt?: Date | undefined })[],
): string {
  const numbered = addresses.map(({ kind, value, path, verifiedAt }, ordinal) => ({
    kind,
    value,
    path,
    verified_at: verifiedAt,
    ordinal,
  }));
  const unique = new Map([...numbered].reverse().map((entry) => [`${entry.kind} ${entry.value}`, entry]));
  return JSON.stringify([...unique.values()]);
}
