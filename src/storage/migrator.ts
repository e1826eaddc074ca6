import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import type { Logger } from "../domain/ports.ts";
import { applySettings, connectionOptions } from "./connection.ts";
import { isConnectionLost, sqlState, translateConnectFailure } from "./database-errors.ts";
import { type ListedMigration, migrations } from "./migrations/index.ts";

/** The longest wait of a migration for one lock: all calls on that table wait behind it meanwhile. */
const lockTimeoutMs = 1_000;
/** Pauses between two attempts, in which the calls that waited are served. */
const firstPauseMs = 1_000;
const longestPauseMs = 5_000;
/** Interval of asking whether another process still migrates. */
const turnPauseMs = 250;
/** Interval of looking for who is in the way; shorter than a wait. */
const lookIntervalMs = 400;
/** How long nobody is named again. */
const tellAgainMs = 10_000;

type Direction = "up" | "down";

const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** The number of the advisory lock that a migrating server holds: "ostiary" in letters, shortened. */
const lockKey = 0x6f737469;

/** The schema of all tables. */
export const schemaName = "ostiary";
/** Where MikroORM notes which migrations were done. */
export const migrationTable = "migration";

/** The names of migrations that the database lacks, oldest first. One statement. */
export async function findPendingMigrations(
  query: (text: string) => Promise<readonly { readonly name: string }[]>,
  list: readonly ListedMigration[] = migrations,
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
  return list.map((migration) => migration.name).filter((name) => !done.has(name));
}

/** How migrations are run. */
export interface MigrationOptions {
  /** Default: nobody is told. */
  readonly logger?: Logger;
  /** Default: all of this release. */
  readonly list?: readonly ListedMigration[];
}

/**
 * Brings the schema up to date; of several servers that start at once one does it and the others wait. Each migration is a transaction
 * of its own, unless it makes an index, which nobody waits for. One that cannot have a lock within a second gives up what it
 * holds and tries again after a pause, as long as it takes: calls of the servers that run wait behind it no longer than that.
 * MikroORM, which does the work, is loaded only if there is any: what it costs a start is in README.md.
 */
export async function migrateDatabase(url: string, options: MigrationOptions = {}): Promise<void> {
  await runMigrations(url, "up", options);
}

/** Takes migrations back, newest first; by default all of them. For tests. */
export async function revertMigrations(url: string, options: MigrationOptions = {}): Promise<void> {
  await runMigrations(url, "down", options);
}

async function runMigrations(url: string, direction: Direction, options: MigrationOptions): Promise<void> {
  const { logger = silent, list = migrations } = options;
  const client = new Client({
    connectionString: url,
    ...connectionOptions({ application: "ostiary migrations", answerTimeoutMs: 10_000 }),
  });
  // A connection that breaks while it waits reports it by the statement as well.
  client.on("error", () => {});
  try {
    await client.connect();
    await applySettings(client, { statementMs: 10_000 });
    await takeTurn(client, logger);
    // Only if it is missing: even with IF NOT EXISTS it needs a privilege that an operator may not have given.
    const { rows } = await client.query("SELECT FROM pg_namespace WHERE nspname = $1", [schemaName]);
    if (rows.length === 0) await client.query(`CREATE SCHEMA ${schemaName}`);
    const pending = await findPendingMigrations(
      async (text) => (await client.query<{ name: string }>(text)).rows,
      list,
    );
    const waiting = new Set(pending);
    const names = list.map(({ name }) => name).filter((name) => waiting.has(name) === (direction === "up"));
    if (direction === "down") names.reverse();
    if (names.length > 0) await runEach(client, { url, direction, names, logger, list });
  } catch (error) {
    throw isConnectionLost(error) && error instanceof Error && "code" in error
      ? translateConnectFailure(error)
      : error;
  } finally {
    // Ends the session, and with it the lock.
    await client.end().catch(() => {});
  }
}

/**
 * Waits until no other process migrates. Asks again and again: a statement that waits would be a transaction, and an index that is made
 * without locks waits for the end of those.
 */
async function takeTurn(client: Client, logger: Logger): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    const { rows } = await client.query<{ taken: boolean }>("SELECT pg_try_advisory_lock($1) AS taken", [
      lockKey,
    ]);
    if (rows[0]?.taken === true) return;
    if (attempt === 4) logger.info({}, "another process migrates the database; waiting for it");
    await delay(turnPauseMs);
  }
}

async function runEach(
  client: Client,
  run: Required<MigrationOptions> & {
    readonly url: string;
    readonly direction: Direction;
    readonly names: readonly string[];
  },
): Promise<void> {
  const { direction, names, logger, list, url } = run;
  const { openMikroOrm } = await import("./mikro-orm.ts");
  let process: number | undefined;
  const orm = await openMikroOrm({
    url,
    name: new Client({ connectionString: url }).database ?? "",
    list,
    onProcess: (found) => {
      process = found;
    },
  });
  try {
    for (const name of names) {
      const watch = watchBlockers(client, () => process, { logger, migration: name });
      try {
        await retrying({ logger, migration: name }, async () => {
          // The migration before, or the attempt, may have changed it.
          await orm.em.getConnection().execute(`SET lock_timeout = ${lockTimeoutMs}`);
          await orm.migrator[direction]({ migrations: [name] });
        });
      } finally {
        await watch.stop();
      }
    }
  } finally {
    await orm.close();
  }
}

interface Told {
  readonly logger: Logger;
  readonly migration: string;
}

/** Tries again for as long as somebody is in the way: a server that ends because of a backup would help nobody. */
async function retrying({ logger, migration }: Told, work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      const state = stateOf(error);
      if (state !== "55P03" && state !== "40P01") throw error;
      const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (attempt - 1));
      const message =
        state === "40P01"
          ? "a migration met a deadlock; trying again"
          : "a migration did not get a lock in time, so that calls need not wait for it; trying again";
      logger.warn({ migration, attempt, pauseMs }, message);
      await delay(pauseMs);
    }
  }
}

/** The SQLSTATE of an error of MikroORM, which wraps the driver's. */
function stateOf(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
  }
  return undefined;
}

interface Blocker {
  readonly process: number;
  readonly application: string | null;
  readonly state: string | null;
  readonly seconds: number | null;
  readonly statement: string | null;
}

/** The statement may be anybody's, so it is cut. A prepared transaction has no process, hence the 0. */
const blockers = `SELECT p.pid AS process, b.application_name AS application, b.state,
    extract(epoch FROM clock_timestamp() - b.xact_start)::int AS seconds, left(b.query, 200) AS statement
  FROM unnest(pg_blocking_pids($1)) AS p (pid) LEFT JOIN pg_stat_activity b ON b.pid = p.pid`;

/** Says who keeps a migration waiting: each one at once, and again every so often. */
function watchBlockers(client: Client, processOf: () => number | undefined, { logger, migration }: Told) {
  const told = new Map<number, number>();
  const stopping = new AbortController();
  const look = async (process: number) => {
    const { rows } = await client.query<Blocker>(blockers, [process]);
    for (const blocker of rows) {
      const before = told.get(blocker.process);
      if (before !== undefined && Date.now() - before < tellAgainMs) continue;
      told.set(blocker.process, Date.now());
      logger.warn(
        { migration, ...blocker },
        "a migration waits for a lock that this process of PostgreSQL holds",
      );
    }
  };
  const finished = (async () => {
    while (!stopping.signal.aborted) {
      const process = processOf();
      // The migration itself fails by what makes this fail.
      if (process !== undefined) await look(process).catch(() => {});
      await delay(lookIntervalMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  })();
  return {
    stop: () => {
      stopping.abort();
      return finished;
    },
  };
}
