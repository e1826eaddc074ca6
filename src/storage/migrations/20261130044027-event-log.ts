import { Migration } from "@mikro-orm/migrations";

/**
 * The epoch of the event log is a number, and that of the whole database. The next start begins a new one, since the timeline is not
 * known here. Events are found by their transaction, whatever their tenant.
 */
export class EventLog extends Migration {
  override up(): void {
    this.addSql(
      "DELETE FROM ostiary.event_epoch WHERE tenant_id > (SELECT min(tenant_id::text)::uuid FROM ostiary.event_epoch)",
    );
    this.addSql(`ALTER TABLE ostiary.event_epoch DROP COLUMN tenant_id, DROP COLUMN epoch,
      ADD COLUMN "only" smallint NOT NULL DEFAULT 1 PRIMARY KEY, ADD COLUMN epoch bigint NOT NULL DEFAULT 0,
      ADD COLUMN timeline text NOT NULL DEFAULT ''`);
    this.addSql(`ALTER TABLE ostiary.event_epoch ALTER COLUMN "only" DROP DEFAULT, ALTER COLUMN epoch DROP DEFAULT,
      ALTER COLUMN timeline DROP DEFAULT`);
    this.addSql("CREATE INDEX event_feed ON ostiary.event (transaction_id)");
  }

  override down(): void {
    this.addSql("DROP INDEX ostiary.event_feed");
    this.addSql("DROP TABLE ostiary.event_epoch");
    this.addSql(`CREATE TABLE ostiary.event_epoch (tenant_id uuid NOT NULL PRIMARY KEY, epoch uuid NOT NULL,
      database_identity text NOT NULL, created_at timestamptz NOT NULL)`);
  }
}
