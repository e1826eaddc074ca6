import { Migration } from "@mikro-orm/migrations";

/**
 * Adds what flows keep of their last submit: the outcome, for a page that is loaded again, and the answer, in case it gets
 * lost. Both are sealed.
 */
export class FlowMemory extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE ostiary.flow ADD COLUMN kept text, ADD COLUMN answer text");
  }

  override down(): void {
    this.addSql("ALTER TABLE ostiary.flow DROP COLUMN kept, DROP COLUMN answer");
  }
}
