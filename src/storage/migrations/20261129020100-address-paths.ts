import { Migration } from "@mikro-orm/migrations";

/**
 * Which trait each address comes from. Of what is there already the identifiers tell, as far as an address is one; of the others
 * the next change of the traits does, and until then it is empty, also where a release before this one writes an address.
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
