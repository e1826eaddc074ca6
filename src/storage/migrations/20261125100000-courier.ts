import { Migration } from "@mikro-orm/migrations";

/**
 * The queue of messages. It is never distributed, so that workers find what is due in all tenants by one index. It
 * refers to no identity: the owner of a deleted account is still told so.
 */
export class Courier extends Migration {
  override up(): void {
    for (const statement of [table, ...indexes]) this.addSql(statement);
  }

  override down(): void {
    this.addSql("DROP TABLE ostiary.message");
  }
}

const table = `CREATE TABLE ostiary.message (
    tenant_id uuid NOT NULL,
    id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    state text COLLATE "C" NOT NULL,
    channel text NOT NULL,
    template text NOT NULL,
    recipient text COLLATE "C" NOT NULL,
    language text NOT NULL,
    identity_id uuid,
    attempts int NOT NULL,
    next_attempt_at timestamptz,
    lease_token uuid,
    expires_at timestamptz,
    ended_at timestamptz,
    last_error text,
    sealed_data text,
    PRIMARY KEY (tenant_id, id)
  )`;

const indexes = [
  "CREATE INDEX message_due ON ostiary.message (next_attempt_at) WHERE state IN ('queued', 'sending')",
  "CREATE INDEX message_list ON ostiary.message (tenant_id, created_at DESC, id DESC)",
  "CREATE INDEX message_failed ON ostiary.message (tenant_id, created_at DESC, id DESC) WHERE state = 'failed'",
  "CREATE INDEX message_recipient ON ostiary.message (tenant_id, recipient, created_at DESC, id DESC)",
  `CREATE INDEX message_identity ON ostiary.message (tenant_id, identity_id, created_at DESC, id DESC)
    WHERE identity_id IS NOT NULL`,
  "CREATE INDEX message_end ON ostiary.message (ended_at) WHERE ended_at IS NOT NULL",
];
