import type { Statement } from "./database.ts";
import { identityColumns } from "./identity-row.ts";
import { unclaimed } from "./unclaimed.ts";

/**
 * Joins the identity `i` of an id that may be null, `owner`; $1 is the tenant.
 *
 * Security rule (SR-ENUM-1): where nobody was found another identity is read, the tenant's first one, so that the time of an answer does
 * not tell who has an account (ASVS V6.3.8). `foundColumn` says whose row it is; what was read for nobody is thrown away.
 */
export function joinIdentity(owner: string): string {
  return `LEFT JOIN ostiary.identity i ON i.tenant_id = scope.tenant_id AND i.id = COALESCE(
      ${owner},
      (SELECT another.id FROM ostiary.identity another WHERE another.tenant_id = $1 ORDER BY another.id LIMIT 1)
    )`;
}

/** Whether it is the one that was looked for. */
export function foundColumn(owner: string): string {
  return `${owner} IS NOT NULL AS a_found`;
}

/** $1 tenant, $2 kind, $3 value. One or two rows: those who sign in with the address come first. */
export const findByAddressStatement: Statement = {
  name: "find_identity_by_address",
  text: `SELECT ${identityColumns}, ${foundColumn("owner.identity_id")}, owner.signs_in AS a_signs_in
    FROM (SELECT $1::uuid AS tenant_id) scope
    LEFT JOIN (
      SELECT v.tenant_id, v.identity_id, (n.identity_id IS NOT NULL) AS signs_in
      FROM ostiary.identity_verifiable_address v
      LEFT JOIN ostiary.identity_identifier n
        ON n.tenant_id = v.tenant_id AND n.value = v.value AND n.identity_id = v.identity_id
      WHERE v.tenant_id = $1 AND v.kind = $2 AND v.value = $3
      ORDER BY (n.identity_id IS NULL), v.identity_id
      LIMIT 2
    ) owner ON owner.tenant_id = scope.tenant_id
    ${joinIdentity("owner.identity_id")}
    ORDER BY owner.signs_in DESC`,
};

/**
 * $1 tenant, $2 kind, $3 value. Rank 0 has it as a verified recovery address and signs in with it, rank 1 only the former,
 * rank 2 signs in with it, whatever else, rank 3 has it as a recovery address of an unclaimed account. One row: of the first
 * rank that has somebody, but nobody of those who share an address with which none of them signs in.
 *
 * Security rule (SR-OWNER-4): an address that was not verified counts only where nobody else has it, and its account is unclaimed, so that
 * nobody gets between an account and its owner by adding the owner's address to an account of their own.
 */
export const findForRecoveryStatement: Statement = {
  name: "find_identity_for_recovery",
  text: `SELECT ${identityColumns}, ${foundColumn("owner.identity_id")}, ${unclaimed("i.id")} AS a_unclaimed
    FROM (SELECT $1::uuid AS tenant_id) scope
    LEFT JOIN (
      SELECT ranked.tenant_id, ranked.identity_id
      FROM (
        SELECT known.*, count(*) OVER (PARTITION BY known.rank) AS sharers
        FROM (
          (
            SELECT v.tenant_id, v.identity_id,
              CASE WHEN v.verified_at IS NULL THEN 3 WHEN n.identity_id IS NULL THEN 1 ELSE 0 END AS rank
            FROM ostiary.identity_verifiable_address v
            JOIN ostiary.identity_recovery_address r ON r.tenant_id = v.tenant_id AND r.identity_id = v.identity_id
              AND r.kind = v.kind AND r.value = v.value
            LEFT JOIN ostiary.identity_identifier n
              ON n.tenant_id = v.tenant_id AND n.value = v.value AND n.identity_id = v.identity_id
            WHERE v.tenant_id = $1 AND v.kind = $2 AND v.value = $3
              AND (v.verified_at IS NOT NULL OR ${unclaimed("v.identity_id")})
            ORDER BY rank, v.identity_id
            LIMIT 2
          )
          UNION ALL
          SELECT n.tenant_id, n.identity_id, 2 FROM ostiary.identity_identifier n
          WHERE n.tenant_id = $1 AND n.value = $3
        ) known
      ) ranked
      WHERE ranked.rank NOT IN (1, 3) OR ranked.sharers = 1
      ORDER BY ranked.rank
      LIMIT 1
    ) owner ON owner.tenant_id = scope.tenant_id
    ${joinIdentity("owner.identity_id")}`,
};
