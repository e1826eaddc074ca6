import type { IdentityId, MessageId } from "../ids.ts";
import type { Instant, Never } from "../instant.ts";
import type { JsonObject } from "../json.ts";
import type { Sealer } from "../ports.ts";
import {
  expiryOf,
  type MessageChannel,
  type MessageContent,
  type MessageTemplate,
  type OutgoingMessage,
} from "./message.ts";

/** A message as it is stored: what it says is sealed, where it goes is not. */
export interface SealedMessage {
  readonly id: MessageId;
  readonly createdAt: Date;
  readonly channel: MessageChannel;
  readonly template: MessageTemplate;
  readonly recipient: string;
  readonly language: string;
  readonly identityId: IdentityId | undefined;
  readonly suppressed: boolean;
  /** End of its code or link. */
  readonly expiresAt: Instant | Never;
  readonly sealedData: string;
}

const purpose = "message";

/**
 * Seals messages for the store and opens them again when they are sent.
 *
 * Security rule (SR-MAIL-3): codes and links are sealed in the queue, so that a copy of the database lets no one sign in. The id is
 * sealed with them, so that what is in one row says nothing in another.
 */
export class Outbox {
  readonly #sealer: Sealer;

  constructor({ sealer }: { readonly sealer: Sealer }) {
    this.#sealer = sealer;
  }

  /** The message as it is stored. A suppressed one is sealed as well: it must cost the same. */
  seal(message: OutgoingMessage): SealedMessage {
    const { id, data, clientData } = message;
    const plain = JSON.stringify({ id, data, clientData });
    return {
      id: message.id,
      createdAt: message.createdAt,
      channel: message.channel,
      template: message.template,
      recipient: message.recipient,
      language: message.language,
      identityId: message.identityId,
      suppressed: message.suppressed,
      expiresAt: expiryOf(message),
      sealedData: this.#sealer.seal(purpose, Buffer.from(plain)),
    };
  }

  /** Content of a stored message; undefined if its secret is gone or the row was tampered with. */
  open(message: Pick<SealedMessage, "id" | "template" | "sealedData">): MessageContent | undefined {
    const plain = this.#sealer.open(purpose, message.sealedData);
    if (plain === undefined) return undefined;
    // Sealed by us, so its form needs no checking.
    const { id, data, clientData } = JSON.parse(Buffer.from(plain).toString()) as {
      id: string;
      data: Record<string, unknown>;
      clientData?: JsonObject;
    };
    if (id !== message.id) return undefined;
    const revived = { ...data };
    for (const name of ["date", "until", "time"]) {
      const value = data[name];
      if (typeof value === "string") revived[name] = new Date(value);
    }
    return { template: message.template, data: revived, clientData } as MessageContent;
  }
}
