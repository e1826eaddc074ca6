import { Pool, type PoolClient, type QueryResult } from "pg";
import type { TenantId } from "../domain/ids.ts";
import type { Logger, TenantScope, Transaction, Transactions } from "../domain/ports.ts";
import { columnTypes } from "./column-types.ts";
import { applySettings, clientOf } from "./connection.ts";
import {
  isConnectionLost,
  isRetryable,
  tellsOfDatabase,
  translate,
  translateConnectFailure,
} from "./database-errors.ts";
import { DatabaseProblems } from "./database-problems.ts";
import { type PoolFigures, poolFigures } from "./figures.ts";

/** How often a deadlock is tried again before it is reported. */
const maxAttempts = 5;

/** Says the isolation that statements are written for, since a pooler may have put us on a connection of another role's settings. */
const begin = "BEGIN ISOLATION LEVEL READ COMMITTED";

/** A statement. With a name it is prepared once on each connection; hot paths have one. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
}

/** How to reach the database. */
export interface DatabaseOptions {
  readonly url: string;
  readonly poolSize: number;
  readonly statementTimeoutMs: number;
  readonly acquireTimeoutMs: number;
  readonly logger: Logger;
  /** Called with the text of each statement that is sent, BEGIN and COMMIT among them: counts round trips. */
  readonly onStatement?: ((text: string) => void) | undefined;
}

/** The open transaction behind the brand that the domain sees. */
class OpenTransaction {
  readonly tenantId: TenantId;
  readonly client: PoolClient;
  readonly depth: number;
  constructor(tenantId: TenantId, client: PoolClient, depth: number) {
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
  readonly #pool: Pool;
  readonly #problems: DatabaseProblems;
  readonly #onStatement: ((text: string) => void) | undefined;
  constructor(options: DatabaseOptions) {
    this.#onStatement = options.onStatement;
    this.#url = options.url;
    this.#problems = new DatabaseProblems(options.logger);
    this.#pool = new Pool({
      Client: clientOf(() => this.#url),
      max: options.poolSize,
      connectionTimeoutMillis: options.acquireTimeoutMs,
      statement_timeout: options.statementTimeoutMs,
      // The server's own time-out comes first; this one is for a server that does not answer at all.
      query_timeout: options.statementTimeoutMs + 2_000,
      // A process that dies within a transaction must not hold its locks for long.
      idle_in_transaction_session_timeout: Math.max(options.statementTimeoutMs, 10_000),
      keepAlive: true,
      application_name: "ostiary",
      types: columnTypes,
      onConnect: applySettings,
    });
    // An idle connection that breaks is reported here, and the pool drops it. Unheard, it would end the process.
    this.#pool.on("error", (error) => {
      options.logger.warn({ error: error.message }, "an idle database connection was lost");
    });
    // One that is lent out reports it here. Heard from its first moment on: the news can come in the same packet as
    // the end of the handshake, before the caller has been given the connection.
    this.#pool.on("connect", (client) => {
      client.on("error", () => broken.add(client));
    });
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
    if (scope instanceof OpenTransaction) return this.#send<Row>(scope.client, statement, values);
    return this.#retrying(() => this.#withClient((client) => this.#send<Row>(client, statement, values)));
  }

  async transaction<T>(scope: TenantScope, work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (scope instanceof OpenTransaction) return this.#savepoint(scope, work);
    return this.#retrying(() =>
      this.#withClient(async (client) => {
        await this.#send(client, { text: begin }, []);
        let result: T;
        try {
          result = await work(branded(new OpenTransaction(scope.tenantId, client, 0)));
        } catch (error) {
          await this.#rollback(client, "ROLLBACK");
          throw error;
        }
        await this.#commit(client);
        return result;
      }),
    );
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
    return poolFigures("calls", this.#pool);
  }

  /** How often each SQLSTATE that tells of the database's state came. */
  get problems(): ReadonlyMap<string, number> {
    return this.#problems.counts;
  }

  /** Waits for the statements under way, then closes all connections. */
  async close(): Promise<void> {
    await this.#pool.end();
  }

  async #savepoint<T>(outer: OpenTransaction, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const name = `s${outer.depth}`;
    await this.#send(outer.client, { text: `SAVEPOINT ${name}` }, []);
    let result: T;
    try {
      result = await work(branded(new OpenTransaction(outer.tenantId, outer.client, outer.depth + 1)));
    } catch (error) {
      await this.#rollback(outer.client, `ROLLBACK TO SAVEPOINT ${name}`);
      throw error;
    }
    await this.#send(outer.client, { text: `RELEASE SAVEPOINT ${name}` }, []);
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
      client = await this.#pool.connect();
    } catch (error) {
      this.#problems.report(error);
      throw translateConnectFailure(error);
    }
    try {
      return await work(client);
    } finally {
      client.release(broken.has(client));
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
