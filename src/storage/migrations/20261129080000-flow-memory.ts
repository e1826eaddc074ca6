import { Migration } from "@mikro-orm/migrations";

/** What flows keep of their last submit: for a page that is loaded again, and for an answer that got lost. Both are sealed. */
export class FlowMemory extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE ostiary.flow ADD COLUMN kept text, ADD COLUMN answer text");
  }

  override down(): void {
    this.addSql("ALTER TABLE ostiary.flow DROP COLUMN kept, DROP COLUMN answer");
  }
}
