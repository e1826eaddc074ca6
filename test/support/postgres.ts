import { Client, Pool } from "pg";
import type { Logger } from "../../src/domain/ports.ts";

/** A log that nobody reads. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };

/** Sends statements of any text. */
export type Query = <Row extends object>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

/** Runs work on one connection of its own. */
export async function administer<T>(url: string, work: (query: Query) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return await work(async <Row extends object>(text: string, values: readonly unknown[] = []) => {
      const result = await client.query<Row>(text, [...values]);
      return result.rows;
    });
  } finally {
    await client.end();
  }
}

/** How many rows of ours there are: `of` is a table, and what may follow its name in a statement. */
export async function countOf(url: string, of: string, values: readonly unknown[] = []): Promise<number> {
  const [row] = await administer(url, (query) =>
    query<{ count: number }>(`SELECT count(*)::int AS count FROM ostiary.${of}`, values),
  );
  return row?.count ?? 0;
}

/** The URL of another database of the same server. */
export function databaseUrl(url: string, name: string): string {
  const other = new URL(url);
  other.pathname = `/${name}`;
  return other.href;
}

/** Copies a database that nobody is connected to. */
export async function cloneDatabase(url: string, template: string, name: string): Promise<void> {
  await onKeptConnection(url, `CREATE DATABASE ${name} TEMPLATE ${template} STRATEGY FILE_COPY`);
}

/** Removes a database, and ends the connections to it. */
export async function dropDatabase(url: string, name: string): Promise<void> {
  await onKeptConnection(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
}

/** A connection for each server that this process makes databases on: to connect takes 10 ms of CPU time. */
const pools = new Map<string, Pool>();

async function onKeptConnection(url: string, statement: string): Promise<void> {
  let pool = pools.get(url);
  if (pool === undefined) {
    pool = new Pool({ connectionString: url, max: 1, allowExitOnIdle: true });
    // An idle connection ends with its server; the next statement opens another one.
    pool.on("error", () => {});
    pools.set(url, pool);
  }
  await pool.query(statement);
}
