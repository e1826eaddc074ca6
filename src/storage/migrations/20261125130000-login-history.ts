import { Migration } from "@mikro-orm/migrations";

/** Finds who got into an account, or tried to, among all events. */
export class LoginHistory extends Migration {
  override up(): void {
    this.addSql(`CREATE INDEX event_logins ON ostiary.event (tenant_id, identity_id, created_at DESC, id DESC)
      WHERE type IN ('login.succeeded', 'login.failed', 'registration.succeeded', 'recovery.succeeded')`);
  }

  override down(): void {
    this.addSql("DROP INDEX ostiary.event_logins");
  }
}
