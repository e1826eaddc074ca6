import type { MessageId } from "../ids.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { MessageRenderer, RenderedMessage } from "./delivery.ts";
import type { Outbox } from "./outbox.ts";
import type { CourierStore, KeptMessage, MessageRecord } from "./store.ts";

/** A message as the mailbox shows it. */
export interface MailboxMessage {
  readonly record: MessageRecord;
  /** Undefined if what it says is no longer kept, or its template fails. */
  readonly rendered: RenderedMessage | undefined;
  /** The link that the message is about. */
  readonly url: string | undefined;
  /** The code that the message is about. */
  readonly code: string | undefined;
}

interface Deps {
  readonly store: CourierStore;
  readonly outbox: Outbox;
  readonly renderer: MessageRenderer;
}

/** Most messages that the mailbox shows. */
const shownMessages = 100;

/** The development mailbox: what would have been sent, to be read on this machine. */
export class Mailbox {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /** The latest messages, newest first; with a recipient, those whose recipient has it in its address or number. */
  async list(tenant: Tenant, recipient?: string): Promise<readonly MailboxMessage[]> {
    const kept = await this.#deps.store.listKept(tenant, shownMessages, recipient);
    return Promise.all(kept.map((message) => this.#show(message)));
  }

  /** One message; undefined if there is none. */
  async find(tenant: Tenant, id: MessageId): Promise<MailboxMessage | undefined> {
    const kept = await this.#deps.store.findKept(tenant, id);
    return kept && this.#show(kept);
  }

  async #show({ sealedData, ...record }: KeptMessage): Promise<MailboxMessage> {
    const content = sealedData === undefined ? undefined : this.#deps.outbox.open({ ...record, sealedData });
    if (content === undefined) return { record, rendered: undefined, url: undefined, code: undefined };
    const url = "url" in content.data ? content.data.url : undefined;
    const code = "code" in content.data ? content.data.code : undefined;
    // A template that fails is the worker's to report; the page shows the rest.
    const rendered = await this.#deps.renderer
      .render(content, record.channel, record.language)
      .catch(() => undefined);
    return { record, rendered, url, code };
  }
}
