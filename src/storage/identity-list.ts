import type { IdentityFilter, IdentityTake } from "../domain/identity/store.ts";
import type { JsonValue } from "../domain/json.ts";
import type { PageRequest, TenantScope } from "../domain/ports.ts";
import { basicIdentityColumns, identityColumns } from "./identity-row.ts";
import { afterPosition, bytesOf, positionOf, rowsThatFit } from "./keyset.ts";

/** The greatest code point: no identifier that begins with a prefix sorts after the prefix followed by it. */
const greatest = "\u{10ffff}";

/**
 * The query of one page of identities, with their documents as far as an answer may hold them, or without. Its conditions are put
 * together here, its values are parameters.
 */
export function listIdentitiesQuery(
  scope: TenantScope,
  filter: IdentityFilter,
  page: PageRequest,
  { documents }: IdentityTake,
): { readonly text: string; readonly values: readonly unknown[] } {
  const { createdAt, id } = positionOf(page);
  const values: unknown[] = [scope.tenantId, createdAt, id, page.size + 1];
  const parameter = (value: unknown) => `$${values.push(value)}`;
  const conditions = ["i.tenant_id = $1", afterPosition("i", "$2", "$3")];
  if (filter.state !== undefined) conditions.push(`i.state = ${parameter(filter.state)}`);
  if (filter.schemaId !== undefined) conditions.push(`i.schema_id = ${parameter(filter.schemaId)}`);
  if (filter.identifierPrefix !== undefined) {
    const prefix = parameter(filter.identifierPrefix);
    conditions.push(`i.id IN (
      SELECT n.identity_id FROM ostiary.identity_identifier n
      WHERE n.tenant_id = $1 AND n.value >= ${prefix} AND n.value <= ${parameter(filter.identifierPrefix + greatest)}
    )`);
  }
  for (const { path, value } of filter.traits ?? []) {
    conditions.push(`i.traits #> ${parameter(path)}::text[] = ${parameter(JSON.stringify(value))}::jsonb`);
    const containing = containingTraits(path, value);
    // The same, roughly, in the form that the index serves.
    if (containing !== undefined) {
      conditions.push(`i.traits @> ${parameter(JSON.stringify(containing))}::jsonb`);
    }
  }
  const columns = documents
    ? `${identityColumns}, ${bytesOf("i.traits", "i.public_metadata", "i.admin_metadata")}`
    : basicIdentityColumns;
  const text = `SELECT ${columns} FROM ostiary.identity i
    WHERE ${conditions.join(" AND ")}
    ORDER BY i.created_at DESC, i.id DESC LIMIT $4`;
  return { text: documents ? rowsThatFit(text, "i_created_at DESC, i_id DESC") : text, values };
}

/** Traits with this value at this path; undefined if a part of the path may be the place in a list. */
function containingTraits(path: readonly string[], value: JsonValue): JsonValue | undefined {
  if (path.some((key) => /^-?\d+$/.test(key))) return undefined;
  return path.reduceRight<JsonValue>((inner, key) => Object.fromEntries([[key, inner]]), value);
}
