import { Migration } from "@mikro-orm/migrations";

/** When an account is to be deleted, as its owner asked for. Few are, so the index that finds them is small. */
export class AccountDeletion extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE ostiary.identity ADD COLUMN delete_at timestamptz");
    this.addSql(`CREATE INDEX identity_deletion ON ostiary.identity (tenant_id, delete_at)
      WHERE delete_at IS NOT NULL`);
  }

  override down(): void {
    this.addSql("DROP INDEX ostiary.identity_deletion");
    this.addSql("ALTER TABLE ostiary.identity DROP COLUMN delete_at");
  }
}
