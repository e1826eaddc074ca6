import { Migration } from "@mikro-orm/migrations";

/**
 * Makes credentials alike, whatever their kind: a label, what may be shown of them, and their last use. The algorithm of a
 * hash is one of the facts. Flows of before are removed: where they stand is written in another way, and they are begun
 * again within minutes.
 */
export class GenericCredentials extends Migration {
  override up(): void {
    this.addSql(`ALTER TABLE ostiary.identity_credential
      ADD COLUMN label text NOT NULL DEFAULT '', ADD COLUMN facts jsonb NOT NULL DEFAULT '{}',
      ADD COLUMN last_used_at timestamptz`);
    this.addSql(`UPDATE ostiary.identity_credential SET facts = jsonb_build_object('algorithm', algorithm)
      WHERE algorithm IS NOT NULL`);
    this.addSql(
      "ALTER TABLE ostiary.identity_credential ALTER COLUMN facts DROP DEFAULT, DROP COLUMN algorithm",
    );
    this.addSql("DELETE FROM ostiary.flow");
  }

  override down(): void {
    this.addSql("ALTER TABLE ostiary.identity_credential ADD COLUMN algorithm text");
    this.addSql("UPDATE ostiary.identity_credential SET algorithm = facts ->> 'algorithm'");
    this.addSql(
      "ALTER TABLE ostiary.identity_credential DROP COLUMN label, DROP COLUMN facts, DROP COLUMN last_used_at",
    );
    this.addSql("DELETE FROM ostiary.flow");
  }
}
