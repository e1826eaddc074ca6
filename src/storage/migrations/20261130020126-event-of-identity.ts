import { Migration } from "@mikro-orm/migrations";

/** Finds all events of an identity; before, those of its login history alone. */
export class EventOfIdentity extends Migration {
  override up(): void {
    this.addSql(`CREATE INDEX event_of_identity ON ostiary.event (tenant_id, identity_id, created_at DESC, id DESC)
      WHERE identity_id IS NOT NULL`);
    this.addSql("DROP INDEX ostiary.event_logins");
  }

  override down(): void {
    this.addSql(`CREATE INDEX event_logins ON ostiary.event (tenant_id, identity_id, created_at DESC, id DESC)
      WHERE type IN ('login.succeeded', 'login.failed', 'registration.succeeded', 'recovery.succeeded')`);
    this.addSql("DROP INDEX ostiary.event_of_identity");
  }
}
