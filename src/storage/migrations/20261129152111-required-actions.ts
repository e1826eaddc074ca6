import { Migration } from "@mikro-orm/migrations";

/** What an identity is asked to do is kept with it. Nothing is asked of those that are there. */
export class RequiredActions extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE ostiary.identity ADD COLUMN required_actions jsonb NOT NULL DEFAULT '[]'");
  }

  override down(): void {
    this.addSql("ALTER TABLE ostiary.identity DROP COLUMN required_actions");
  }
}
