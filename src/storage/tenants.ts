import { randomUUID } from "node:crypto";
import { newId, type TenantId } from "../domain/ids.ts";
import type { Transaction } from "../domain/ports.ts";
import type { Database } from "./database.ts";

/** Transaction ids below this one are reserved by PostgreSQL: no running transaction ever has one. */
const beforeAllTransactions = "2";

/**
 * The id of the tenant of this name; made if there is none. Also sees to the epoch of its event log. Safe when
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
  await ensureEpoch(database, row.tenant_id, now);
  return row.tenant_id;
}

/**
 * Begins a new epoch of a tenant's events if the database is not the one that the last epoch began in: a dump was
 * restored, or the database was copied. Cursors of the former one are worth nothing here.
 */
async function ensureEpoch(database: Database, tenantId: TenantId, now: Date): Promise<void> {
  const identity = await databaseIdentity(database);
  const [current] = await database.query<{ readonly database_identity: string }>(
    undefined,
    { text: "SELECT database_identity FROM ostiary.event_epoch WHERE tenant_id = $1" },
    [tenantId],
  );
  if (current?.database_identity === identity) return;
  await database.transaction({ tenantId }, async (tx) => {
    const changed = await database.query(
      tx,
      {
        text: `INSERT INTO ostiary.event_epoch AS p (tenant_id, epoch, database_identity, created_at)
          VALUES ($1, $2, $3, $4)
          ON CONFLICT (tenant_id) DO UPDATE SET epoch = excluded.epoch,
            database_identity = excluded.database_identity, created_at = excluded.created_at
            WHERE p.database_identity <> excluded.database_identity
          RETURNING epoch`,
      },
      [tenantId, randomUUID(), identity, now],
    );
    if (changed.length > 0) await makeOldEventsReadable(database, tx);
  });
}

/**
 * The restored events carry transaction ids of the other cluster, which may lie ahead of this one's: they would
 * stay invisible until it gets there, and stand among its own. So they are put before everything of this one.
 */
async function makeOldEventsReadable(database: Database, tx: Transaction): Promise<void> {
  await database.query(tx, { text: "SET LOCAL statement_timeout = 0" }, []);
  await database.query(
    tx,
    { text: "UPDATE ostiary.event SET transaction_id = $2::xid8 WHERE tenant_id = $1" },
    [tx.tenantId, beforeAllTransactions],
  );
}

/** Names this database: the cluster that it is in, and its number there. */
async function databaseIdentity(database: Database): Promise<string> {
  const [row] = await database.query<{ readonly identity: string }>(
    undefined,
    {
      text: `SELECT (SELECT system_identifier::text FROM pg_control_system()) || '/' || d.oid::text AS identity
        FROM pg_database d WHERE d.datname = current_database()`,
    },
    [],
  );
  return row?.identity ?? "";
}
