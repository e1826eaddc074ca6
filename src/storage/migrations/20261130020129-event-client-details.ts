import { Migration } from "@mikro-orm/migrations";

/** Finds the events that have an IP address or User-Agent for longer than these are kept. */
export class EventClientDetails extends Migration {
  override up(): void {
    this.addSql(`CREATE INDEX event_client_details ON ostiary.event (created_at)
      WHERE ip_address IS NOT NULL OR user_agent IS NOT NULL`);
  }

  override down(): void {
    this.addSql("DROP INDEX ostiary.event_client_details");
  }
}
