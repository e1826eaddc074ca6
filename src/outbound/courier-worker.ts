import type { MessageSender } from "../domain/courier/message-sender.ts";
import type { ClaimedMessage } from "../domain/courier/store.ts";
import type { Logger } from "../domain/ports.ts";

/** Messages that a worker takes at once: few enough that others find work, many enough to save round trips. */
const batchSize = 20;
const longestPauseMs = 10_000;

interface CourierWorkersOptions {
  readonly sender: MessageSender;
  /** Number of messages that are sent at the same time. */
  readonly workers: number;
  /** Interval of looking into the queue without a wake-up. Default 1 s. */
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
  readonly #logger: Logger;
  readonly #pollMs: number;
  readonly #finished: Promise<void>;
  #stopping = false;
  #woken = false;
  #wake: (() => void) | undefined;
  #failures = 0;

  constructor({ sender, logger, pollMs = 1_000 }: CourierWorkersOptions) {
    this.#sender = sender;
    this.#logger = logger;
    this.#pollMs = pollMs;
    // A worker that fails ends neither the other workers nor the process.
    this.#finished = this.#run().catch((error: unknown) => {
      logger.error({ err: error }, "a worker of the courier ended");
    });
  }

  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    await this.#finished;
  }

  async #run(): Promise<void> {
    while (!this.#stopping) {
      this.#woken = false;
      let found = false;
      try {
        const messages = await this.#sender.claim(batchSize);
        found = messages.length > 0;
        if (found) await this.#sendAll(messages);
        this.#failures = 0;
      } catch (error) {
        this.#reportFailure(error);
      }
      if (!found || this.#failures > 0) await this.#pause();
    }
  }

  async #sendAll(messages: readonly ClaimedMessage[]): Promise<void> {
    const batch = new HeldBatch(this.#sender, messages);
    try {
      for (let next = batch.take(); next !== undefined; next = batch.take()) {
        await this.#sender.send(next);
        batch.finish();
        if (this.#stopping) break;
      }
    } finally {
      await batch.giveBack();
    }
  }

  /** The database is away: said once, and asked again after growing pauses. */
  #reportFailure(error: unknown): void {
    this.#failures++;
    if (this.#failures > 1) return;
    const reason = error instanceof Error ? error.message : String(error);
    this.#logger.warn({ error: reason }, "the courier cannot reach its queue; trying again");
  }

  async #pause(): Promise<void> {
    const failed = this.#failures > 0;
    // After a failure a wake-up changes nothing: the queue is as far away as before.
    if (failed || !this.#woken) {
      const milliseconds = Math.min(longestPauseMs, this.#pollMs * 2 ** Math.min(this.#failures, 10));
      await this.#sleep(milliseconds, () => !failed || this.#stopping);
    }
    // Security rule (SR-ENUM-5): the work of sending does not fall into the answer of the call that asked for it, nor at a fixed time
    // after it. Otherwise the time of answers would tell whether anything was sent, hence who has an account (ASVS V6.3.8).
    if (this.#woken) await this.#sleep(50 + 100 * Math.random(), () => this.#stopping);
  }

  /** Waits; a wake-up ends it early where `isOver` says so. */
  async #sleep(milliseconds: number, isOver: () => boolean): Promise<void> {
    if (this.#stopping) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        if (!isOver()) return;
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
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
      // The database is away: the leases run out, `take` notices, and the next worker takes the messages.
    }
  }
}
