import { Migration } from "@mikro-orm/migrations";

/**
 * Indexes that cost the same for somebody and for nobody.
 *
 * Security rule (SR-ENUM-1): when a code or link is asked for, the flow and the message name an identity if anybody has the address, and
 * none if nobody has. With partial indexes only the former would be written to them, and the update of the flow would be
 * a cheaper one for the latter (a heap-only tuple), which the time of an answer shows (ASVS V6.3.8). So nulls are indexed as
 * well, and the revision makes each update of a flow touch the index.
 */
export class EvenWork extends Migration {
  override up(): void {
    this.addSql("DROP INDEX ostiary.flow_identity");
    this.addSql("CREATE INDEX flow_identity ON ostiary.flow (tenant_id, identity_id, revision)");
    this.addSql("DROP INDEX ostiary.message_identity");
    this.addSql(
      "CREATE INDEX message_identity ON ostiary.message (tenant_id, identity_id, created_at DESC, id DESC)",
    );
  }

  override down(): void {
    this.addSql("DROP INDEX ostiary.message_identity");
    this.addSql(`CREATE INDEX message_identity ON ostiary.message (tenant_id, identity_id, created_at DESC, id DESC)
      WHERE identity_id IS NOT NULL`);
    this.addSql("DROP INDEX ostiary.flow_identity");
    this.addSql(
      "CREATE INDEX flow_identity ON ostiary.flow (tenant_id, identity_id) WHERE identity_id IS NOT NULL",
    );
  }
}
