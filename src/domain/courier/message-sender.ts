import { randomUUID } from "node:crypto";
import { newEvent, serverOrigin } from "../event/event.ts";
import type { MessageId } from "../ids.ts";
import { hasPassed } from "../instant.ts";
import type { Clock, Logger } from "../ports.ts";
import type { Attempt } from "./attempt.ts";
import type {
  DeliveryResult,
  MessageRenderer,
  MessageTransports,
  RenderedMessage,
  TakeTextMessage,
} from "./delivery.ts";
import { type MarkRefusal, markRefusal } from "./mark-refusal.ts";
import type { MessageContent } from "./message.ts";
import { Outages } from "./outages.ts";
import type { Outbox } from "./outbox.ts";
import { oneLine } from "./reason.ts";
import { delayAfter, delayOfWaiting, type RetryPolicy } from "./retry.ts";
import type { ClaimedMessage, CourierStore } from "./store.ts";

/** For how long a worker that died keeps its messages from others. */
const messageLeaseMs = 30_000;

interface Deps {
  readonly store: CourierStore;
  readonly outbox: Outbox;
  readonly renderer: MessageRenderer;
  readonly transports: MessageTransports;
  readonly takeTextMessage: TakeTextMessage;
  /** Notes that the other side has no such address as that of a message. */
  readonly noteAddressGone: (message: ClaimedMessage, reason: string) => Promise<void>;
  readonly retry: RetryPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default `messageLeaseMs`. */
  readonly leaseMs?: number | undefined;
  /** A number between 0 and 1; default a random one. */
  readonly chance?: (() => number) | undefined;
}

type Failed = DeliveryResult & { readonly kind: "failed"; readonly reason?: MarkRefusal["reason"] };

/** Sends messages: decides which are no longer sent, which are tried again, and which are given up. */
export class MessageSender {
  readonly #deps: Deps;
  readonly #outages: Outages;
  /** Messages that this process cannot open, and until when it leaves them to others. */
  readonly #leftToOthers = new Map<MessageId, number>();

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#outages = new Outages(deps.logger, 2 * deps.retry.maxDelayMs);
  }

  /** The lease of a claimed message. */
  get leaseMs(): number {
    return this.#deps.leaseMs ?? messageLeaseMs;
  }

  /** Takes messages that are due. */
  claim(limit: number): Promise<readonly ClaimedMessage[]> {
    const now = this.#deps.clock.now();
    for (const [id, until] of this.#leftToOthers) if (until <= now.getTime()) this.#leftToOthers.delete(id);
    const except = [...this.#leftToOthers.keys()];
    return this.#deps.store.claim({ now, leaseMs: this.leaseMs, leaseToken: randomUUID(), limit, except });
  }

  /** Extends the leases of messages that are under way; gives the ids of those that are still held. Default: by `leaseMs`. */
  renew(messages: readonly ClaimedMessage[], leaseMs = this.leaseMs): Promise<ReadonlySet<MessageId>> {
    return this.#deps.store.renew(messages, leaseMs);
  }

  /** Gives messages back, untried. */
  async release(messages: readonly ClaimedMessage[]): Promise<void> {
    if (messages.length > 0) await this.#deps.store.release(messages, this.#deps.clock.now());
  }

  /**
   * Sends a message, once, and notes what came of it. Rejects only if that cannot be noted: the lease then runs out
   * and the message is tried again. An attempt that is ended from outside gives the message back untried; but one that was handed
   * over stays as it is, because nobody knows whether it arrived.
   */
  async send(message: ClaimedMessage, attempt: Attempt): Promise<void> {
    const transport = this.#deps.transports[message.channel];
    const result = await this.#attempt(message, attempt);
    const at = this.#deps.clock.now();
    const about = aboutOf(message);
    if (result.kind === "sent") {
      const event = newEvent("message.sent", this.#deps.clock.now(), serverOrigin, eventOf(message));
      const keepData = transport?.keepsMessages === true;
      if (!(await this.#deps.store.recordSent(message, { at, keepData, event }))) {
        this.#deps.logger.warn(about, "a message was sent after its lease had ended: it may arrive twice");
      }
      return;
    }
    if (attempt.signal.aborted) {
      if (attempt.answerInMs === undefined) await this.release([message]);
      return;
    }
    const error = oneLine(result.error);
    const isCounted = result.isOutage !== true;
    if (result.permanent || (isCounted && message.attempts >= this.#deps.retry.maxAttempts)) {
      this.#deps.logger.warn({ ...about, error }, "a message was given up");
      const { reason } = result;
      const { identityId, data } = eventOf(message);
      const event = newEvent("message.failed", this.#deps.clock.now(), serverOrigin, {
        identityId,
        data: { ...data, attempts: message.attempts, ...(reason && { reason }) },
      });
      await this.#deps.store.recordFailed(message, { at, error, event });
      if (result.isAddressGone === true) await this.#deps.noteAddressGone(message, error);
      return;
    }
    this.#deps.logger.debug({ ...about, error }, "a message could not be sent and is tried again");
    const isLeft = this.#leftToOthers.has(message.id);
    const nextAttemptAt = isLeft ? at : new Date(at.getTime() + this.#pauseAfter(message, result, at));
    await this.#deps.store.recordRetry(message, { at, nextAttemptAt, error, isCounted });
  }

  async #attempt(message: ClaimedMessage, attempt: Attempt): Promise<{ readonly kind: "sent" } | Failed> {
    // Attempts are counted when a message is taken, so one that kills its worker each time comes to an end too.
    if (message.attempts > this.#deps.retry.maxAttempts)
      return givenUp("its attempts ended without an answer", message);
    // Security rule (SR-MAIL-2): an expired code is not sent: it would only teach people to expect mails with codes.
    if (hasPassed(message.expiresAt, this.#deps.clock.now())) return givenUp("expired", message);
    const marked = markRefusal(message, this.#deps.clock.now());
    if (marked !== undefined) return { ...givenUp(marked.error, message), reason: marked.reason };
    const transport = this.#deps.transports[message.channel];
    if (transport === undefined) {
      const key = `tenant_defaults.courier.${message.channel}`;
      return this.#waits(message.channel, `no delivery is configured for ${message.channel}: ${key}`);
    }
    const content = this.#deps.outbox.open(message);
    if (content === undefined) return this.#leave(message);
    if (message.lastError?.startsWith(unopened)) this.#outages.works(unopened);
    const template = `the template ${message.template}`;
    let rendered: RenderedMessage;
    try {
      rendered = await this.#deps.renderer.render(content, message.channel, message.language);
    } catch (error) {
      // The template may be corrected, or the machine was too busy for its time limit.
      const reason = error instanceof Error ? error.message : String(error);
      return this.#waits(template, `its template failed: ${reason}`);
    }
    this.#outages.works(template);
    if (rendered.channel === "sms") {
      const refused = await this.#refusalOf(message);
      if (refused !== undefined) return refused;
    }
    const { id, language, recipient } = message;
    const confidential = confidentialOf(content);
    const delivery = { id, template: message.template, language, recipient, message: rendered, confidential };
    // As late as can be: what is not handed to a transport is given back at a stop.
    if (attempt.signal.aborted) return { kind: "failed", permanent: false, error: "the server stops" };
    const result = await transport.deliver(delivery, attempt);
    if (result.kind === "failed" && result.isOutage === true) {
      if (!attempt.signal.aborted) this.#outages.failed(message.channel, result);
    } else this.#outages.works(message.channel);
    return result;
  }

  /** A message waits for something that somebody must put right. */
  #waits(what: string, error: string): Failed {
    this.#outages.failed(what, { error });
    return { kind: "failed", permanent: false, isOutage: true, error };
  }

  /** Another process may have the secret, so the message is due at once, for others; or this one may get it. */
  #leave(message: ClaimedMessage): Failed {
    const result = this.#waits(unopened, `${unopened}: is a sealing secret missing?`);
    const now = this.#deps.clock.now();
    const pauseMs = Math.min(this.#pauseAfter(message, result, now), longestLeftMs);
    // Beyond this many it looks at them again sooner.
    if (this.#leftToOthers.size < mostLeft) this.#leftToOthers.set(message.id, now.getTime() + pauseMs);
    return result;
  }

  /** The other side may ask for a longer pause than ours, up to the longest. */
  #pauseAfter({ attempts, createdAt }: ClaimedMessage, result: Failed, at: Date): number {
    const { retry, chance = Math.random } = this.#deps;
    const waitedMs = at.getTime() - createdAt.getTime();
    const ownMs = result.isOutage
      ? delayOfWaiting(retry, waitedMs, chance())
      : delayAfter(retry, attempts, chance());
    return Math.max(ownMs, Math.min(result.retryAfterMs ?? 0, retry.maxDelayMs));
  }

  /** Why a text message is not handed on. Each try counts: a provider may have sent what it did not confirm. */
  async #refusalOf(message: ClaimedMessage): Promise<Failed | undefined> {
    const refusal = await this.#deps.takeTextMessage(message);
    switch (refusal) {
      case undefined:
        return undefined;
      case "country":
        return givenUp("its country is not among tenant_defaults.courier.sms.countries", message);
      case "notices":
        return givenUp("the day's notices of this kind to its account by text message are used up", message);
      case "budget": {
        const error =
          "the day's messages to its country are used up: tenant_defaults.courier.sms.daily_budget";
        return { kind: "failed", permanent: false, error };
      }
      default:
        return refusal satisfies never;
    }
  }
}

/** How many messages that it cannot open a process leaves to others, and for how long at most: to look again costs little. */
const mostLeft = 1_000;
const longestLeftMs = 30_000;

/** What cannot be opened by this process. Begins the reason of such messages. */
const unopened = "its content cannot be opened";

function aboutOf({ id, template, channel }: ClaimedMessage) {
  return { messageId: id, template, channel };
}

/** What its events say. */
function eventOf(message: ClaimedMessage) {
  return { identityId: message.identityId, data: aboutOf(message) };
}

/** What must appear in no reason of a failure. */
function confidentialOf({ data }: MessageContent): readonly string[] {
  return [...("code" in data ? [data.code] : []), ...("url" in data ? [data.url] : [])].filter(
    (text) => text !== "",
  );
}

/** The reason of the attempt before stays beside one that says nothing of why the message was not sent in time. */
function givenUp(why: string, { lastError }: ClaimedMessage): Failed {
  return {
    kind: "failed",
    permanent: true,
    error: lastError === undefined ? why : `${why}; before: ${lastError}`,
  };
}
