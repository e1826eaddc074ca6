import { Migration } from "@mikro-orm/migrations";

/** Finds the events of a type that are older than they are kept. */
export class EventAge extends Migration {
  override up(): void {
    this.addSql("CREATE INDEX event_age ON ostiary.event (type, created_at)");
  }

  override down(): void {
    this.addSql("DROP INDEX ostiary.event_age");
  }
}
