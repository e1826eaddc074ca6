import { Socket } from "node:net";
import { Client, type ClientBase, type ClientConfig } from "pg";

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

/**
 * Puts a new connection's settings in force. One round trip a connection. PgBouncer carries the date style, the time zone and
 * the interval style from one server connection to the next; the others are then those of the role.
 */
export async function applySettings(client: ClientBase): Promise<void> {
  await client.query(`SELECT ${assignments.join(", ")}`);
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
