import { Client } from "pg";
import { keepRunning } from "../domain/keep-running.ts";
import type { Logger } from "../domain/ports.ts";
import { applySettings, connectionOptions, cutOff } from "./connection.ts";
import { messageChannel } from "./message-sql.ts";

interface MessageListenerOptions {
  /** Asked at each connect: the password may have been changed. */
  readonly url: () => string;
  readonly logger: Logger;
  readonly onMessages: () => void;
}

/** A listener that runs. */
export interface MessageListener {
  stop(): Promise<void>;
  /** Makes its connection anew: the one that is open leads nowhere. */
  reconnect(): void;
}

/**
 * Listens for new messages on a connection of its own, and connects again when it is lost. It also calls after each
 * connect, for what it may have missed.
 */
export function listenForMessages(options: MessageListenerOptions): MessageListener {
  const stopping = new AbortController();
  const open = new Set<Client>();
  const finished = keepRunning((succeeded) => listen(options, open, stopping.signal, succeeded), {
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
    reconnect: () => {
      for (const client of open) cutOff(client);
    },
  };
}

/** Ends when it is stopped; throws when the connection is lost. */
async function listen(
  { url, onMessages }: MessageListenerOptions,
  open: Set<Client>,
  stopping: AbortSignal,
  succeeded: () => void,
): Promise<void> {
  const client = new Client({
    connectionString: url(),
    ...connectionOptions({ application: "ostiary messages", answerTimeoutMs: 10_000 }),
  });
  const over = Promise.withResolvers<void>();
  // Unheard, either would end the process (see database.ts).
  over.promise.catch(() => {});
  client.on("error", over.reject);
  client.on("end", () => over.reject(new Error("the connection was closed")));
  client.on("notification", onMessages);
  const stop = () => over.resolve();
  stopping.addEventListener("abort", stop);
  open.add(client);
  try {
    await client.connect();
    await applySettings(client, { statementMs: 10_000 });
    await client.query(`LISTEN ${messageChannel}`);
    succeeded();
    onMessages();
    await over.promise;
  } finally {
    stopping.removeEventListener("abort", stop);
    open.delete(client);
    // It may be broken already, and then there is nothing to close, or its other end may be gone: nobody waits for that one.
    client.end().catch(() => {});
    cutOff(client);
  }
}
