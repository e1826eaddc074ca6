import { Client } from "pg";
import { connectionOptions, cutOff } from "./connection.ts";
import type { Database } from "./database.ts";

/** The oldest PostgreSQL that is supported, as `server_version_num` counts. */
const oldestVersion = 150_000;

/** Why a pooler in transaction or statement mode is refused. */
export const poolerRefused =
  "a pooler in front of it gives each transaction another connection, which loses time-outs, prepared statements and notifications: " +
  "set pool_mode = session there, or name the database itself in database.url";

interface ServerFacts {
  readonly number: number;
  readonly version: string;
  readonly encoding: string;
  readonly standby: boolean;
  readonly read_only: boolean;
}

/** Throws an Error, which goes on where "Cannot use the database …:" ends, if the server cannot serve us. */
export async function checkServer(database: Database): Promise<void> {
  const facts = await database.query<ServerFacts>(
    undefined,
    {
      text: `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
        current_setting('server_encoding') AS encoding, pg_is_in_recovery() AS standby,
        current_setting('default_transaction_read_only')::bool AS read_only`,
    },
    [],
  );
  const mistake = mistakeOf(facts[0]);
  if (mistake !== undefined) throw new Error(mistake);
  if (await losesSession(database)) throw new Error(poolerRefused);
}

function mistakeOf(facts: ServerFacts | undefined): string | undefined {
  if (facts === undefined || facts.number < oldestVersion) {
    return `PostgreSQL 15 or newer is needed, and this one is ${facts?.version ?? "unknown"}`;
  }
  // In any other encoding a name in another script could not be stored, and would be refused call by call.
  if (facts.encoding !== "UTF8") {
    return `its encoding is ${facts.encoding}; make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`;
  }
  if (facts.standby) return "it is a standby, which takes no writes: name the primary in database.url";
  if (facts.read_only) {
    return "it is read-only: default_transaction_read_only is on, for the role, the database or the server";
  }
  return undefined;
}

/** How long the second connection may wait for its turn at a pooler that has no more to give. */
const secondTimeoutMs = 3_000;
/** Rounds of looking for a pooler. One is enough unless others use it at the same moment. */
const rounds = 3;

/**
 * Whether a pooler gives our connection to others between two transactions. While a second connection is in a transaction, ours is
 * looked at again: if it has moved, or the second one is where ours was, then they are not ours.
 */
async function losesSession(database: Database): Promise<boolean> {
  const other = new Client({
    connectionString: database.url,
    ...connectionOptions({ application: "ostiary", answerTimeoutMs: secondTimeoutMs }),
  });
  // A connection that breaks meanwhile reports it by the statement as well.
  other.on("error", () => {});
  try {
    await other.connect();
    return await database.withConnection(async (ask) => {
      for (let round = 0; round < rounds; round++) {
        const before = await processOf(ask);
        await other.query("BEGIN");
        const between = await processOf((text) => other.query(text).then(({ rows }) => rows));
        // With a single connection there, ours would wait for the end of this transaction.
        if (between === before || (await processOf(ask)) !== before) return true;
        await other.query("COMMIT");
      }
      return false;
    });
  } catch (error) {
    if (hasNoSecond(error)) return false;
    throw error;
  } finally {
    other.end().catch(() => {});
    cutOff(other);
  }
}

/**
 * Whether there was no second connection to compare with, since others have all. Then ours is our own: what a pooler gives to
 * others between two transactions it would have given to this one as well.
 */
function hasNoSecond(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && error.code === "53300") || error.message === "Query read timeout";
}

async function processOf(ask: (text: string) => Promise<readonly unknown[]>): Promise<number | undefined> {
  const [row] = (await ask("SELECT pg_backend_pid() AS process")) as readonly { readonly process: number }[];
  return row?.process;
}
