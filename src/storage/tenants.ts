import { newId, type TenantId } from "../domain/ids.ts";
import type { Database } from "./database.ts";
import { ensureEpoch } from "./event-epoch.ts";

/**
 * The id of the tenant of this name; made if there is none. Also sees to the epoch of the event log. Safe when
 * several servers start at once.
 */
export async function ensureTenant(database: Database, name: string, now: Date): Promise<TenantId> {
  await database.query(
    undefined,
    {
      text: "INSERT INTO ostiary.tenant (tenant_id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
    },
    [newId<TenantId>(now), name, now],
  );
  const [row] = await database.query<{ readonly tenant_id: TenantId }>(
    undefined,
    { text: "SELECT tenant_id FROM ostiary.tenant WHERE name = $1" },
    [name],
  );
  if (row === undefined) throw new Error(`the tenant ${name} vanished while it was being made`);
  await database.withConnection(ensureEpoch);
  return row.tenant_id;
}
