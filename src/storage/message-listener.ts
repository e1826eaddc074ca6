import { Client } from "pg";
import { keepRunning } from "../domain/keep-running.ts";
import type { Logger } from "../domain/ports.ts";
import { applySettings } from "./connection.ts";
import { messageChannel } from "./message-sql.ts";

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
  const stopping = new AbortController();
  const finished = keepRunning((succeeded) => listen(options, stopping.signal, succeeded), {
    signal: stopping.signal,
    firstPauseMs: 250,
    longestPauseMs: 10_000,
    onFailure: (error, failures) => {
      // Polling goes on meanwhile, so this costs a little time and nothing else: it is said once.
      if (failures === 1) options.logger.warn({ error }, "cannot listen for new messages");
    },
  });
  return {
    stop: () => {
      stopping.abort();
      return finished;
    },
  };
}

/** Ends when it is stopped; throws when the connection is lost. */
async function listen(
  { url, onMessages }: MessageListenerOptions,
  stopping: AbortSignal,
  succeeded: () => void,
): Promise<void> {
  const client = new Client({
    connectionString: url(),
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    application_name: "ostiary messages",
  });
  const over = Promise.withResolvers<void>();
  // Unheard, either would end the process (see database.ts).
  over.promise.catch(() => {});
  client.on("error", over.reject);
  client.on("end", () => over.reject(new Error("the connection was closed")));
  client.on("notification", onMessages);
  const stop = () => over.resolve();
  stopping.addEventListener("abort", stop);
  try {
    await client.connect();
    await applySettings(client);
    await client.query(`LISTEN ${messageChannel}`);
    succeeded();
    onMessages();
    await over.promise;
  } finally {
    stopping.removeEventListener("abort", stop);
    // It may be broken already, and then there is nothing to close.
    await client.end().catch(() => {});
  }
}
