import { Migration } from "@mikro-orm/migrations";

/**
 * Invitations to register. What one says of a person goes when that person's identity is deleted, or by `ends_at`: when it
 * was used, revoked or expired.
 */
export class Invitations extends Migration {
  override up(): void {
    for (const statement of [table, ...indexes]) this.addSql(statement);
  }

  override down(): void {
    this.addSql("DROP TABLE ostiary.invitation");
  }
}

const table = `CREATE TABLE ostiary.invitation (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    token_digest bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    address_kind text,
    address text COLLATE "C",
    schema_id text NOT NULL,
    traits jsonb NOT NULL,
    public_metadata jsonb NOT NULL,
    admin_metadata jsonb NOT NULL,
    used_at timestamptz,
    identity_id uuid,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, identity_id) REFERENCES ostiary.identity (tenant_id, id) ON DELETE CASCADE
  )`;

const indexes = [
  "CREATE UNIQUE INDEX invitation_token_digest ON ostiary.invitation (tenant_id, token_digest)",
  "CREATE INDEX invitation_list ON ostiary.invitation (tenant_id, created_at DESC, id DESC)",
  `CREATE INDEX invitation_address ON ostiary.invitation (tenant_id, address, created_at DESC, id DESC)
    WHERE address IS NOT NULL`,
  `CREATE INDEX invitation_identity ON ostiary.invitation (tenant_id, identity_id)
    WHERE identity_id IS NOT NULL`,
  "CREATE INDEX invitation_end ON ostiary.invitation (ends_at)",
];
