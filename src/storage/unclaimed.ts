/**
 * Whether nobody has claimed the account yet: no address is verified, and all of its credentials, at least one, were set by
 * itself. `identityId` is a column of the statement; $1 is the tenant.
 *
 * A credential of which it is not known who set it, null, counts neither way; if it is known of none, the account is not
 * unclaimed.
 *
 * Security rule (SR-OWNER-3): an account whose credentials an operator set or imported is not unclaimed, whatever its addresses say: it was
 * made for a person whom the operator knows, and an address that was mistyped must not hand it over.
 */
export function unclaimed(identityId: string): string {
  return `(NOT EXISTS (
      SELECT FROM ostiary.identity_verifiable_address shown
      WHERE shown.tenant_id = $1 AND shown.identity_id = ${identityId}
        AND shown.verified_at IS NOT NULL
    ) AND (
      SELECT bool_and(NOT own.set_by_operator) FROM ostiary.identity_credential own
      WHERE own.tenant_id = $1 AND own.identity_id = ${identityId}
    ) IS TRUE)`;
}
