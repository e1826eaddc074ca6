import { Client } from "pg";
import type { ApiKeyStore } from "../domain/access/store.ts";
import type { CourierStore } from "../domain/courier/store.ts";
import { DomainError } from "../domain/errors.ts";
import type { EventStore } from "../domain/event/store.ts";
import type { SettingsStore } from "../domain/flow/settings/store.ts";
import type { FlowStore } from "../domain/flow/shared/store.ts";
import type { IdempotencyStore } from "../domain/idempotency/store.ts";
import type { SchemaStore } from "../domain/identity/schema-store.ts";
import type { IdentityStore } from "../domain/identity/store.ts";
import type { TenantId } from "../domain/ids.ts";
import type { InvitationStore } from "../domain/invitation/store.ts";
import type { Transactions } from "../domain/ports.ts";
import type { SessionStore } from "../domain/session/store.ts";
import type { ThrottleStore } from "../domain/throttle/store.ts";
import { createApiKeyStore } from "./api-key-store.ts";
import { Database, type DatabaseOptions } from "./database.ts";
import { StatementError } from "./database-errors.ts";
import { createEventStore } from "./event-store.ts";
import { type DatabaseFacts, examineDatabase } from "./examination.ts";
import { type CourierBacklog, courierBacklog, type PoolFigures } from "./figures.ts";
import { createFlowStore } from "./flow-store.ts";
import { createIdempotencyStore } from "./idempotency-store.ts";
import { createIdentityStore } from "./identity-store.ts";
import { createInvitationStore } from "./invitation-store.ts";
import { type JobRun, type JobWorker, startJobWorker } from "./job-worker.ts";
import { type JobsOptions, scheduledJobs } from "./jobs.ts";
import { listenForMessages } from "./message-listener.ts";
import { createMessageStore } from "./message-store.ts";
import { findPendingMigrations, migrateDatabase } from "./migrator.ts";
import { createSchemaStore } from "./schema-store.ts";
import { createSessionStore } from "./session-store.ts";
import { createSettingsStore } from "./settings-store.ts";
import { ensureTenant } from "./tenants.ts";
import { createThrottleStore } from "./throttle-store.ts";

/** The oldest PostgreSQL that is supported, as `server_version_num` counts. */
const oldestVersion = 150_000;

export type { DatabaseFacts } from "./examination.ts";

/** How to reach the database. */
export type StorageOptions = DatabaseOptions;

/** Everything that is stored. */
export interface Storage extends Transactions {
  readonly identities: IdentityStore;
  readonly sessions: SessionStore;
  readonly flows: FlowStore;
  readonly settings: SettingsStore;
  readonly apiKeys: ApiKeyStore;
  readonly invitations: InvitationStore;
  readonly schemas: SchemaStore;
  readonly idempotency: IdempotencyStore;
  readonly events: EventStore;
  readonly messages: CourierStore;
  readonly throttle: ThrottleStore;
  /** Brings the schema up to date; several servers may do so at once. */
  migrate(): Promise<void>;
  /** The names of the migrations that the database lacks. */
  pendingMigrations(): Promise<string[]>;
  /** The id of the tenant of this name; makes it if there is none. */
  ensureTenant(name: string, now: Date): Promise<TenantId>;
  /** Throws DATABASE_UNAVAILABLE if the database does not answer. */
  ping(): Promise<void>;
  /** What the database is like, for who looks for a mistake. Throws DATABASE_UNAVAILABLE. */
  examine(): Promise<DatabaseFacts>;
  /** Makes new connections by another URL, because the password was changed; those that are open stay. */
  useUrl(url: string): void;
  /** Starts the jobs of jobs.ts. Returns at once; a database that is away is waited for. `onRun` is told of the end of each run. */
  startJobs(
    options: Omit<JobsOptions, "database" | "logger"> & { readonly onRun?: (run: JobRun) => void },
  ): JobWorker;
  /** The connections of calls. */
  pool(): PoolFigures;
  /** How often each SQLSTATE that tells of the database's state came since the start; `_OTHER` for failures without one. */
  problems(): ReadonlyMap<string, number>;
  /** What waits in the queue of messages. Throws DATABASE_UNAVAILABLE. */
  courierBacklog(): Promise<CourierBacklog>;
  /**
   * Calls back whenever messages were enqueued, by any process, until it is stopped. Returns at once. While the database
   * is away or knows no NOTIFY it does not call: a listener must look by itself now and then.
   */
  listenForMessages(onMessages: () => void): { stop(): Promise<void> };
  /** Ends all connections, after the statements under way. */
  close(): Promise<void>;
}

/**
 * Connects to PostgreSQL. Throws an Error of one line, without the password, if it cannot be reached or is too
 * old. Afterwards a database that is away makes every call fail with DATABASE_UNAVAILABLE, until it is back.
 */
export async function openStorage(options: StorageOptions): Promise<Storage> {
  const where = describeUrl(options.url);
  const { logger } = options;
  const database = new Database(options);
  try {
    await checkServer(database);
  } catch (error) {
    await database.close();
    throw openError(where, error);
  }
  return {
    transaction: (scope, work) => database.transaction(scope, work),
    identities: createIdentityStore(database),
    sessions: createSessionStore(database),
    flows: createFlowStore(database),
    settings: createSettingsStore(database),
    apiKeys: createApiKeyStore(database),
    invitations: createInvitationStore(database),
    schemas: createSchemaStore(database),
    idempotency: createIdempotencyStore(database),
    events: createEventStore(database),
    messages: createMessageStore(database),
    throttle: createThrottleStore(database),
    migrate: () => migrateDatabase(database.url),
    pendingMigrations: () => findPendingMigrations((text) => database.query(undefined, { text }, [])),
    ensureTenant: (name, now) => ensureTenant(database, name, now),
    ping: async () => {
      await database.query(undefined, { text: "SELECT 1" }, []);
    },
    startJobs: ({ onRun, ...jobs }) =>
      startJobWorker({
        jobs: scheduledJobs({ ...jobs, database, logger }),
        url: () => database.url,
        logger,
        onRun,
      }),
    pool: () => database.figures,
    problems: () => database.problems,
    courierBacklog: () => courierBacklog(database),
    listenForMessages: (onMessages) => listenForMessages({ url: () => database.url, logger, onMessages }),
    examine: () => examineDatabase(database),
    useUrl: (url) => database.useUrl(url),
    close: () => database.close(),
  };
}

async function checkServer(database: Database): Promise<void> {
  const [row] = await database.query<{
    readonly number: number;
    readonly version: string;
    readonly encoding: string;
  }>(
    undefined,
    {
      text: `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
        current_setting('server_encoding') AS encoding`,
    },
    [],
  );
  if (row === undefined || row.number < oldestVersion) {
    throw new Error(`PostgreSQL 15 or newer is needed, and this one is ${row?.version ?? "unknown"}`);
  }
  // In any other encoding a name in another script could not be stored, and would be refused call by call.
  if (row.encoding !== "UTF8") {
    throw new Error(
      `its encoding is ${row.encoding}; make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`,
    );
  }
}

/** Host and database of a URL, for messages; never the password. Throws if it is no URL of PostgreSQL. */
function describeUrl(url: string): string {
  const malformed = new Error(
    "The database URL cannot be read; it has the form postgresql://user:password@host:5432/database",
  );
  if (!/^postgres(ql)?:\/\//.test(url)) throw malformed;
  try {
    // Read by the driver itself, so that what is said is what is used.
    const { host, port, database } = new Client({ connectionString: url });
    return `${database} at ${host}${host.startsWith("/") ? "" : `:${port}`}`;
  } catch (error) {
    // The configuration looked at the files that a URL names; since then one may have gone.
    const { code, path } = error as NodeJS.ErrnoException;
    if (path === undefined) throw malformed;
    throw new Error(`The file ${path}, which the database URL names, cannot be read (${code})`, {
      cause: error,
    });
  }
}

function openError(where: string, error: unknown): Error {
  let reason = error;
  // Below our own wrapping are the driver's or the system's words; they name no password.
  while (reason instanceof Error && (reason instanceof DomainError || reason instanceof StatementError)) {
    reason = reason.cause;
  }
  // Several addresses of one host were tried, and each failed by itself.
  if (reason instanceof AggregateError) reason = reason.errors[0];
  const text = reason instanceof Error ? reason.message || reason.name : String(reason);
  const [, clearer] = driverWords.find(([pattern]) => pattern.test(text)) ?? [];
  return new Error(`Cannot use the database ${where}: ${clearer ?? text.split("\n")[0]}`, { cause: error });
}

/** Where the driver's own words tell an operator nothing. */
const driverWords: readonly (readonly [RegExp, string])[] = [
  [/client password must be a string/, "it asks for a password, and the URL has none"],
  [/^(Connection terminated|timeout e)/, "it does not answer"],
  [
    /self[- ]signed certificate|unable to (get|verify)|issuer certificate/i,
    "an authority that is not known here has signed its certificate: add &sslrootcert=/path/to/ca.crt to database.url",
  ],
  [/does not support SSL/, "it offers no TLS, and sslmode in database.url asks for it"],
];
