import { Migration } from "@mikro-orm/migrations";

/**
 * Moves the purpose of a proof into a member of its own: `code_recovery` becomes `code` with the purpose `recovery`. In
 * existing proofs a registration cannot be told from a login; they count as logins.
 */
export class ProofPurposes extends Migration {
  override up(): void {
    this.addSql(`UPDATE ostiary.session s SET authentication_methods = (
        SELECT coalesce(jsonb_agg(${withPurpose("proof.value")} ORDER BY proof.place), '[]'::jsonb)
        FROM jsonb_array_elements(s.authentication_methods) WITH ORDINALITY AS proof(value, place)
      )`);
    for (const part of ["firstFactor", "recovery"]) {
      this.addSql(`UPDATE ostiary.flow SET data = jsonb_set(data, '{${part}}', ${withPurpose(`(data -> '${part}')`)})
        WHERE data -> '${part}' ? 'kind'`);
    }
    this.addSql(`UPDATE ostiary.event SET data = jsonb_set(data, '{method}', to_jsonb(replace(data ->> 'method', '_recovery', '')))
      WHERE data ->> 'method' IN ('code_recovery', 'link_recovery')`);
  }

  override down(): void {
    this.addSql(`UPDATE ostiary.session s SET authentication_methods = (
        SELECT coalesce(jsonb_agg(${withoutPurpose("proof.value")} ORDER BY proof.place), '[]'::jsonb)
        FROM jsonb_array_elements(s.authentication_methods) WITH ORDINALITY AS proof(value, place)
      )`);
    for (const part of ["firstFactor", "recovery"]) {
      this.addSql(`UPDATE ostiary.flow SET data = jsonb_set(data, '{${part}}', ${withoutPurpose(`(data -> '${part}')`)})
        WHERE data -> '${part}' ? 'kind'`);
    }
    this.addSql(`UPDATE ostiary.event SET data = jsonb_set(data, '{method}', to_jsonb(data ->> 'method' || '_recovery'))
      WHERE type = 'recovery.succeeded' AND data ->> 'method' IN ('code', 'link')`);
  }
}

function withPurpose(proof: string): string {
  return `${proof} || jsonb_build_object(
      'kind', replace(${proof} ->> 'kind', '_recovery', ''),
      'purpose', CASE WHEN ${proof} ->> 'kind' LIKE '%\\_recovery' THEN 'recovery' ELSE 'sign_in' END
    )`;
}

function withoutPurpose(proof: string): string {
  return `(${proof} - 'purpose') || jsonb_build_object(
      'kind', (${proof} ->> 'kind') || CASE WHEN ${proof} ->> 'purpose' = 'recovery' THEN '_recovery' ELSE '' END
    )`;
}
