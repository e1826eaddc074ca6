import type { Pool, PoolClient } from "pg";
import { cutOff } from "./connection.ts";
import type { PoolFigures } from "./figures.ts";

interface PoolOptions {
  readonly size: number;
  /** Longest wait for a connection. */
  readonly acquireTimeoutMs: number;
  /** Makes a pool of the driver, of the same size and with the same time-out. Called again after `suspend`. */
  readonly makePool: () => Pool;
  /** Told why a connection could not be made, also where a call waits for another one. */
  readonly onFailure: (error: unknown) => void;
}

interface Waiter {
  readonly resolve: (client: PoolClient) => void;
  readonly reject: (error: unknown) => void;
  readonly timer: NodeJS.Timeout;
}

/** Pause before one more connection is tried, after the database has refused one. */
const growPauseMs = 500;

/**
 * Lends the connections of a pool of the driver. Unlike there, a call waits for the first connection that is free, an open one or
 * a new one, whichever comes first: where the database gives fewer than `size`, those that are open carry the load.
 */
export class ConnectionPool {
  readonly #options: PoolOptions;
  #pool: Pool;
  /** How many there may be now: fewer than `size` while the database refuses more. */
  #limit: number;
  #growing: NodeJS.Timeout | undefined;
  /** Connections asked of the driver that have not come yet. */
  #attempts = 0;
  #lent = new Set<PoolClient>();
  readonly #waiters: Waiter[] = [];
  /** Why there are fewer than `size`. */
  #refusal: unknown;
  /** Why there is none at all. */
  #suspended: { readonly reason: Error } | undefined;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#limit = options.size;
    this.#pool = this.#makePool();
  }

  get figures(): PoolFigures {
    return {
      name: "calls",
      used: this.#lent.size,
      idle: this.#pool.idleCount,
      limit: this.#options.size,
      waiting: this.#waiters.length,
    };
  }

  /** A connection, to be given back by `release`. Throws the driver's error if there is none in time, or at once while suspended. */
  acquire(): Promise<PoolClient> {
    if (this.#suspended !== undefined) return Promise.reject(this.#suspended.reason);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(this.#refusal ?? new Error("timeout exceeded when trying to connect"));
      }, this.#options.acquireTimeoutMs);
      const waiter: Waiter = { resolve, reject, timer };
      this.#waiters.push(waiter);
      this.#connect();
    });
  }

  /** Gives a connection back. One that is broken is thrown away. */
  release(client: PoolClient, isBroken: boolean): void {
    // It was lent before the pool was suspended.
    const isOurs = this.#lent.delete(client);
    if (isOurs && !isBroken) this.#give(client);
    else client.release(true);
    if (isBroken) this.#connect();
  }

  /** Ends all connections, also those that are lent, and lends none until `resume`: the calls under way fail at once. */
  suspend(reason: Error): void {
    this.#suspended = { reason };
    const pool = this.#pool;
    this.#pool = this.#makePool();
    const lent = this.#lent;
    this.#lent = new Set();
    this.#attempts = 0;
    this.#stopGrowing();
    for (const waiter of this.#waiters.splice(0)) {
      clearTimeout(waiter.timer);
      waiter.reject(reason);
    }
    // Nobody hears them any more, and each would report its end.
    pool.removeAllListeners("error").on("error", () => {});
    void pool.end();
    // What is left of the pool are the lent ones. Their other end may be gone, so nothing is said to it.
    for (const client of lent) cutOff(client);
  }

  /** Lends connections again. */
  resume(): void {
    this.#suspended = undefined;
  }

  /** Waits for what is lent, then ends all connections. */
  async close(): Promise<void> {
    clearTimeout(this.#growing);
    await this.#pool.end();
  }

  #makePool(): Pool {
    const pool = this.#options.makePool();
    pool.on("connect", () => {
      if (pool !== this.#pool) return;
      // The database gives more than it did.
      this.#refusal = undefined;
      if (this.#limit < this.#options.size) this.#grow();
    });
    return pool;
  }

  /** Asks for as many connections as somebody waits for and as there may be. */
  #connect(): void {
    while (this.#waiters.length > this.#attempts && this.#lent.size + this.#attempts < this.#limit) {
      this.#attempts++;
      const pool = this.#pool;
      pool.connect().then(
        (client) => {
          if (pool === this.#pool) {
            this.#attempts--;
            this.#give(client);
          } else client.release(true);
        },
        (error: unknown) => {
          if (pool !== this.#pool) return;
          this.#attempts--;
          this.#options.onFailure(error);
          this.#failed(error);
        },
      );
    }
  }

  /** To who has waited longest; to the driver's pool if nobody waits. */
  #give(client: PoolClient): void {
    const waiter = this.#waiters.shift();
    if (waiter === undefined) {
      client.release();
      return;
    }
    clearTimeout(waiter.timer);
    this.#lent.add(client);
    waiter.resolve(client);
  }

  #failed(error: unknown): void {
    if (isRefusal(error) || (isTimeout(error) && this.#lent.size > 0)) {
      this.#refusal = error;
      this.#limit = Math.max(1, Math.min(this.#limit, this.#pool.totalCount));
      this.#growing ??= setTimeout(() => this.#grow(), growPauseMs);
      return;
    }
    const waiter = this.#waiters.shift();
    if (waiter === undefined) return;
    clearTimeout(waiter.timer);
    waiter.reject(error);
    this.#connect();
  }

  /** Tries one connection more. */
  #grow(): void {
    clearTimeout(this.#growing);
    this.#growing = undefined;
    this.#limit = Math.min(this.#limit + 1, this.#options.size);
    this.#connect();
  }

  #stopGrowing(): void {
    clearTimeout(this.#growing);
    this.#growing = undefined;
    this.#limit = this.#options.size;
    this.#refusal = undefined;
  }
}

/** Whether the database is there and gives no further connection, or the pooler in front of it. */
function isRefusal(error: unknown): boolean {
  if (!(error instanceof Error) || !("code" in error)) return false;
  // PgBouncer says "no more connections allowed" as a violation of the protocol.
  return error.code === "53300" || (error.code === "08P01" && /no more connections/.test(error.message));
}

/** A pooler that has no connection of the server to give keeps us waiting. */
function isTimeout(error: unknown): boolean {
  return error instanceof Error && /timeout/.test(error.message);
}
