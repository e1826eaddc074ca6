import { setTimeout as delay } from "node:timers/promises";
import type { Client } from "pg";
import { keepRunning } from "../domain/keep-running.ts";
import type { Logger } from "../domain/ports.ts";
import { OwnConnection } from "./own-connection.ts";

/** What is told of: that there are new messages to send, or new events in the log. */
export type Topic = "message" | "event";

/** The names by which PostgreSQL knows the channels. */
const channelNames: Readonly<Record<Topic, string>> = { message: "ostiary_message", event: "ostiary_event" };

/** The shortest time between two announcements of a process: 100 in a second, however much is written. */
const shortestIntervalMs = 10;

interface NotificationsOptions {
  /** Asked at each connect: the password may have been changed. */
  readonly url: () => string;
  readonly logger: Logger;
}

/** A topic that is open. */
export interface OpenTopic {
  stop(): Promise<void>;
  /** Makes its connection anew: the one that is open leads nowhere. */
  reconnect(): void;
}

interface Listener {
  readonly topic: Topic;
  readonly onNotified: (isOwn: boolean) => void;
}

/**
 * What tells all processes that there is something new for their workers and for their readers of the event log: NOTIFY, on one
 * connection for all topics that are open.
 *
 * A transaction that notifies takes a lock of the whole cluster until its commit is on the disk, so those that write messages or events
 * would commit one after the other. Therefore the announcement follows the commit, by itself, and one stands for all that are due. It
 * may be lost, with the connection or the process: listeners look by themselves as well, and nothing else rests on it.
 */
export class Notifications {
  readonly #options: NotificationsOptions;
  readonly #connection: OwnConnection;
  readonly #listeners = new Set<Listener>();
  #running: { stop(): Promise<void> } | undefined;
  #isListening = false;
  readonly #due = new Set<Topic>();
  /** Ends the wait for the next announcement that is due. */
  #wake = Promise.withResolvers<void>();

  constructor(options: NotificationsOptions) {
    this.#options = options;
    this.#connection = new OwnConnection({ url: options.url, application: "ostiary notifications" });
  }

  /** Something was committed: it is announced while any topic is open. */
  announce(topic: Topic): void {
    this.#due.add(topic);
    this.#wake.resolve();
  }

  /**
   * Opens a topic, and opens it again when its connection is lost. `onNotified` is called when any process has told of it, with whether
   * that was this one, and after each connect, for what may have been missed.
   */
  open(topic: Topic, onNotified: (isOwn: boolean) => void = () => {}): OpenTopic {
    const listener = { topic, onNotified };
    this.#listeners.add(listener);
    this.#running ??= this.#start();
    if (this.#isListening) queueMicrotask(() => onNotified(false));
    return {
      stop: async () => {
        this.#listeners.delete(listener);
        if (this.#listeners.size > 0) return;
        const running = this.#running;
        this.#running = undefined;
        await running?.stop();
      },
      reconnect: () => this.#connection.reconnect(),
    };
  }

  #start(): { stop(): Promise<void> } {
    const { logger } = this.#options;
    const stopping = new AbortController();
    const work = (succeeded: () => void) =>
      this.#connection.run(stopping.signal, async (client, ended) => {
        ended.addEventListener("abort", () => {
          this.#isListening = false;
          this.#wake.resolve();
        });
        await this.#listen(client);
        succeeded();
        await this.#announceAll(client, ended);
      });
    const finished = keepRunning(work, {
      signal: stopping.signal,
      firstPauseMs: 250,
      longestPauseMs: 10_000,
      onFailure: (error, failures) => {
        // Polling goes on meanwhile, so this costs a little time and nothing else: it is said once.
        if (failures === 1) logger.warn({ error }, "cannot announce new messages and events or hear of them");
      },
    });
    return {
      stop: () => {
        stopping.abort();
        return finished;
      },
    };
  }

  async #listen(client: Client): Promise<void> {
    const { processID: own } = client as Client & { readonly processID?: number };
    client.on("notification", ({ channel, processId }) =>
      this.#tell(processId === own, (topic) => channelNames[topic] === channel),
    );
    for (const name of Object.values(channelNames)) await client.query(`LISTEN ${name}`);
    this.#isListening = true;
    this.#tell(false, () => true);
  }

  #tell(isOwn: boolean, isMeant: (topic: Topic) => boolean): void {
    for (const { topic, onNotified } of [...this.#listeners]) if (isMeant(topic)) onNotified(isOwn);
  }

  /** Announces whatever is due, until the connection has ended; throws when that is not possible, and it stays due. */
  async #announceAll(client: Client, ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      if (this.#due.size === 0) {
        this.#wake = Promise.withResolvers();
        await this.#wake.promise;
        continue;
      }
      const topics = [...this.#due];
      // What comes from here on may be too late for this announcement, and is due again.
      this.#due.clear();
      try {
        const names = topics.map((topic) => channelNames[topic]);
        await client.query("SELECT pg_notify(name, '') FROM unnest($1::text[]) AS given(name)", [names]);
      } catch (error) {
        for (const topic of topics) this.#due.add(topic);
        throw error;
      }
      await delay(shortestIntervalMs);
    }
  }
}
