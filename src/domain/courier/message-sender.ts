import { randomUUID } from "node:crypto";
import { type EventType, newEvent, serverOrigin } from "../event/event.ts";
import type { MessageId } from "../ids.ts";
import { hasPassed } from "../instant.ts";
import type { Clock, Logger } from "../ports.ts";
import type {
  DeliveryResult,
  MessageRenderer,
  MessageTransports,
  RenderedMessage,
  TakeTextMessage,
} from "./delivery.ts";
import type { Outbox } from "./outbox.ts";
import { delayAfter, type RetryPolicy } from "./retry.ts";
import type { ClaimedMessage, CourierStore } from "./store.ts";

/** For how long a worker that died keeps its messages from others. */
const messageLeaseMs = 30_000;

interface Deps {
  readonly store: CourierStore;
  readonly outbox: Outbox;
  readonly renderer: MessageRenderer;
  readonly transports: MessageTransports;
  readonly takeTextMessage: TakeTextMessage;
  readonly retry: RetryPolicy;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Default `messageLeaseMs`. */
  readonly leaseMs?: number | undefined;
  /** A number between 0 and 1; default a random one. */
  readonly chance?: (() => number) | undefined;
}

/** Sends messages: decides which are no longer sent, which are tried again, and which are given up. */
export class MessageSender {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The lease of a claimed message. */
  get leaseMs(): number {
    return this.#deps.leaseMs ?? messageLeaseMs;
  }

  /** Takes messages that are due. */
  claim(limit: number): Promise<readonly ClaimedMessage[]> {
    const now = this.#deps.clock.now();
    return this.#deps.store.claim({ now, leaseUntil: this.#leaseEnd(now), leaseToken: randomUUID(), limit });
  }

  /** Extends the leases of messages that still wait; gives the ids of those that are still held. */
  renew(messages: readonly ClaimedMessage[]): Promise<ReadonlySet<MessageId>> {
    return this.#deps.store.renew(messages, this.#leaseEnd(this.#deps.clock.now()));
  }

  /** Gives messages back, untried. */
  async release(messages: readonly ClaimedMessage[]): Promise<void> {
    if (messages.length > 0) await this.#deps.store.release(messages, this.#deps.clock.now());
  }

  /**
   * Sends a message, once, and notes what came of it. Rejects only if that cannot be noted: the lease then runs out
   * and the message is tried again.
   */
  async send(message: ClaimedMessage): Promise<void> {
    const transport = this.#deps.transports[message.channel];
    const result = await this.#attempt(message);
    const at = this.#deps.clock.now();
    const about = { messageId: message.id, template: message.template, channel: message.channel };
    if (result.kind === "sent") {
      const event = this.#event("message.sent", message);
      const keepData = transport?.keepsMessages === true;
      if (!(await this.#deps.store.recordSent(message, { at, keepData, event }))) {
        this.#deps.logger.warn(about, "a message was sent after its lease had ended: it may arrive twice");
      }
      return;
    }
    const error = oneLine(result.error);
    if (result.permanent || message.attempts >= this.#deps.retry.maxAttempts) {
      this.#deps.logger.warn({ ...about, error }, "a message was given up");
      const event = this.#event("message.failed", message, { attempts: message.attempts });
      await this.#deps.store.recordFailed(message, { at, error, event });
      return;
    }
    this.#deps.logger.debug({ ...about, error }, "a message could not be sent and is tried again");
    const delayMs = delayAfter(this.#deps.retry, message.attempts, (this.#deps.chance ?? Math.random)());
    const nextAttemptAt = new Date(at.getTime() + Math.max(delayMs, waitAsked(result, this.#deps.retry)));
    await this.#deps.store.recordRetry(message, { at, nextAttemptAt, error });
  }

  async #attempt(message: ClaimedMessage): Promise<DeliveryResult> {
    // Attempts are counted when a message is taken, so one that kills its worker each time comes to an end too.
    if (message.attempts > this.#deps.retry.maxAttempts)
      return givenUp("its attempts ended without an answer");
    // Security rule (SR-MAIL-2): an expired code is not sent: it would only teach people to expect mails with codes.
    if (hasPassed(message.expiresAt, this.#deps.clock.now())) return givenUp("expired");
    const transport = this.#deps.transports[message.channel];
    if (transport === undefined) {
      return givenUp(`no delivery is configured for ${message.channel}: tenant_defaults.courier`);
    }
    const content = this.#deps.outbox.open(message);
    if (content === undefined) return givenUp("its content cannot be opened: is the sealing secret gone?");
    let rendered: RenderedMessage;
    try {
      rendered = await this.#deps.renderer.render(content, message.channel, message.language);
    } catch (error) {
      // The template may be corrected, or the machine was too busy for its time limit.
      const reason = error instanceof Error ? error.message : String(error);
      return { kind: "failed", permanent: false, error: `its template failed: ${reason}` };
    }
    if (rendered.channel === "sms") {
      const refused = await this.#refusalOf(message);
      if (refused !== undefined) return refused;
    }
    const { id, template, language, recipient } = message;
    return transport.deliver({ id, template, language, recipient, message: rendered });
  }

  /** Why a text message is not handed on. Each try counts: a provider may have sent what it did not confirm. */
  async #refusalOf(message: ClaimedMessage): Promise<DeliveryResult | undefined> {
    const refusal = await this.#deps.takeTextMessage(message);
    switch (refusal) {
      case undefined:
        return undefined;
      case "country":
        return givenUp("its country is not among tenant_defaults.courier.sms.countries");
      case "notices":
        return givenUp("the day's notices of this kind to its account by text message are used up");
      case "budget": {
        const error =
          "the day's messages to its country are used up: tenant_defaults.courier.sms.daily_budget";
        return { kind: "failed", permanent: false, error };
      }
      default:
        return refusal satisfies never;
    }
  }

  #event(type: EventType, message: ClaimedMessage, data: { attempts?: number } = {}) {
    return newEvent(type, this.#deps.clock.now(), serverOrigin, {
      identityId: message.identityId,
      data: { message_id: message.id, template: message.template, channel: message.channel, ...data },
    });
  }

  #leaseEnd(now: Date): Date {
    return new Date(now.getTime() + this.leaseMs);
  }
}

function givenUp(error: string): DeliveryResult {
  return { kind: "failed", permanent: true, error };
}

/** The other side may ask for a longer pause, up to the longest of ours. */
function waitAsked(result: DeliveryResult & { kind: "failed" }, retry: RetryPolicy): number {
  return Math.min(result.retryAfterMs ?? 0, retry.maxDelayMs);
}

function oneLine(text: string): string {
  return text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .trim()
    .slice(0, 500);
}
