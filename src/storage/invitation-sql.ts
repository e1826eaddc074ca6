/** The parameters of `admissionParts`: pieces of SQL that hold no input. $1 is the tenant. */
interface Admission {
  /** The part that has a row if there may be an account at all. */
  readonly when: string;
  /** The invitation's id, or null where none is needed. */
  readonly invitation: string;
  /** The identity's parameter. */
  readonly identity: string;
  readonly at: string;
}

/**
 * The parts of a statement that use an invitation: `admitted` has a row if it was used, or none is needed.
 *
 * Security rule (SR-INVITE-2): an invitation is used once. `invited` locks its row until the account is made: of several that complete
 * with one invitation the others wait, then PostgreSQL reads the row again, finds it used, and nothing else happens. One
 * that was revoked or has expired since the flow began is refused likewise.
 */
export function admissionParts({ when, invitation, identity, at }: Admission): string {
  return `invited AS MATERIALIZED (
    UPDATE ostiary.invitation SET used_at = ${at}, ends_at = ${at}, identity_id = (${identity}::jsonb ->> 'id')::uuid
    WHERE tenant_id = $1 AND id = ${invitation} AND used_at IS NULL AND revoked_at IS NULL AND expires_at > ${at}
      AND EXISTS (SELECT FROM ${when})
    RETURNING id
  ), admitted AS MATERIALIZED (
    SELECT FROM ${when} WHERE ${invitation}::uuid IS NULL OR EXISTS (SELECT FROM invited)
  )`;
}
