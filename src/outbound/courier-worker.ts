import { setTimeout as delay } from "node:timers/promises";
import { Attempt } from "../domain/courier/attempt.ts";
import type { MessageSender } from "../domain/courier/message-sender.ts";
import type { ClaimedMessage } from "../domain/courier/store.ts";
import type { MessageId } from "../domain/ids.ts";
import { keepRunning } from "../domain/keep-running.ts";
import type { Logger } from "../domain/ports.ts";

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
  /**
   * Takes no more messages and waits for those under way, for at most so long. Then one that was not handed over is given back, and one
   * that was stays leased for as long as its answer would have been awaited: nobody else sends it meanwhile.
   */
  stop(withinMs: number): Promise<void>;
}

/** Starts the workers. Those of any number of processes share the queue. */
export function startCourierWorkers(options: CourierWorkersOptions): CourierWorkers {
  return new Workers(options);
}

/** The end of a stop that is kept for giving messages back. */
const lastMs = 1_000;

interface UnderWay {
  readonly message: ClaimedMessage;
  readonly attempt: Attempt;
  readonly finished: Promise<void>;
}

/**
 * Takes as many messages as can be sent at once, and the next when one of them is through. Each is noted before another takes its
 * place: so when the process dies, only what it was sending is between the provider's yes and our note of it, and can arrive twice.
 */
class Workers implements CourierWorkers {
  readonly #sender: MessageSender;
  readonly #logger: Logger;
  readonly #workers: number;
  readonly #pollMs: number;
  readonly #underWay = new Map<MessageId, UnderWay>();
  readonly #stopping = new AbortController();
  readonly #finished: Promise<void>;
  readonly #renewing: NodeJS.Timeout;
  /** Aborted by the first wake-up since the queue was last looked at. */
  #woken = new AbortController();
  /** Aborted when one of those under way is through. */
  #freed = new AbortController();
  /** Whether the queue may hold more than was taken from it. */
  #mayHoldMore = true;

  constructor({ sender, workers, logger, pollMs = 1_000 }: CourierWorkersOptions) {
    this.#sender = sender;
    this.#logger = logger;
    this.#workers = workers;
    this.#pollMs = pollMs;
    // It catches all that it does itself.
    this.#renewing = setInterval(() => void this.#renew().catch(() => {}), sender.leaseMs / 3);
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

  async stop(withinMs: number): Promise<void> {
    this.#stopping.abort();
    this.#woken.abort();
    this.#freed.abort();
    const ownMs = Math.max(withinMs - lastMs, withinMs / 2);
    await this.#settled([{ finished: this.#finished }, ...this.#underWay.values()], ownMs);
    clearInterval(this.#renewing);
    await this.#leaveBehind(lastMs / 2);
  }

  /** Looks at the queue once: sends what it finds, or waits until there may be something to send and somebody to send it. */
  async #look(): Promise<void> {
    if (this.#underWay.size >= this.#workers) {
      this.#freed = new AbortController();
      await pause(60_000, this.#freed.signal);
      return;
    }
    if (!this.#mayHoldMore) {
      const { signal } = this.#woken;
      await pause(this.#pollMs, signal);
      // Security rule (SR-ENUM-5): the work of sending does not fall into the answer of the call that asked for it, nor at a fixed time
      // after it. Otherwise the time of answers would tell whether anything was sent, hence who has an account (ASVS V6.3.8).
      if (signal.aborted) await pause(50 + 100 * Math.random(), this.#stopping.signal);
      if (this.#stopping.signal.aborted) return;
    }
    this.#woken = new AbortController();
    const free = this.#workers - this.#underWay.size;
    const messages = await this.#sender.claim(free);
    if (this.#stopping.signal.aborted) return this.#sender.release(messages);
    this.#mayHoldMore = messages.length === free;
    for (const message of messages) this.#send(message);
  }

  #send(message: ClaimedMessage): void {
    const attempt = new Attempt();
    const finished = this.#sender
      .send(message, attempt)
      .catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#logger.warn(
          { messageId: message.id, error: reason },
          "what came of a message could not be noted",
        );
      })
      .finally(() => {
        this.#underWay.delete(message.id);
        this.#freed.abort();
      });
    this.#underWay.set(message.id, { message, attempt, finished });
  }

  /** Ends what is still under way. The messages that were handed over stay leased until their answer is no longer awaited. */
  async #leaveBehind(withinMs: number): Promise<void> {
    const left = [...this.#underWay.values()];
    const handedOver = left.filter(({ attempt }) => attempt.answerInMs !== undefined);
    for (const { attempt } of left) attempt.end();
    const givenBack = left.filter((each) => !handedOver.includes(each));
    const leased = handedOver.map(async ({ message, attempt }) => {
      await this.#sender.renew([message], attempt.answerInMs);
      const about = { messageId: message.id, template: message.template, channel: message.channel };
      this.#logger.warn(about, "a message was handed over, and the stop does not wait for its answer");
    });
    // The database may be away: then leases end by themselves.
    await this.#settled([...givenBack, ...leased.map((finished) => ({ finished }))], withinMs);
  }

  /** Waits until all are through, for at most so long. */
  async #settled(all: readonly { readonly finished: Promise<void> }[], withinMs: number): Promise<void> {
    if (all.length === 0) return;
    const enough = new AbortController();
    const settled = Promise.allSettled(all.map(({ finished }) => finished));
    await Promise.race([settled, pause(Math.max(0, withinMs), enough.signal)]);
    enough.abort();
  }

  async #renew(): Promise<void> {
    const mine = [...this.#underWay.values()];
    const held = await this.#sender.renew(mine.map(({ message }) => message));
    // This process slept for longer than the lease, and another one may be sending it.
    for (const { message, attempt } of mine) if (!held.has(message.id)) attempt.end();
  }
}

/** Waits for so long, or until the signal is aborted. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await delay(milliseconds, undefined, { signal }).catch(() => {});
}
