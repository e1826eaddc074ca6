import { Migration } from "@mikro-orm/migrations";

/**
 * Adds the path of the trait that each address comes from. If an existing address is an identifier as well, its path is taken
 * from there. Otherwise the path is empty until the next change of the traits. It is empty, too, if an earlier release writes
 * an address.
 */
export class AddressPaths extends Migration {
  override up(): void {
    for (const table of ["identity_verifiable_address", "identity_recovery_address"]) {
      this.addSql(`ALTER TABLE ostiary.${table} ADD COLUMN path text NOT NULL DEFAULT ''`);
      this.addSql(`UPDATE ostiary.${table} a SET path = n.path FROM ostiary.identity_identifier n
        WHERE n.tenant_id = a.tenant_id AND n.identity_id = a.identity_id AND n.kind = a.kind AND n.value = a.value`);
    }
  }

  override down(): void {
    for (const table of ["identity_verifiable_address", "identity_recovery_address"]) {
      this.addSql(`ALTER TABLE ostiary.${table} DROP COLUMN path`);
    }
  }
}
