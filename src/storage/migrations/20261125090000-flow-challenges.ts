import { Migration } from "@mikro-orm/migrations";

/**
 * Codes and links that flows wait for. They are columns of the flow: there is at most one, a newer one takes its place, and
 * a try is counted in the row that it is tried against.
 */
export class FlowChallenges extends Migration {
  override up(): void {
    for (const statement of statements) this.addSql(statement);
  }

  override down(): void {
    this.addSql("DROP INDEX ostiary.identity_verifiable_address_value");
    this.addSql("DROP INDEX ostiary.flow_link");
    for (const column of columns) this.addSql(`ALTER TABLE ostiary.flow DROP COLUMN ${column}`);
  }
}

const columns = [
  "revision",
  "challenge_kind",
  "challenge_digest",
  "challenge_expires_at",
  "challenge_attempts",
];

const statements = [
  // With defaults, so that a server of the release before can still write.
  "ALTER TABLE ostiary.flow ADD COLUMN revision int NOT NULL DEFAULT 0",
  "ALTER TABLE ostiary.flow ADD COLUMN challenge_kind text",
  "ALTER TABLE ostiary.flow ADD COLUMN challenge_digest bytea",
  "ALTER TABLE ostiary.flow ADD COLUMN challenge_expires_at timestamptz",
  "ALTER TABLE ostiary.flow ADD COLUMN challenge_attempts int NOT NULL DEFAULT 0",
  `CREATE UNIQUE INDEX flow_link ON ostiary.flow (tenant_id, challenge_digest) WHERE challenge_kind = 'link'`,
  `CREATE INDEX identity_verifiable_address_value
    ON ostiary.identity_verifiable_address (tenant_id, kind, value)`,
];
