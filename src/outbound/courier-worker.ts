import { setTimeout as delay } from "node:timers/promises";
import type { MessageSender } from "../domain/courier/message-sender.ts";
import type { ClaimedMessage } from "../domain/courier/store.ts";
import { keepRunning } from "../domain/keep-running.ts";
import type { Logger } from "../domain/ports.ts";

/** How many messages a worker takes at once. Few enough that others find work, many enough to save round trips. */
const batchSize = 20;

interface CourierWorkersOptions {
  readonly sender: MessageSender;
  /** How many messages are sent at the same time. */
  readonly workers: number;
  /** How often the queue is looked at without being told to; default one second. */
  readonly pollMs?: number | undefined;
  readonly logger: Logger;
}

/** The workers of a process. */
export interface CourierWorkers {
  /** Says that there may be something to send. */
  wake(): void;
  /** Finishes the messages under way and gives back the others. */
  stop(): Promise<void>;
}

/** Starts the workers. Any number of them, in any number of processes, share the queue. */
export function startCourierWorkers(options: CourierWorkersOptions): CourierWorkers {
  const workers = Array.from({ length: options.workers }, () => new CourierWorker(options));
  return {
    wake: () => {
      for (const worker of workers) worker.wake();
    },
    stop: async () => {
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  };
}

/**
 * Sends one message after the other, and notes each before it begins the next: so when it dies, at most one message
 * is between the provider's yes and our note of it, and only that one can arrive twice.
 */
class CourierWorker {
  readonly #sender: MessageSender;
  readonly #pollMs: number;
  readonly #stopping = new AbortController();
  readonly #finished: Promise<void>;
  /** Aborted by the first wake-up since it was last looked at the queue. */
  #woken = new AbortController();

  constructor({ sender, logger, pollMs = 1_000 }: CourierWorkersOptions) {
    this.#sender = sender;
    this.#pollMs = pollMs;
    this.#finished = keepRunning(() => this.#look(), {
      signal: this.#stopping.signal,
      // A wake-up does not end these pauses: the queue is as far away as before.
      firstPauseMs: 2 * pollMs,
      longestPauseMs: 10_000,
      onFailure: (error, failures) => {
        if (failures === 1) logger.warn({ error }, "the courier cannot reach its queue; trying again");
      },
    });
  }

  wake(): void {
    this.#woken.abort();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#woken.abort();
    await this.#finished;
  }

  /** Looks at the queue once: sends what it finds, or waits until there may be something. */
  async #look(): Promise<void> {
    this.#woken = new AbortController();
    const messages = await this.#sender.claim(batchSize);
    if (messages.length > 0) {
      await this.#sendAll(messages);
      return;
    }
    const { signal } = this.#woken;
    await pause(this.#pollMs, signal);
    // Security rule (SR-ENUM-5): the work of sending does not fall into the answer of the call that asked for it, nor at a fixed time
    // after it. Otherwise the time of answers would tell whether anything was sent, hence who has an account (ASVS V6.3.8).
    if (signal.aborted) await pause(50 + 100 * Math.random(), this.#stopping.signal);
  }

  async #sendAll(messages: readonly ClaimedMessage[]): Promise<void> {
    const batch = new HeldBatch(this.#sender, messages);
    try {
      for (let next = batch.take(); next !== undefined; next = batch.take()) {
        await this.#sender.send(next);
        batch.finish();
        if (this.#stopping.signal.aborted) break;
      }
    } finally {
      await batch.giveBack();
    }
  }
}

/** Waits for so long, or until the signal is aborted. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => {});
}

/** Messages that a worker holds, whose leases it extends while it works through them. */
class HeldBatch {
  readonly #sender: MessageSender;
  readonly #timer: NodeJS.Timeout;
  #waiting: ClaimedMessage[];
  #current: ClaimedMessage | undefined;
  #renewedAt = performance.now();

  constructor(sender: MessageSender, messages: readonly ClaimedMessage[]) {
    this.#sender = sender;
    this.#waiting = [...messages];
    // It catches all that it does itself.
    this.#timer = setInterval(() => void this.#renew().catch(() => {}), sender.leaseMs / 3);
  }

  /** The next message; undefined if there is none, or if this process slept for so long that others may have them. */
  take(): ClaimedMessage | undefined {
    if (performance.now() - this.#renewedAt > (this.#sender.leaseMs * 2) / 3) this.#waiting = [];
    this.#current = this.#waiting.shift();
    return this.#current;
  }

  finish(): void {
    this.#current = undefined;
  }

  async giveBack(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sender.release(this.#waiting);
  }

  async #renew(): Promise<void> {
    const startedAt = performance.now();
    const current = this.#current;
    const mine = current === undefined ? this.#waiting : [current, ...this.#waiting];
    try {
      const held = await this.#sender.renew(mine);
      this.#waiting = this.#waiting.filter(({ id }) => held.has(id));
      this.#renewedAt = startedAt;
    } catch {
      // The database is away: the leases run out, `take` notices, and the first worker that comes goes on.
    }
  }
}
