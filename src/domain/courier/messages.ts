import { domainError, invalid } from "../errors.ts";
import { type CallOrigin, newEvent } from "../event/event.ts";
import { normaliseIdentifier } from "../identifier/normalise.ts";
import type { MessageId } from "../ids.ts";
import { hasPassed } from "../instant.ts";
import { type PageAnswer, type PageAsk, type PageTokens, readPage } from "../paging/page-tokens.ts";
import type { Clock } from "../ports.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { isProof, type MessageChannel } from "./message.ts";
import type { CourierStore, MessageFilter, MessageRecord } from "./store.ts";

interface Deps {
  readonly store: CourierStore;
  readonly pageTokens: PageTokens;
  readonly clock: Clock;
}

/** The rules of messages, as operators manage them. Operators never see the content of a message. */
export class Messages {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** Messages, newest first. */
  list(tenant: Tenant, filter: MessageFilter, page: PageAsk): Promise<PageAnswer<MessageRecord>> {
    const recipient = recipientOf(filter);
    const filters = {
      state: filter.state ?? null,
      recipient: recipient ?? null,
      identityId: filter.identityId ?? null,
      template: filter.template ?? null,
    };
    const list = { tenantId: tenant.tenantId, name: "messages", filters };
    return readPage(this.#deps.pageTokens, list, page, 500, (request) =>
      this.#deps.store.list(tenant, { ...filter, recipient }, request),
    );
  }

  /** The message with this id. Throws MESSAGE_NOT_FOUND. */
  async get(tenant: Tenant, id: MessageId): Promise<MessageRecord> {
    const message = await this.#deps.store.find(tenant, id);
    if (message === undefined) throw domainError("MESSAGE_NOT_FOUND", {});
    return message;
  }

  /**
   * Puts a failed message back into the queue. One that waits already is returned as it is. Throws
   * MESSAGE_NOT_FOUND; MESSAGE_NOT_RETRYABLE if it was sent or its code or link has ended.
   */
  async retry(tenant: Tenant, origin: CallOrigin, id: MessageId): Promise<MessageRecord> {
    const message = await this.get(tenant, id);
    if (message.state === "queued" || message.state === "sending") return message;
    const at = this.#deps.clock.now();
    this.#assertRetryable(message, at);
    const event = newEvent("message.retried", at, origin, aboutOf(message));
    return this.#requeued(tenant, id, await this.#deps.store.requeue(tenant, id, { at, event }));
  }

  /**
   * Puts failed messages of a filter back into the queue, the oldest first and at most `mostRetried`, and lets those that wait for
   * their next attempt be tried now. Those whose code or link has ended are left out.
   */
  async retryAll(
    tenant: Tenant,
    origin: CallOrigin,
    filter: MessageFilter,
  ): Promise<{ readonly retried: number; readonly hastened: number; readonly hasMore: boolean }> {
    const { store, clock } = this.#deps;
    const now = clock.now();
    const wanted = { ...filter, recipient: recipientOf(filter) };
    const hastened = filter.state === "failed" ? 0 : await store.hasten(tenant, wanted, now);
    if (filter.state === "queued") return { retried: 0, hastened, hasMore: false };
    const found = await store.listRetryable(tenant, wanted, { now, limit: mostRetried + 1 });
    let retried = 0;
    for (const message of found.slice(0, mostRetried)) {
      const event = newEvent("message.retried", now, origin, aboutOf(message));
      // Another call may have put it back meanwhile.
      if ((await store.requeue(tenant, message.id, { at: now, event })) !== undefined) retried++;
    }
    return { retried, hastened, hasMore: found.length > mostRetried };
  }

  /**
   * Sends a failed notice to another address. Throws MESSAGE_NOT_FOUND; MESSAGE_NOT_RETRYABLE if it has not failed;
   * MESSAGE_NOT_READDRESSABLE for a code or link; REQUEST_INVALID if the channel has no such address.
   */
  async readdress(
    tenant: Tenant,
    origin: CallOrigin,
    id: MessageId,
    recipient: string,
  ): Promise<MessageRecord> {
    const message = await this.get(tenant, id);
    // Security rule (SR-MAIL-2): a code or link proves that its reader has the address that it was made for. Sent elsewhere it
    // would let the reader of that mail, for example the operator, verify a foreign address or take over its account.
    if (isProof(message.template)) {
      throw domainError("MESSAGE_NOT_READDRESSABLE", { template: message.template });
    }
    const address = addressOf(message.channel, recipient);
    const at = this.#deps.clock.now();
    this.#assertRetryable(message, at);
    const event = newEvent("message.readdressed", at, origin, aboutOf(message));
    const change = { at, recipient: address, event };
    return this.#requeued(tenant, id, await this.#deps.store.requeue(tenant, id, change));
  }

  #assertRetryable(message: MessageRecord, now: Date): void {
    if (message.state !== "failed") throw domainError("MESSAGE_NOT_RETRYABLE", { state: message.state });
    if (hasPassed(message.expiresAt, now)) {
      throw domainError("MESSAGE_NOT_RETRYABLE", { state: "expired" });
    }
  }

  /** Another call may have changed the message meanwhile; then its change stands. */
  async #requeued(tenant: Tenant, id: MessageId, changed: MessageRecord | undefined): Promise<MessageRecord> {
    if (changed !== undefined) return changed;
    const { state } = await this.get(tenant, id);
    throw domainError("MESSAGE_NOT_RETRYABLE", { state });
  }
}

/** How many failed messages one call puts back. */
const mostRetried = 500;

function recipientOf({ recipient }: MessageFilter): string | undefined {
  return recipient === undefined ? undefined : normalisedOr(recipient, recipient);
}

function aboutOf({ id, identityId, template, channel }: MessageRecord) {
  return { identityId, data: { messageId: id, template, channel } };
}

function addressOf(channel: MessageChannel, text: string): string {
  const normalised = normaliseIdentifier(text);
  const wanted = channel === "email" ? "email" : "phone";
  if (normalised.kind === wanted) return normalised.value;
  const description =
    channel === "email" ? "must be an email address" : "must be a telephone number such as +491712345678";
  throw invalid({ field: "recipient", description, reason: "FORMAT" });
}

function normalisedOr(text: string, otherwise: string): string {
  const normalised = normaliseIdentifier(text);
  return normalised.kind === "problem" ? otherwise : normalised.value;
}
