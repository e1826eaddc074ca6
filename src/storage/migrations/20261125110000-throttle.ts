import { Migration } from "@mikro-orm/migrations";

/** Counters of attempts, and the devices that identities know. */
export class Throttle extends Migration {
  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    this.addSql("DROP TABLE ostiary.device");
    this.addSql("DROP TABLE ostiary.throttle_counter");
  }
}

const statements = [
  // Moments in microseconds, not timestamptz: adding an interval to one is not immutable, and would be refused in
  // ON CONFLICT DO UPDATE on a distributed table.
  `CREATE TABLE ostiary.throttle_counter (
    tenant_id uuid NOT NULL,
    key bytea NOT NULL,
    spent_until_us bigint NOT NULL,
    period_us bigint NOT NULL,
    PRIMARY KEY (tenant_id, key)
  )`,
  `CREATE TABLE ostiary.device (
    tenant_id uuid NOT NULL,
    token_digest bytea NOT NULL,
    identity_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, token_digest),
    FOREIGN KEY (tenant_id, identity_id) REFERENCES ostiary.identity (tenant_id, id) ON DELETE CASCADE
  )`,
  "CREATE INDEX throttle_counter_end ON ostiary.throttle_counter (spent_until_us)",
  "CREATE INDEX device_identity ON ostiary.device (tenant_id, identity_id)",
  "CREATE INDEX device_expiry ON ostiary.device (expires_at)",
];
