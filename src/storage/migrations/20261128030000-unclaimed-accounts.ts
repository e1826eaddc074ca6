import { Migration } from "@mikro-orm/migrations";

/**
 * Who set a credential: the account itself, or an operator or an import. An account without a verified address whose
 * credentials were all set by itself is unclaimed: the owner of its address decides about it.
 *
 * Of what is there already the events tell, as far as they go back. Null: not known, also where a release before this one
 * writes a credential. That makes no account unclaimed, so that no unverified address recovers an account that it did not
 * recover before.
 */
export class UnclaimedAccounts extends Migration {
  override up(): void {
    this.addSql("ALTER TABLE ostiary.identity_credential ADD COLUMN set_by_operator boolean");
    this.addSql(`UPDATE ostiary.identity_credential c
      SET set_by_operator = last_set.actor ->> 'kind' IS DISTINCT FROM 'identity'
      FROM (
        SELECT DISTINCT ON (e.tenant_id, e.identity_id) e.tenant_id, e.identity_id, e.actor
        FROM ostiary.event e
        WHERE e.type = 'credential.set' AND e.data ->> 'kind' = 'password'
        ORDER BY e.tenant_id, e.identity_id, e.position DESC
      ) last_set
      WHERE last_set.tenant_id = c.tenant_id AND last_set.identity_id = c.identity_id
        AND c.kind = 'password'`);
  }

  override down(): void {
    this.addSql("ALTER TABLE ostiary.identity_credential DROP COLUMN set_by_operator");
  }
}
