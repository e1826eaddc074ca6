import { Migration } from "@mikro-orm/migrations";

/** Finds the messages that were never to be sent, which are kept for a shorter time than the others. */
export class SuppressedMessages extends Migration {
  override up(): void {
    this.addSql("CREATE INDEX message_suppressed ON ostiary.message (ended_at) WHERE state = 'suppressed'");
  }

  override down(): void {
    this.addSql("DROP INDEX ostiary.message_suppressed");
  }
}
