import { Client } from "pg";
import type { ApiKeyStore } from "../domain/access/store.ts";
import type { CourierStore, MarkStore } from "../domain/courier/store.ts";
import { DomainError } from "../domain/errors.ts";
import type { Event } from "../domain/event/event.ts";
import type { EventFeed } from "../domain/event/feed.ts";
import type { EventStore } from "../domain/event/store.ts";
import type { SettingsStore } from "../domain/flow/settings/store.ts";
import type { FlowStore } from "../domain/flow/shared/store.ts";
import type { IdempotencyStore } from "../domain/idempotency/store.ts";
import type { SchemaStore } from "../domain/identity/schema-store.ts";
import type { IdentityStore } from "../domain/identity/store.ts";
import type { TenantId } from "../domain/ids.ts";
import type { InvitationStore } from "../domain/invitation/store.ts";
import type { Transactions } from "../domain/ports.ts";
import type { SessionChangeLog } from "../domain/session/session-feed.ts";
import type { SessionStore } from "../domain/session/store.ts";
import type { SigningKeyStore } from "../domain/signed-token/store.ts";
import type { ThrottleStore } from "../domain/throttle/store.ts";
import { createApiKeyStore } from "./api-key-store.ts";
import { checkServer, poolerRefused } from "./check-server.ts";
import { Database, type DatabaseOptions } from "./database.ts";
import { StatementError } from "./database-errors.ts";
import { type DatabaseState, watchDatabase } from "./database-watch.ts";
import { openEventFeed } from "./event-feed.ts";
import { createEventStore } from "./event-store.ts";
import { type DatabaseFacts, examineDatabase } from "./examination.ts";
import { type CourierBacklog, courierBacklog, type PoolFigures } from "./figures.ts";
import { createFlowStore } from "./flow-store.ts";
import { createIdempotencyStore } from "./idempotency-store.ts";
import { createIdentityStore } from "./identity-store.ts";
import { createInvitationStore } from "./invitation-store.ts";
import { watchJobs } from "./job-watch.ts";
import { type JobRun, type JobWorker, startJobWorker } from "./job-worker.ts";
import { type JobsOptions, scheduledJobs } from "./jobs.ts";
import { createMarkStore } from "./mark-store.ts";
import { createMessageStore } from "./message-store.ts";
import { findPendingMigrations, migrateDatabase } from "./migrator.ts";
import { Notifications } from "./notifications.ts";
import { createSchemaStore } from "./schema-store.ts";
import { createSessionChangeLog } from "./session-change-log.ts";
import { createSessionStore } from "./session-store.ts";
import { createSettingsStore } from "./settings-store.ts";
import { createSigningKeyStore } from "./signing-key-store.ts";
import { ensureTenant } from "./tenants.ts";
import { createThrottleStore } from "./throttle-store.ts";

/**
 * Connections that a process opens beside those for calls: three for the jobs, one for notifications, one that reads the event log,
 * one that watches the database. Migrations take two, before any of these is there.
 */
export const connectionsBesideCalls = 6;

export type { DatabaseFacts } from "./examination.ts";

/** How to reach the database. */
export type StorageOptions = Omit<DatabaseOptions, "onMessages" | "onEvents">;

/** Told of what this process has written. */
export type OwnEventsListener = (tenantId: TenantId, events: readonly Event[]) => void;

/** Everything that is stored. */
export interface Storage extends Transactions {
  readonly identities: IdentityStore;
  readonly sessions: SessionStore;
  readonly sessionChanges: SessionChangeLog;
  readonly flows: FlowStore;
  readonly settings: SettingsStore;
  readonly apiKeys: ApiKeyStore;
  readonly invitations: InvitationStore;
  readonly schemas: SchemaStore;
  readonly idempotency: IdempotencyStore;
  readonly events: EventStore;
  readonly messages: CourierStore;
  readonly marks: MarkStore;
  readonly throttle: ThrottleStore;
  readonly signingKeys: SigningKeyStore;
  /** Brings the schema up to date; several servers may do so at once. */
  migrate(): Promise<void>;
  /** The names of the migrations that the database lacks. */
  pendingMigrations(): Promise<string[]>;
  /** The id of the tenant of this name; makes it if there is none. */
  ensureTenant(name: string, now: Date): Promise<TenantId>;
  /** Throws DATABASE_UNAVAILABLE if the database does not answer. */
  ping(): Promise<void>;
  /**
   * Tells of the state of the database, at first and at each change, until it is stopped. While it is away, calls fail at once
   * with DATABASE_UNAVAILABLE, and those that were under way as well.
   */
  watch(onState: (state: DatabaseState) => void): { stop(): void };
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
   * Tells the workers of all processes of the messages that this one writes, until it is stopped, and with `onMessages` calls back
   * whenever any process has told of some. Returns at once. While the database is away or knows no NOTIFY nobody is told: workers
   * must look by themselves now and then.
   */
  openMessageChannel(onMessages?: () => void): { stop(): Promise<void> };
  /**
   * Reads the event log as it grows, until it is stopped: at once where this process or another one tells of events, and otherwise when
   * the interval is over. Returns at once; a database that is away is waited for. One for each process.
   */
  openEventFeed(options: { readonly intervalMs: number }): {
    readonly feed: EventFeed;
    stop(): Promise<void>;
  };
  /**
   * Calls back with the events that this process writes, once they are committed and before the caller knows of it; also where nobody
   * knows whether they were, since the connection was lost. Those whose identity or session only the statement finds out come without
   * it, and some may not have been written at all. Must not throw. Returns what ends it.
   */
  onOwnEvents(listener: OwnEventsListener): () => void;
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
  const notifications = new Notifications({ url: () => database.url, logger });
  const ownEventsListeners = new Set<OwnEventsListener>();
  const database = new Database({
    ...options,
    onMessages: () => notifications.announce("message"),
    onEvents: (tenantId, events) => {
      for (const listener of ownEventsListeners) listener(tenantId, events);
      notifications.announce("event");
    },
  });
  try {
    await checkServer(database);
  } catch (error) {
    await database.close();
    throw openError(where, error);
  }
  // What else has connections of its own, for as long as it runs.
  const others = new Set<{ reconnect(): void }>();
  const running = <Other extends { reconnect(): void; stop(): Promise<void> }>(other: Other): Other => {
    others.add(other);
    return {
      ...other,
      stop: async () => {
        others.delete(other);
        await other.stop();
      },
    };
  };
  return {
    transaction: (scope, work) => database.transaction(scope, work),
    identities: createIdentityStore(database),
    sessions: createSessionStore(database),
    sessionChanges: createSessionChangeLog(database),
    flows: createFlowStore(database),
    settings: createSettingsStore(database),
    apiKeys: createApiKeyStore(database),
    invitations: createInvitationStore(database),
    schemas: createSchemaStore(database),
    idempotency: createIdempotencyStore(database),
    events: createEventStore(database),
    messages: createMessageStore(database),
    marks: createMarkStore(database),
    throttle: createThrottleStore(database),
    signingKeys: createSigningKeyStore(database),
    migrate: () => migrateDatabase(database.url, { logger }),
    pendingMigrations: () => findPendingMigrations((text) => database.query(undefined, { text }, [])),
    ensureTenant: (name, now) => ensureTenant(database, name, now),
    ping: async () => {
      await database.query(undefined, { text: "SELECT 1" }, []);
    },
    watch: (onState) =>
      watchDatabase({
        url: () => database.url,
        logger,
        onState: (state, reason) => {
          if (state === "away") {
            database.suspend(reason ?? new Error("the database is away"));
            for (const other of others) other.reconnect();
          } else database.resume();
          onState(state);
        },
      }),
    startJobs: ({ onRun, ...options }) => {
      const jobs = scheduledJobs({ ...options, database, logger });
      const worker = startJobWorker({ jobs, url: () => database.url, logger, onRun });
      const stopWatch = watchJobs({ database, logger, names: jobs.map(({ name }) => name) });
      const stop = async () => {
        stopWatch();
        await worker.stop();
      };
      return running({ ...worker, stop });
    },
    openMessageChannel: (onMessages) => running(notifications.open("message", onMessages)),
    openEventFeed: ({ intervalMs }) => {
      const feed = openEventFeed({ url: () => database.url, logger, intervalMs });
      const wake = () => feed.wake();
      ownEventsListeners.add(wake);
      const topic = notifications.open("event", (isOwn) => {
        if (!isOwn) wake();
      });
      const stop = async () => {
        ownEventsListeners.delete(wake);
        await Promise.all([topic.stop(), feed.stop()]);
      };
      const reconnect = () => {
        topic.reconnect();
        feed.reconnect();
      };
      return running({ feed, stop, reconnect });
    },
    onOwnEvents: (listener) => {
      ownEventsListeners.add(listener);
      return () => ownEventsListeners.delete(listener);
    },
    pool: () => database.figures,
    problems: () => database.problems,
    courierBacklog: () => courierBacklog(database),
    examine: () => examineDatabase(database),
    useUrl: (url) => database.useUrl(url),
    close: () => database.close(),
  };
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
  [/statement pooling mode/, poolerRefused],
  [/does not support SSL/, "it offers no TLS, and sslmode in database.url asks for it"],
];
