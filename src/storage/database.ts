import { Pool, type PoolClient, type QueryResult } from "pg";
import type { Event } from "../domain/event/event.ts";
import type { TenantId } from "../domain/ids.ts";
import type { Logger, TenantScope, Transaction, Transactions } from "../domain/ports.ts";
import { columnTypes } from "./column-types.ts";
import { applySettings, clientOf, connectionOptions } from "./connection.ts";
import { ConnectionPool } from "./connection-pool.ts";
import {
  isConnectionLost,
  isRetryable,
  tellsOfDatabase,
  translate,
  translateConnectFailure,
} from "./database-errors.ts";
import { DatabaseProblems } from "./database-problems.ts";
import type { PoolFigures } from "./figures.ts";

/** How often a deadlock is tried again before it is reported. */
const maxAttempts = 5;

/** Says the isolation that statements are written for, since a pooler may have put us on a connection of another role's settings. */
const begin = "BEGIN ISOLATION LEVEL READ COMMITTED";

/** A statement. With a name it is prepared once on each connection; hot paths have one. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
}

/** What a statement writes that others are told of. */
interface News {
  /** Whether there are messages to send. */
  readonly messages?: boolean;
  /** Those that it is given; it may write each of them several times, or not at all. */
  readonly events?: readonly Event[];
}

/** A parameter of a statement that writes messages or events: others are told of them once they are committed. */
export class Announced {
  readonly #text: string;
  readonly news: News;

  constructor(text: string, news: News) {
    this.#text = text;
    this.news = news;
  }

  /** Called by the driver. */
  toPostgres(): string {
    return this.#text;
  }
}

/** How to reach the database. */
export interface DatabaseOptions {
  readonly url: string;
  /** The most connections for calls. */
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
  readonly acquireTimeoutMs: number;
  readonly logger: Logger;
  /** Called with the text of each statement that is sent, BEGIN and COMMIT among them: counts round trips. */
  readonly onStatement?: ((text: string) => void) | undefined;
  /** Called when messages were committed. */
  readonly onMessages?: (() => void) | undefined;
  /**
   * Called with the events that statements were given, when they are committed, before the caller knows of it; also where the
   * connection was lost on the way, so that nobody knows whether they were. Must not throw.
   */
  readonly onEvents?: ((tenantId: TenantId, events: readonly Event[]) => void) | undefined;
}

/** Gathers what is written until it is committed. */
class Gathered {
  hasMessages = false;
  readonly events: Event[] = [];

  /** Notes what the parameters of a statement announce. */
  note(values: readonly unknown[]): void {
    for (const value of values) {
      if (!(value instanceof Announced)) continue;
      this.hasMessages ||= value.news.messages === true;
      this.events.push(...(value.news.events ?? []));
    }
  }

  /** Takes what was gathered in a part that is done. */
  add(part: Gathered): void {
    this.hasMessages ||= part.hasMessages;
    this.events.push(...part.events);
  }
}

/** The open transaction behind the brand that the domain sees. */
class OpenTransaction {
  readonly tenantId: TenantId;
  readonly client: PoolClient;
  readonly depth: number;
  readonly written = new Gathered();

  constructor(tenantId: TenantId, client: PoolClient, depth = 0) {
    this.tenantId = tenantId;
    this.client = client;
    this.depth = depth;
  }
}

/**
 * The connection pool, and the one place where statements are sent: measures them, translates errors, retries
 * deadlocks. It heals by itself: broken connections are thrown away, and each call tries to make a new one.
 */
export class Database implements Transactions {
  #url: string;
  readonly #pool: ConnectionPool;
  readonly #problems: DatabaseProblems;
  readonly #onStatement: ((text: string) => void) | undefined;
  readonly #onMessages: () => void;
  readonly #onEvents: NonNullable<DatabaseOptions["onEvents"]>;

  constructor(options: DatabaseOptions) {
    const { poolSize: size, acquireTimeoutMs } = options;
    this.#onStatement = options.onStatement;
    this.#onMessages = options.onMessages ?? (() => {});
    this.#onEvents = options.onEvents ?? (() => {});
    this.#url = options.url;
    this.#problems = new DatabaseProblems(options.logger);
    this.#pool = new ConnectionPool({
      ...{ size, acquireTimeoutMs, makePool: () => this.#makePool(options) },
      onFailure: (error) => this.#problems.report(error),
    });
  }

  /**
   * From now on calls fail at once, and those under way as well, since the database is known to be away; until `resume`. Its
   * connections may be such that nobody answers on any more, so none is kept.
   */
  suspend(reason: Error): void {
    this.#pool.suspend(reason);
  }

  /** The database has answered: calls may use it again. */
  resume(): void {
    this.#pool.resume();
  }

  #makePool({ poolSize, acquireTimeoutMs, statementTimeoutMs, logger }: DatabaseOptions): Pool {
    const limits = {
      statementMs: statementTimeoutMs,
      idleInTransactionMs: Math.max(statementTimeoutMs, 10_000),
    };
    const pool = new Pool({
      ...connectionOptions({
        application: "ostiary",
        connectTimeoutMs: acquireTimeoutMs,
        // The server's own time-out comes first; this one is for a server that does not answer at all.
        answerTimeoutMs: statementTimeoutMs + 2_000,
      }),
      Client: clientOf(() => this.#url),
      max: poolSize,
      types: columnTypes,
      onConnect: (client) => applySettings(client, limits),
    });
    // An idle connection that breaks is reported here, and the pool drops it. Unheard, it would end the process.
    pool.on("error", (error) => {
      logger.warn({ error: error.message }, "an idle database connection was lost");
    });
    // One that is lent out reports it here. Heard from its first moment on: the news can come in the same packet as
    // the end of the handshake, before the caller has been given the connection.
    pool.on("connect", (client) => {
      client.on("error", () => broken.add(client));
    });
    return pool;
  }

  /**
   * Runs one statement, within the transaction if the scope is one, else by itself; a deadlock by itself is tried
   * again.
   */
  async query<Row extends object>(
    scope: TenantScope | undefined,
    statement: Statement,
    values: readonly unknown[],
  ): Promise<Row[]> {
    if (scope instanceof OpenTransaction) {
      scope.written.note(values);
      return this.#send<Row>(scope.client, statement, values);
    }
    const written = new Gathered();
    written.note(values);
    return this.#retrying(() =>
      this.#withClient((client) =>
        this.#committing(client, scope?.tenantId, written, () => this.#send<Row>(client, statement, values)),
      ),
    );
  }

  async transaction<T>(scope: TenantScope, work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (scope instanceof OpenTransaction) return this.#savepoint(scope, work);
    return this.#retrying(() =>
      this.#withClient(async (client) => {
        await this.#send(client, { text: begin }, []);
        const open = new OpenTransaction(scope.tenantId, client);
        let result: T;
        try {
          result = await work(branded(open));
        } catch (error) {
          await this.#rollback(client, "ROLLBACK");
          throw error;
        }
        await this.#committing(client, scope.tenantId, open.written, () => this.#commit(client));
        return result;
      }),
    );
  }

  /** Runs statements one by one on one and the same connection, without a transaction. */
  async withConnection<T>(
    work: (
      ask: <Row extends object>(text: string, values?: readonly unknown[]) => Promise<Row[]>,
    ) => Promise<T>,
  ): Promise<T> {
    return this.#withClient((client) => work((text, values = []) => this.#send(client, { text }, values)));
  }

  /** Whether a scope is an open transaction. */
  isTransaction(scope: TenantScope): scope is Transaction {
    return scope instanceof OpenTransaction;
  }

  /** Makes new connections by this URL from now on; those that are open stay. */
  useUrl(url: string): void {
    this.#url = url;
  }

  /** The URL that new connections are made by. */
  get url(): string {
    return this.#url;
  }

  /** The connections. */
  get figures(): PoolFigures {
    return this.#pool.figures;
  }

  /** How often each SQLSTATE that tells of the database's state came. */
  get problems(): ReadonlyMap<string, number> {
    return this.#problems.counts;
  }

  /** Waits for the statements under way, then closes all connections. */
  async close(): Promise<void> {
    await this.#pool.close();
  }

  async #savepoint<T>(outer: OpenTransaction, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const name = `s${outer.depth}`;
    await this.#send(outer.client, { text: `SAVEPOINT ${name}` }, []);
    const inner = new OpenTransaction(outer.tenantId, outer.client, outer.depth + 1);
    let result: T;
    try {
      result = await work(branded(inner));
    } catch (error) {
      await this.#rollback(outer.client, `ROLLBACK TO SAVEPOINT ${name}`);
      throw error;
    }
    await this.#send(outer.client, { text: `RELEASE SAVEPOINT ${name}` }, []);
    outer.written.add(inner.written);
    return result;
  }

  /** Sends what commits, and tells of what was written: once it is done, or where the connection was lost and nobody knows. */
  async #committing<T>(
    client: PoolClient,
    tenantId: TenantId | undefined,
    written: Gathered,
    send: () => Promise<T>,
  ): Promise<T> {
    const tell = () => {
      if (tenantId !== undefined && written.events.length > 0) this.#onEvents(tenantId, written.events);
    };
    let result: T;
    try {
      result = await send();
    } catch (error) {
      if (broken.has(client)) tell();
      throw error;
    }
    tell();
    if (written.hasMessages) this.#onMessages();
    return result;
  }

  /**
   * Commits. A transaction in which a statement failed answers COMMIT with a rollback and no error: if the work
   * swallowed that failure, it must not pass for stored.
   */
  async #commit(client: PoolClient): Promise<void> {
    const { command } = await this.#sendFull(client, { text: "COMMIT" }, []);
    if (command !== "COMMIT")
      throw new Error("the transaction was rolled back: a statement in it had failed");
  }

  /** Takes back what was done; if not even that works the connection is broken, and the server does it itself. */
  async #rollback(client: PoolClient, text: string): Promise<void> {
    try {
      await this.#send(client, { text }, []);
    } catch {
      broken.add(client);
    }
  }

  async #retrying<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        if (attempt >= maxAttempts || !isRetryable(error)) throw error;
      }
    }
  }

  async #withClient<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    let client: PoolClient;
    try {
      client = await this.#pool.acquire();
    } catch (error) {
      throw translateConnectFailure(error);
    }
    try {
      return await work(client);
    } finally {
      this.#pool.release(client, broken.has(client));
    }
  }

  async #send<Row extends object>(
    client: PoolClient,
    statement: Statement,
    values: readonly unknown[],
  ): Promise<Row[]> {
    return (await this.#sendFull<Row>(client, statement, values)).rows;
  }

  async #sendFull<Row extends object>(
    client: PoolClient,
    statement: Statement,
    values: readonly unknown[],
  ): Promise<QueryResult<Row>> {
    this.#onStatement?.(statement.text);
    try {
      return await client.query<Row>({ ...statement, values: [...values] });
    } catch (error) {
      if (isConnectionLost(error)) broken.add(client);
      if (tellsOfDatabase(error)) this.#problems.report(error);
      throw translate(error);
    }
  }
}

/** Connections that must not go back to the pool. */
const broken = new WeakSet<PoolClient>();

function branded(open: OpenTransaction): Transaction {
  // The brand exists for the compiler only: outside this file nobody can make a Transaction.
  return open as unknown as Transaction;
}
