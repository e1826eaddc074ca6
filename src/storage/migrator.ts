import { Client } from "pg";
import { applySettings } from "./connection.ts";
import { isConnectionLost, sqlState, translateConnectFailure } from "./database-errors.ts";
import { migrations } from "./migrations/index.ts";

/** The number of the advisory lock that a migrating server holds: "ostiary" in letters, shortened. */
const lockKey = 0x6f737469;

/** The schema of all tables. */
export const schemaName = "ostiary";
/** Where MikroORM notes which migrations were done. */
export const migrationTable = "migration";

/** The names of migrations that the database lacks, oldest first. One statement. */
export async function findPendingMigrations(
  query: (text: string) => Promise<readonly { readonly name: string }[]>,
): Promise<string[]> {
  let done: ReadonlySet<string>;
  try {
    done = new Set((await query(`SELECT name FROM ${schemaName}.${migrationTable}`)).map((row) => row.name));
  } catch (error) {
    // No such schema, no such table: nothing was ever migrated.
    const state = sqlState(error instanceof Error && error.cause !== undefined ? error.cause : error);
    if (state !== "42P01" && state !== "3F000") throw error;
    done = new Set();
  }
  return migrations.map((migration) => migration.name).filter((name) => !done.has(name));
}

/**
 * Brings the schema up to date; of several servers that start at once one does it and the others wait. All pending
 * migrations are one transaction. MikroORM, which does the work, is loaded only if there is any: what it costs
 * a start is in README.md.
 */
export async function migrateDatabase(url: string): Promise<void> {
  await runMigrations(url, "up");
}

/** Takes all migrations back, newest first. For tests. */
export async function revertMigrations(url: string): Promise<void> {
  await runMigrations(url, "down");
}

async function runMigrations(url: string, direction: "up" | "down"): Promise<void> {
  const client = new Client({ connectionString: url, application_name: "ostiary migrations" });
  // A connection that breaks while it waits reports it by the statement as well.
  client.on("error", () => {});
  try {
    await client.connect();
    await applySettings(client);
    await client.query("SELECT pg_advisory_lock($1)", [lockKey]);
    // Only if it is missing: even with IF NOT EXISTS it needs a privilege that an operator may not have given.
    const { rows } = await client.query("SELECT FROM pg_namespace WHERE nspname = $1", [schemaName]);
    if (rows.length === 0) await client.query(`CREATE SCHEMA ${schemaName}`);
    const pending = await findPendingMigrations(
      async (text) => (await client.query<{ name: string }>(text)).rows,
    );
    if (direction === "down" || pending.length > 0) await runWithMikroOrm(url, direction);
  } catch (error) {
    throw isConnectionLost(error) && error instanceof Error && "code" in error
      ? translateConnectFailure(error)
      : error;
  } finally {
    // Ends the session, and with it the lock.
    await client.end().catch(() => {});
  }
}

async function runWithMikroOrm(url: string, direction: "up" | "down"): Promise<void> {
  const { openMikroOrm } = await import("./mikro-orm.ts");
  const orm = await openMikroOrm({ url, name: new Client({ connectionString: url }).database ?? "" });
  try {
    await (direction === "up" ? orm.migrator.up() : orm.migrator.down({ to: 0 }));
  } finally {
    await orm.close();
  }
}
