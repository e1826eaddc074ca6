import { Client } from "pg";
import type { Logger } from "../domain/ports.ts";
import { applySettings } from "./connection.ts";
import { messageChannel } from "./message-sql.ts";

const firstPauseMs = 250;
const longestPauseMs = 10_000;

interface MessageListenerOptions {
  /** Asked at each connect: the password may have been changed. */
  readonly url: () => string;
  readonly logger: Logger;
  readonly onMessages: () => void;
}

/**
 * Listens for new messages on a connection of its own, and connects again when it is lost. It also calls after each
 * connect, for what it may have missed.
 */
export function listenForMessages(options: MessageListenerOptions): { stop(): Promise<void> } {
  const listener = new MessageListener(options);
  return { stop: () => listener.stop() };
}

class MessageListener {
  readonly #options: MessageListenerOptions;
  readonly #finished: Promise<void>;
  readonly #stopped = Promise.withResolvers<void>();
  #stopping = false;
  #warned = false;

  constructor(options: MessageListenerOptions) {
    this.#options = options;
    this.#finished = this.#keepListening().catch((error: unknown) => {
      options.logger.error({ err: error }, "the listener for new messages ended");
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#stopped.resolve();
    await this.#finished;
  }

  async #keepListening(): Promise<void> {
    let pauseMs = firstPauseMs;
    while (!this.#stopping) {
      const startedAt = Date.now();
      try {
        await this.#listen();
      } catch (error) {
        // Polling goes on meanwhile, so this costs a little time and nothing else: it is said once.
        const reason = error instanceof Error ? error.message : String(error);
        if (!this.#warned) this.#options.logger.warn({ error: reason }, "cannot listen for new messages");
        this.#warned = true;
      }
      pauseMs = Date.now() - startedAt > 60_000 ? firstPauseMs : Math.min(longestPauseMs, pauseMs * 2);
      if (!this.#stopping) await this.#pause(pauseMs);
    }
  }

  /** Ends when it is stopped; throws when the connection is lost. */
  async #listen(): Promise<void> {
    const client = new Client({
      connectionString: this.#options.url(),
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      application_name: "ostiary messages",
    });
    const lost = Promise.withResolvers<never>();
    // Unheard, either would end the process (see database.ts).
    lost.promise.catch(() => {});
    client.on("error", (error) => lost.reject(error));
    client.on("end", () => lost.reject(new Error("the connection was closed")));
    client.on("notification", () => this.#options.onMessages());
    try {
      await client.connect();
      await applySettings(client);
      await client.query(`LISTEN ${messageChannel}`);
      this.#warned = false;
      this.#options.onMessages();
      await Promise.race([lost.promise, this.#stopped.promise]);
    } finally {
      // It may be broken already, and then there is nothing to close.
      await client.end().catch(() => {});
    }
  }

  async #pause(milliseconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const waited = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, milliseconds);
    });
    await Promise.race([waited, this.#stopped.promise]);
    clearTimeout(timer);
  }
}
