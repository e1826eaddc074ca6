import { Client } from "pg";
import type { Logger } from "../domain/ports.ts";
import { applySettings, connectionOptions, cutOff } from "./connection.ts";

/** How the database is. */
export type DatabaseState =
  | "ready"
  /** It answers, and takes no writes: a standby, or one that was made read-only. */
  | "read-only"
  | "away";

interface WatchOptions {
  /** Asked at each connect: the password may have been changed. */
  readonly url: () => string;
  readonly logger: Logger;
  /** Called at each change, and with the first state. `reason` is why it is away. */
  readonly onState: (state: DatabaseState, reason: Error | undefined) => void;
}

/** Interval of asking. */
const intervalMs = 250;
/** Rounds without an answer after which the database counts as away. Counted, not timed: a busy process must not blame the database. */
const patience = 6;
/** Rounds after which a new connection is made: it shows settings that only new ones have, and follows an address that has moved. */
const lifetime = 120;
/** Rounds that are left out after the database has refused a connection: each refusal is a line in its log. */
const restingRounds = 8;

const question = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool AS read_only";

/**
 * Asks the database for its state on a connection of its own, so that calls which wait for each other do not look like a database that
 * is away. A connection that is lost is made again at once; only if that fails too, or nothing is answered for 1.5 s, is the
 * database away.
 */
export function watchDatabase(options: WatchOptions): { stop(): void } {
  const watch = new Watch(options);
  const timer = setInterval(() => watch.tick(), intervalMs);
  watch.tick();
  return {
    stop: () => {
      clearInterval(timer);
      watch.close();
    },
  };
}

class Watch {
  readonly #options: WatchOptions;
  #state: DatabaseState | undefined;
  #client: Client | undefined;
  #age = 0;
  /** The round whose answer is waited for; that of an earlier one counts no more. */
  #round: symbol | undefined;
  #unanswered = 0;
  /** Rounds to leave out, where the database has no connection for us. */
  #resting = 0;

  constructor(options: WatchOptions) {
    this.#options = options;
  }

  tick(): void {
    this.#age++;
    if (this.#resting > 0) this.#resting--;
    else if (this.#round === undefined) {
      const round = Symbol();
      this.#round = round;
      this.#unanswered = 0;
      void this.#ask(round);
    } else if (++this.#unanswered === patience) {
      this.#round = undefined;
      this.#forget();
      this.#report("away", new Error("the database does not answer"));
    }
  }

  /** Ends the connection. What is still answered is not reported. */
  close(): void {
    this.#round = undefined;
    this.#forget();
  }

  async #ask(round: symbol): Promise<void> {
    const isOver = () => this.#round !== round;
    try {
      const state = await this.#stateNow(isOver);
      if (isOver()) return;
      this.#report(state, undefined);
    } catch (error) {
      if (isOver()) return;
      this.#forget();
      const reason = error instanceof Error ? error : new Error(String(error));
      // It is there, and has no connection for us; calls have theirs.
      if (isCrowded(reason)) {
        this.#resting = restingRounds;
        this.#report(this.#state === "read-only" ? "read-only" : "ready", undefined);
      } else this.#report("away", reason);
    }
    this.#round = undefined;
  }

  async #stateNow(isOver: () => boolean): Promise<DatabaseState> {
    const kept = this.#client;
    if (kept !== undefined) {
      const state = await stateOf(kept).catch(() => undefined);
      if (state !== undefined || isOver()) {
        if (this.#age >= lifetime) void this.#renew(kept);
        return state ?? "away";
      }
      this.#forget();
    }
    const client = await this.#open();
    if (isOver()) {
      end(client);
      return "away";
    }
    this.#keep(client);
    return stateOf(client);
  }

  /** Puts a new connection in the place of one that works. If there is none to be had, the old one is as good. */
  async #renew(kept: Client): Promise<void> {
    this.#age = 0;
    const client = await this.#open().catch(() => undefined);
    if (client === undefined) return;
    if (this.#client === kept) {
      this.#keep(client);
      end(kept);
    } else end(client);
  }

  #keep(client: Client): void {
    this.#client = client;
    this.#age = 0;
    // Its end is news, and not only at the next look.
    client.on("end", () => {
      if (this.#client === client && this.#round === undefined) this.tick();
    });
  }

  async #open(): Promise<Client> {
    const client = new Client({
      connectionString: this.#options.url(),
      ...connectionOptions({ application: "ostiary watch", answerTimeoutMs: 5_000 }),
    });
    // Unheard, it would end the process; the next question finds out.
    client.on("error", () => {});
    try {
      await client.connect();
      await applySettings(client, { statementMs: 5_000 });
      return client;
    } catch (error) {
      end(client);
      throw error;
    }
  }

  #forget(): void {
    if (this.#client !== undefined) end(this.#client);
    this.#client = undefined;
  }

  #report(state: DatabaseState, reason: Error | undefined): void {
    if (state === this.#state) return;
    const before = this.#state;
    this.#state = state;
    const { logger, onState } = this.#options;
    if (state === "away") {
      logger.warn({ error: reason?.message }, "the database is away: calls are refused until it answers");
    } else if (state === "read-only") {
      logger.warn(
        {},
        "the database takes no writes (a standby, or made read-only): this server is not ready",
      );
    } else if (before !== undefined) logger.info({}, "the database is back");
    onState(state, reason);
  }
}

async function stateOf(client: Client): Promise<DatabaseState> {
  const { rows } = await client.query<{ read_only: boolean }>(question);
  return rows[0]?.read_only === true ? "read-only" : "ready";
}

function isCrowded(error: Error): boolean {
  return "code" in error && error.code === "53300";
}

/** Ends a connection. If its other end has gone without a word, there is nothing to wait for. */
function end(client: Client): void {
  // It is closed already, or about to be.
  client.end().catch(() => {});
  cutOff(client);
}
