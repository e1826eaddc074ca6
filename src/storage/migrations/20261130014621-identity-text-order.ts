import { Migration } from "@mikro-orm/migrations";

/** Orders schema and state of identities by their bytes, as indexes need it. No row is written: only the catalogue changes. */
export class IdentityTextOrder extends Migration {
  override up(): void {
    this.addSql(`ALTER TABLE ostiary.identity ALTER COLUMN schema_id TYPE text COLLATE "C",
      ALTER COLUMN state TYPE text COLLATE "C"`);
  }

  override down(): void {
    this.addSql(`ALTER TABLE ostiary.identity ALTER COLUMN schema_id TYPE text COLLATE "default",
      ALTER COLUMN state TYPE text COLLATE "default"`);
  }
}
