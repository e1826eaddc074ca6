import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { keepRunning } from "../domain/keep-running.ts";
import type { Logger } from "../domain/ports.ts";
import { applySettings, connectionOptions, cutOff } from "./connection.ts";

/** The name by which PostgreSQL knows the channel. */
const channelName = "ostiary_message";

/** The shortest time between two announcements of a process: 100 in a second, however many messages there are. */
const shortestIntervalMs = 10;

interface MessageChannelOptions {
  /** Asked at each connect: the password may have been changed. */
  readonly url: () => string;
  readonly logger: Logger;
}

/** A channel that is open. */
export interface OpenMessageChannel {
  stop(): Promise<void>;
  /** Makes its connection anew: the one that is open leads nowhere. */
  reconnect(): void;
}

/**
 * What tells the workers of all processes that there are new messages: NOTIFY, on a connection of its own.
 *
 * A transaction that notifies takes a lock of the whole cluster until its commit is on the disk, so those that write messages would
 * commit one after the other. Therefore the announcement follows the commit, by itself, and one stands for all that are due. It
 * may be lost, with the connection or the process: workers look by themselves every second, and nothing else rests on it.
 */
export class MessageChannel {
  readonly #options: MessageChannelOptions;
  readonly #clients = new Set<Client>();
  #isDue = false;
  /** Ends the wait for the next announcement that is due. */
  #due = Promise.withResolvers<void>();

  constructor(options: MessageChannelOptions) {
    this.#options = options;
  }

  /** Messages were committed: they are announced while the channel is open. */
  announce(): void {
    this.#isDue = true;
    this.#due.resolve();
  }

  /**
   * Opens the channel, and opens it again when its connection is lost. With `onMessages` it listens as well; that is also called
   * after each connect, for what may have been missed.
   */
  open(onMessages?: () => void): OpenMessageChannel {
    const { logger } = this.#options;
    const stopping = new AbortController();
    const finished = keepRunning((succeeded) => this.#run(stopping.signal, succeeded, onMessages), {
      signal: stopping.signal,
      firstPauseMs: 250,
      longestPauseMs: 10_000,
      onFailure: (error, failures) => {
        // Polling goes on meanwhile, so this costs a little time and nothing else: it is said once.
        if (failures === 1) logger.warn({ error }, "cannot announce new messages or hear of them");
      },
    });
    return {
      stop: () => {
        stopping.abort();
        return finished;
      },
      reconnect: () => {
        for (const client of this.#clients) cutOff(client);
      },
    };
  }

  /** Ends when it is stopped; throws when the connection is lost. */
  async #run(stopping: AbortSignal, succeeded: () => void, onMessages?: () => void): Promise<void> {
    const client = new Client({
      connectionString: this.#options.url(),
      ...connectionOptions({ application: "ostiary messages", answerTimeoutMs: 5_000 }),
    });
    const ended = new AbortController();
    const over = Promise.withResolvers<void>();
    // Unheard, either would end the process (see database.ts).
    over.promise.catch(() => {});
    client.on("error", over.reject);
    client.on("end", () => over.reject(new Error("the connection was closed")));
    const stop = () => over.resolve();
    stopping.addEventListener("abort", stop);
    this.#clients.add(client);
    try {
      await client.connect();
      await applySettings(client, { statementMs: 5_000 });
      if (onMessages !== undefined) {
        client.on("notification", onMessages);
        await client.query(`LISTEN ${channelName}`);
      }
      succeeded();
      onMessages?.();
      await Promise.race([over.promise, this.#announceAll(client, ended.signal)]);
    } finally {
      ended.abort();
      this.#due.resolve();
      stopping.removeEventListener("abort", stop);
      this.#clients.delete(client);
      // It may be broken already, and then there is nothing to close, or its other end may be gone: nobody waits for that one.
      client.end().catch(() => {});
      cutOff(client);
    }
  }

  /** Announces whatever is due, until the connection has ended; throws when that is not possible, and it stays due. */
  async #announceAll(client: Client, ended: AbortSignal): Promise<void> {
    for (;;) {
      if (!this.#isDue) {
        this.#due = Promise.withResolvers();
        await this.#due.promise;
      }
      if (ended.aborted) return;
      // What comes from here on may be too late for this announcement, and is due again.
      this.#isDue = false;
      try {
        await client.query(`NOTIFY ${channelName}`);
      } catch (error) {
        this.#isDue = true;
        throw error;
      }
      await delay(shortestIntervalMs);
    }
  }
}
