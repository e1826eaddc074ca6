import type { Database } from "./database.ts";

/** What a database is like. */
export interface DatabaseFacts {
  readonly version: string;
  /** How many connections the role may have at once, of all processes and programs together. */
  readonly connectionLimit: number;
  /** How many connections there are now, of everybody. */
  readonly connections: number;
  /** How far the database's clock is ahead of ours, in milliseconds, and how wrong that may be. */
  readonly clock: { readonly aheadMs: number; readonly uncertaintyMs: number };
}

/** Looks at a database that was opened, and so can be written. A few statements. */
export async function examineDatabase(database: Database): Promise<DatabaseFacts> {
  const [row] = await database.query<{
    readonly version: string;
    readonly connection_limit: number;
    readonly connections: number;
  }>(
    undefined,
    {
      text: `SELECT current_setting('server_version') AS version,
          least(
            current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
            (SELECT nullif(rolconnlimit, -1) FROM pg_roles WHERE rolname = current_user),
            (SELECT nullif(datconnlimit, -1) FROM pg_database WHERE datname = current_database())
          ) AS connection_limit,
          (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS connections`,
    },
    [],
  );
  if (row === undefined) throw new Error("a statement without FROM has one row");
  return {
    version: row.version,
    connectionLimit: row.connection_limit,
    connections: row.connections,
    clock: await compareClocks(database),
  };
}

/** The best of a few looks: the shorter the way there and back, the less is to be guessed. */
async function compareClocks(database: Database): Promise<DatabaseFacts["clock"]> {
  let best = { aheadMs: 0, uncertaintyMs: Number.POSITIVE_INFINITY };
  for (let look = 0; look < 3; look++) {
    const sentAt = Date.now();
    const began = performance.now();
    const [row] = await database.query<{ readonly milliseconds: number }>(
      undefined,
      { text: "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS milliseconds" },
      [],
    );
    const uncertaintyMs = (performance.now() - began) / 2;
    if (row === undefined || uncertaintyMs >= best.uncertaintyMs) continue;
    best = { aheadMs: row.milliseconds - (sentAt + uncertaintyMs), uncertaintyMs };
  }
  return best;
}
