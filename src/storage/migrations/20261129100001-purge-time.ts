import { Migration } from "@mikro-orm/migrations";

/** When an account is deleted is called as in the contract, `purge_time`. The rows stay as they are. */
export class PurgeTime extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE ostiary.identity RENAME COLUMN delete_at TO purge_at");
  }

  override down(): void {
    this.addSql("ALTER TABLE ostiary.identity RENAME COLUMN purge_at TO delete_at");
  }
}
