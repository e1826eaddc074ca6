import type { Statement } from "./database.ts";

/** Notes when rows were last used; never moves a time back. Its values are made by `latestUses`. */
export function recordUseStatement(table: "session" | "api_key"): Statement {
  return {
    name: `record_use_of_${table}`,
    text: `UPDATE ostiary.${table} target SET last_used_at = given.used_at
      FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) AS given(tenant_id, id, used_at)
      WHERE target.tenant_id = given.tenant_id AND target.id = given.id
        AND (target.last_used_at IS NULL OR target.last_used_at < given.used_at)`,
  };
}

/** The last use of each row, sorted, so that two writers lock rows in about the same order. */
export function latestUses(
  uses: readonly { readonly tenantId: string; readonly id: string; readonly usedAt: Date }[],
): readonly [string[], string[], Date[]] {
  const latest = new Map<string, (typeof uses)[number]>();
  for (const use of uses) {
    const key = `${use.tenantId} ${use.id}`;
    const known = latest.get(key);
    if (known === undefined || known.usedAt < use.usedAt) latest.set(key, use);
  }
  const sorted = [...latest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, use]) => use);
  return [sorted.map((use) => use.tenantId), sorted.map((use) => use.id), sorted.map((use) => use.usedAt)];
}
