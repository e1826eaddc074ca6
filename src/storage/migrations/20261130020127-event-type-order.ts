import { Migration } from "@mikro-orm/migrations";

/**
 * Orders the types of events by their bytes, as indexes need it. No row is written: only the catalogue changes. The index that depended on
 * the column went before; it would have been made again meanwhile.
 */
export class EventTypeOrder extends Migration {
  override up(): void {
    this.addSql(`ALTER TABLE ostiary.event ALTER COLUMN type TYPE text COLLATE "C"`);
  }

  override down(): void {
    this.addSql(`ALTER TABLE ostiary.event ALTER COLUMN type TYPE text COLLATE "default"`);
  }
}
