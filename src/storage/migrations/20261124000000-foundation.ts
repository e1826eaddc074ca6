import { Migration } from "@mikro-orm/migrations";

/**
 * Tenants, identities, sessions, flows, API keys, request ids, events.
 *
 * tenant_id leads every key, so that a tenant can be moved to a node of its own. Only `tenant` itself is unique by
 * another column as well: it is the list by which tenants are found, and small enough to be everywhere. Rows do
 * not refer to `tenant` by foreign key: each insert would lock that one row. Texts in keys are ordered by their
 * bytes (COLLATE "C"): an index by the machine's own collation breaks when its libraries are upgraded.
 */
export class Foundation extends Migration {
  override up(): void {
    for (const statement of [...tables, ...indexes]) this.addSql(statement);
  }

  override down(): void {
    for (const table of [...tableNames].reverse()) this.addSql(`DROP TABLE ostiary.${table}`);
  }
}

const tableNames = [
  ...[
    "tenant",
    "identity",
    "identity_identifier",
    "identity_verifiable_address",
    "identity_recovery_address",
  ],
  ...["identity_credential", "identity_schema", "session", "flow", "api_key", "api_key_bootstrap"],
  ...["idempotency_record", "event_epoch", "event"],
];

const identityReference =
  "FOREIGN KEY (tenant_id, identity_id) REFERENCES ostiary.identity (tenant_id, id) ON DELETE CASCADE";

const tables = [
  `CREATE TABLE ostiary.tenant (
    tenant_id uuid NOT NULL PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    created_at timestamptz NOT NULL
  )`,
  `CREATE TABLE ostiary.identity (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    revision int NOT NULL,
    external_id text COLLATE "C",
    schema_id text NOT NULL,
    schema_version int NOT NULL,
    state text NOT NULL,
    state_changed_at timestamptz NOT NULL,
    traits jsonb NOT NULL,
    public_metadata jsonb NOT NULL,
    admin_metadata jsonb NOT NULL,
    display_name text NOT NULL,
    last_login_at timestamptz,
    login_sequence int NOT NULL,
    PRIMARY KEY (tenant_id, id)
  )`,
  // Identifiers are ordered by their bytes, so that an index serves prefixes.
  `CREATE TABLE ostiary.identity_identifier (
    tenant_id uuid NOT NULL,
    value text COLLATE "C" NOT NULL,
    identity_id uuid NOT NULL,
    kind text NOT NULL,
    path text NOT NULL,
    ordinal int NOT NULL,
    PRIMARY KEY (tenant_id, value),
    ${identityReference}
  )`,
  `CREATE TABLE ostiary.identity_verifiable_address (
    tenant_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    verified_at timestamptz,
    ordinal int NOT NULL,
    PRIMARY KEY (tenant_id, identity_id, kind, value),
    ${identityReference}
  )`,
  `CREATE TABLE ostiary.identity_recovery_address (
    tenant_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    ordinal int NOT NULL,
    PRIMARY KEY (tenant_id, identity_id, kind, value),
    ${identityReference}
  )`,
  `CREATE TABLE ostiary.identity_credential (
    tenant_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    kind text COLLATE "C" NOT NULL,
    secret text NOT NULL,
    algorithm text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, identity_id, kind),
    ${identityReference}
  )`,
  // json, not jsonb: the order of a schema's properties is the order of the form's fields.
  `CREATE TABLE ostiary.identity_schema (
    tenant_id uuid NOT NULL,
    id text COLLATE "C" NOT NULL,
    version int NOT NULL,
    created_at timestamptz NOT NULL,
    document json NOT NULL,
    document_digest bytea NOT NULL,
    PRIMARY KEY (tenant_id, id, version)
  )`,
  `CREATE TABLE ostiary.session (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    token_digest bytea NOT NULL,
    identity_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    assurance_level text NOT NULL,
    authentication_methods jsonb NOT NULL,
    authenticated_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    last_used_at timestamptz NOT NULL,
    revoked_at timestamptz,
    ip_address text,
    user_agent text,
    PRIMARY KEY (tenant_id, id),
    ${identityReference}
  )`,
  `CREATE TABLE ostiary.flow (
    tenant_id uuid NOT NULL,
    digest bytea NOT NULL,
    kind text NOT NULL,
    client text NOT NULL,
    state text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    return_to text,
    browser_digest bytea,
    identity_id uuid,
    data jsonb NOT NULL,
    PRIMARY KEY (tenant_id, digest),
    ${identityReference}
  )`,
  `CREATE TABLE ostiary.api_key (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    token_digest bytea NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    name text NOT NULL,
    scopes text[] NOT NULL,
    expires_at timestamptz,
    last_used_at timestamptz,
    revoked_at timestamptz,
    bootstrap boolean NOT NULL,
    PRIMARY KEY (tenant_id, id)
  )`,
  `CREATE TABLE ostiary.api_key_bootstrap (
    tenant_id uuid NOT NULL PRIMARY KEY,
    api_key_id uuid NOT NULL,
    created_at timestamptz NOT NULL
  )`,
  `CREATE TABLE ostiary.idempotency_record (
    tenant_id uuid NOT NULL,
    caller text COLLATE "C" NOT NULL,
    method text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    outcome text,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, caller, method, request_id)
  )`,
  `CREATE TABLE ostiary.event_epoch (
    tenant_id uuid NOT NULL PRIMARY KEY,
    epoch uuid NOT NULL,
    database_identity text NOT NULL,
    created_at timestamptz NOT NULL
  )`,
  // Never distributed, so it can count its rows. transaction_id orders them so that none appears behind a reader.
  `CREATE TABLE ostiary.event (
    tenant_id uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    transaction_id xid8 NOT NULL,
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    type text NOT NULL,
    identity_id uuid,
    session_id uuid,
    actor jsonb NOT NULL,
    request_id text NOT NULL,
    ip_address text,
    user_agent text,
    data jsonb NOT NULL,
    PRIMARY KEY (tenant_id, position)
  )`,
];

const indexes = [
  "CREATE UNIQUE INDEX tenant_name ON ostiary.tenant (name)",
  "CREATE UNIQUE INDEX identity_external_id ON ostiary.identity (tenant_id, external_id)",
  "CREATE INDEX identity_list ON ostiary.identity (tenant_id, created_at DESC, id DESC)",
  "CREATE INDEX identity_traits ON ostiary.identity USING gin (traits jsonb_path_ops)",
  "CREATE INDEX identity_identifier_identity ON ostiary.identity_identifier (tenant_id, identity_id)",
  "CREATE UNIQUE INDEX session_token_digest ON ostiary.session (tenant_id, token_digest)",
  "CREATE INDEX session_identity ON ostiary.session (tenant_id, identity_id, created_at DESC, id DESC)",
  "CREATE INDEX session_list ON ostiary.session (tenant_id, created_at DESC, id DESC)",
  "CREATE INDEX session_expiry ON ostiary.session (expires_at)",
  "CREATE INDEX session_revocation ON ostiary.session (revoked_at) WHERE revoked_at IS NOT NULL",
  "CREATE INDEX flow_identity ON ostiary.flow (tenant_id, identity_id) WHERE identity_id IS NOT NULL",
  "CREATE INDEX flow_expiry ON ostiary.flow (expires_at)",
  "CREATE UNIQUE INDEX api_key_token_digest ON ostiary.api_key (tenant_id, token_digest)",
  "CREATE INDEX api_key_list ON ostiary.api_key (tenant_id, created_at DESC, id DESC)",
  "CREATE INDEX idempotency_record_expiry ON ostiary.idempotency_record (expires_at)",
  "CREATE INDEX event_order ON ostiary.event (tenant_id, transaction_id, position)",
];
