import { Migration } from "@mikro-orm/migrations";

/**
 * Lets an identity have several credentials of a kind, such as passkeys: each has a key of its own by which it is looked up,
 * which of a kind that is had once is empty. What a login asks for beside another proof is marked. Every credential has an id.
 */
export class SeveralCredentials extends Migration {
  override up(): void {
    // The only credential of an identity without ids was named by the identity's.
    this.addSql("UPDATE ostiary.identity_credential SET id = identity_id WHERE id IS NULL");
    this.addSql(`ALTER TABLE ostiary.identity_credential ALTER COLUMN id SET NOT NULL,
      ADD COLUMN lookup_key text COLLATE "C" NOT NULL DEFAULT '',
      ADD COLUMN is_second_factor boolean NOT NULL DEFAULT false,
      DROP CONSTRAINT identity_credential_pkey`);
    this.addSql(
      "ALTER TABLE ostiary.identity_credential ADD PRIMARY KEY (tenant_id, identity_id, kind, lookup_key)",
    );
    this.addSql(`CREATE UNIQUE INDEX identity_credential_lookup ON ostiary.identity_credential
      (tenant_id, kind, lookup_key) WHERE lookup_key <> ''`);
  }

  override down(): void {
    this.addSql("DELETE FROM ostiary.identity_credential WHERE lookup_key <> ''");
    this.addSql("DROP INDEX ostiary.identity_credential_lookup");
    this.addSql("ALTER TABLE ostiary.identity_credential DROP CONSTRAINT identity_credential_pkey");
    this.addSql(`ALTER TABLE ostiary.identity_credential DROP COLUMN lookup_key, DROP COLUMN is_second_factor,
      ALTER COLUMN id DROP NOT NULL, ADD PRIMARY KEY (tenant_id, identity_id, kind)`);
  }
}
