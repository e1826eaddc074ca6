import { Migration } from "@mikro-orm/migrations";

/** Finds the sessions that stand for one at a provider. No session is one yet. */
export class ProviderSessions extends Migration {
  override up(): void {
    this.addSql(`CREATE INDEX session_provider ON ostiary.session USING gin (authentication_methods jsonb_path_ops)
      WHERE revoked_at IS NULL AND authentication_methods @> '[{"kind": "oidc"}]'`);
  }

  override down(): void {
    this.addSql("DROP INDEX ostiary.session_provider");
  }
}
