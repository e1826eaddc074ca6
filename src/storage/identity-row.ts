import type {
  Identifier,
  Identity,
  IdentityState,
  RecoveryAddress,
  VerifiableAddress,
} from "../domain/identity/identity.ts";
import type { IdentityId } from "../domain/ids.ts";
import type { JsonObject } from "../domain/json.ts";
import { readTime } from "./column-types.ts";
import { endOf } from "./ends.ts";

/**
 * The columns of an identity with its identifiers and addresses, in one row: for `FROM ostiary.identity i`. Names
 * begin with `i_`, so that they can stand beside those of a session or a flow.
 */
export const identityColumns = `
  i.id AS i_id, i.created_at AS i_created_at, i.updated_at AS i_updated_at, i.revision AS i_revision,
  i.external_id AS i_external_id, i.schema_id AS i_schema_id, i.schema_version AS i_schema_version,
  i.state AS i_state, i.state_changed_at AS i_state_changed_at, i.traits AS i_traits,
  i.public_metadata AS i_public_metadata, i.admin_metadata AS i_admin_metadata,
  i.display_name AS i_display_name, i.last_login_at AS i_last_login_at, i.delete_at AS i_delete_at,
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
export interface IdentityRow {
  readonly i_id: IdentityId;
  readonly i_created_at: Date;
  readonly i_updated_at: Date;
  readonly i_revision: number;
  readonly i_external_id: string | null;
  readonly i_schema_id: string;
  readonly i_schema_version: number;
  readonly i_state: IdentityState;
  readonly i_state_changed_at: Date;
  readonly i_traits: JsonObject;
  readonly i_public_metadata: JsonObject;
  readonly i_admin_metadata: JsonObject;
  readonly i_display_name: string;
  readonly i_last_login_at: Date | null;
  readonly i_delete_at: Date | null;
  readonly i_identifiers: readonly Identifier[] | null;
  readonly i_verifiable_addresses:
    | readonly (RecoveryAddress & { readonly verifiedAt: string | null })[]
    | null;
  readonly i_recovery_addresses: readonly RecoveryAddress[] | null;
}

/** The identity in a row. */
export function identityFromRow(row: IdentityRow): Identity {
  return {
    id: row.i_id,
    createdAt: row.i_created_at,
    updatedAt: row.i_updated_at,
    revision: row.i_revision,
    externalId: row.i_external_id ?? undefined,
    schemaId: row.i_schema_id,
    schemaVersion: row.i_schema_version,
    state: row.i_state,
    stateChangedAt: row.i_state_changed_at,
    traits: row.i_traits,
    publicMetadata: row.i_public_metadata,
    adminMetadata: row.i_admin_metadata,
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
    displayName: row.i_display_name,
    lastLoginAt: row.i_last_login_at ?? undefined,
    deleteAt: endOf(row.i_delete_at),
  };
}

/**
 * The columns that an identity is written to. Security rule: `delete_at` is not among them, so that no create, import or
 * update schedules a deletion or cancels one.
 */
export const identityWriteColumns = `id, created_at, updated_at, revision, external_id, schema_id, schema_version,
  state, state_changed_at, traits, public_metadata, admin_metadata, display_name, last_login_at`;

/** What `identityParameter` unfolds to within a statement. */
export const identityRecord = `AS given(id uuid, created_at timestamptz, updated_at timestamptz, revision int,
  external_id text, schema_id text, schema_version int, state text, state_changed_at timestamptz, traits jsonb,
  public_metadata jsonb, admin_metadata jsonb, display_name text, last_login_at timestamptz)`;

/** An identity's own fields as one JSON parameter. */
export function identityParameter(identity: Identity): string {
  return JSON.stringify({
    id: identity.id,
    created_at: identity.createdAt,
    updated_at: identity.updatedAt,
    revision: identity.revision,
    external_id: identity.externalId,
    schema_id: identity.schemaId,
    schema_version: identity.schemaVersion,
    state: identity.state,
    state_changed_at: identity.stateChangedAt,
    traits: identity.traits,
    public_metadata: identity.publicMetadata,
    admin_metadata: identity.adminMetadata,
    display_name: identity.displayName,
    last_login_at: identity.lastLoginAt,
  });
}

/** What `identifiersParameter` unfolds to. */
export const identifierRecord = "AS given(kind text, value text, path text, ordinal int)";

/**
 * Identifiers as one JSON parameter, sorted by value: statements that claim the same identifiers then wait for
 * each other instead of blocking each other.
 */
export function identifiersParameter(identifiers: readonly Identifier[]): string {
  const numbered = identifiers.map(({ kind, value, path }, ordinal) => ({ kind, value, path, ordinal }));
  // The same value may come from two traits; the first one counts.
  const unique = [...new Map([...numbered].reverse().map((entry) => [entry.value, entry])).values()];
  return JSON.stringify(unique.sort((a, b) => (a.value < b.value ? -1 : a.value > b.value ? 1 : 0)));
}

/** What `addressesParameter` unfolds to. */
export const addressRecord =
  "AS given(kind text, value text, path text, verified_at timestamptz, ordinal int)";

/** Addresses as one JSON parameter. */
export function addressesParameter(
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
