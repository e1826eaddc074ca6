import { Migration } from "@mikro-orm/migrations";

/** Who made an API key, so that what descends from a leaked one can be found and ended. */
export class ApiKeyMakers extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE ostiary.api_key ADD COLUMN maker_api_key_id uuid");
    this.addSql("ALTER TABLE ostiary.api_key ADD COLUMN maker_certificate text");
    this.addSql("CREATE INDEX api_key_maker ON ostiary.api_key (tenant_id, maker_api_key_id)");
  }

  override down(): void {
    this.addSql("DROP INDEX ostiary.api_key_maker");
    this.addSql("ALTER TABLE ostiary.api_key DROP COLUMN maker_certificate");
    this.addSql("ALTER TABLE ostiary.api_key DROP COLUMN maker_api_key_id");
  }
}
