import { Socket } from "node:net";
import { Client, type ClientBase, type ClientConfig, type Connection } from "pg";

/**
 * What each connection of ours has in force, whatever its role, its database or the server's files say.
 *
 * Security rule (SR-STORE-1): how a value is written must not depend on a setting of somebody else. With a date style that is not ISO
 * a driver reads every time as null, and null is how a key that never ends is stored (test/storage/hostile-settings.test.ts).
 */
const settings: Readonly<Record<string, string>> = {
  DateStyle: "ISO, YMD",
  IntervalStyle: "postgres",
  TimeZone: "UTC",
  bytea_output: "hex",
  extra_float_digits: "1",
  standard_conforming_strings: "on",
  array_nulls: "on",
  transform_null_equals: "off",
  // Statements name the schema of each table. So nobody's function or operator takes the place of one of PostgreSQL's.
  search_path: "pg_catalog",
  // What the guarded statements are written for: each sees what was committed before it.
  default_transaction_isolation: "read committed",
};

const assignments = Object.entries(settings).map(
  ([name, value]) => `set_config('${name}', '${value}', false)`,
);

/** Time-outs that PostgreSQL itself keeps, in milliseconds; 0 is none. */
export interface TimeLimits {
  /** Longest time of one statement. */
  readonly statementMs: number;
  /** Longest wait for one lock. Default: what the role or the database has. */
  readonly lockMs?: number;
  /** Longest silence within a transaction: a process that dies in one must not hold its locks for long. Default 10 s. */
  readonly idleInTransactionMs?: number;
}

/**
 * Puts a new connection's settings in force: one round trip a connection. None of them is a parameter of the start-up packet, since
 * PgBouncer refuses those that it does not know. Time-outs that the URL names stay.
 */
export async function applySettings(client: ClientBase, limits: TimeLimits): Promise<void> {
  const { connectionParameters: named } = client as { connectionParameters?: Record<string, unknown> };
  const timeouts = Object.entries({
    statement_timeout: limits.statementMs,
    lock_timeout: limits.lockMs,
    idle_in_transaction_session_timeout: limits.idleInTransactionMs ?? 10_000,
  })
    .filter(([name, value]) => value !== undefined && !named?.[name])
    .map(([name, value]) => `set_config('${name}', '${value}', false)`);
  await client.query(`SELECT ${[...assignments, ...timeouts].join(", ")}`);
}

/** How long to wait for a new connection that is for no call. */
const connectTimeoutMs = 5_000;

/** How a connection of ours is made. */
export interface ConnectionOptions {
  /** What PostgreSQL shows the connection as. */
  readonly application: string;
  /** Default 5 s. */
  readonly connectTimeoutMs?: number;
  /** Longest wait for an answer, of a server that may have gone without a word; undefined: as long as the network holds. */
  readonly answerTimeoutMs: number | undefined;
}

/**
 * The options of every connection, whatever it is for. One whose other end has gone without a word is found out: within 20 s while
 * it is idle, and after `answerTimeoutMs` while it waits (test/storage/connections.test.ts).
 */
export function connectionOptions(options: ConnectionOptions): ClientConfig {
  return {
    application_name: options.application,
    connectionTimeoutMillis: options.connectTimeoutMs ?? connectTimeoutMs,
    ...(options.answerTimeoutMs === undefined ? {} : { query_timeout: options.answerTimeoutMs }),
    keepAlive: true,
    // Libuv then asks every second, ten times.
    keepAliveInitialDelayMillis: 10_000,
  };
}

/** Ends a connection without a word to its other end, which may be gone. What waits for an answer on it fails at once. */
export function cutOff(client: ClientBase): void {
  (client as ClientBase & { readonly connection: Connection }).connection.stream.destroy();
}

/** A client for a pool that asks for the URL at each connection: a password is changed without a restart. */
export function clientOf(url: () => string): new () => Client {
  return class extends Client {
    constructor(config?: ClientConfig) {
      super(failingLater({ ...config, connectionString: url() }));
    }
  };
}

/**
 * The driver reads the files that a URL names while it makes a client, and a pool makes one at any time, where nobody can
 * catch what is thrown. A file that has gone must not end the process: it is a connection that fails.
 */
function failingLater(config: ClientConfig): ClientConfig {
  try {
    // Connects to nothing, and throws what the other one would.
    new Client(config);
    return config;
  } catch (error) {
    const stream = new Socket();
    stream.connect = () => {
      const cause = error instanceof Error ? error : new Error(String(error));
      setImmediate(() => stream.destroy(new Error(`database.url: ${cause.message}`, { cause })));
      return stream;
    };
    return { stream: () => stream };
  }
}
