import type { MessageId } from "../ids.ts";
import type { TextMessageRefusal } from "../ports.ts";
import type { Attempt } from "./attempt.ts";
import type { MessageChannel, MessageContent, MessageTemplate } from "./message.ts";
import type { ClaimedMessage } from "./store.ts";

/** A message as a person reads it. */
export type RenderedMessage =
  | { readonly channel: "email"; readonly subject: string; readonly text: string; readonly html: string }
  | { readonly channel: "sms"; readonly text: string };

/** Fills in templates. Implemented in src/outbound/templates. */
export interface MessageRenderer {
  /** Throws an Error whose one line names file and line if the template fails; never with the data in it. */
  render(content: MessageContent, channel: MessageChannel, language: string): Promise<RenderedMessage>;
}

/** A rendered message with where it goes. */
export interface Delivery {
  readonly id: MessageId;
  readonly template: MessageTemplate;
  readonly language: string;
  readonly recipient: string;
  readonly message: RenderedMessage;
  /** The code or link in the message. No reason of a failure has them, see `reasonFor`. */
  readonly confidential: readonly string[];
}

/** Counts a text message that is handed on; gives why it must not be. Implemented in src/domain/throttle. */
export type TakeTextMessage = (
  message: ClaimedMessage,
) => Promise<TextMessageRefusal | "notices" | undefined>;

/** Result of delivering a message. */
export type DeliveryResult =
  | { readonly kind: "sent" }
  | {
      readonly kind: "failed";
      /** Whether trying again is pointless. */
      readonly permanent: boolean;
      /**
       * Whether the reason lies outside of the message: in the provider, the network or the configuration, which somebody will put right.
       * Such an attempt is not counted, so that no message is given up for it. Default false.
       */
      readonly isOutage?: boolean | undefined;
      /** Whether the other side said for good that it has no such address: the address is marked. Default false. */
      readonly isAddressGone?: boolean | undefined;
      /** For operators; without what the message says. */
      readonly error: string;
      /** Pause that the other side asks for. */
      readonly retryAfterMs?: number | undefined;
    };

/** Hands messages of one channel on. Implemented in src/outbound. */
export interface MessageTransport {
  /** Whether messages stay on this machine, to be read in the mailbox. Then what they say is kept. */
  readonly keepsMessages: boolean;
  /** Never rejects. Once the other side may have the message (`attempt.handOver`), nothing below tries again by itself. */
  deliver(delivery: Delivery, attempt: Attempt): Promise<DeliveryResult>;
}

/** The transport of each channel; one that is not there cannot be sent by. */
export type MessageTransports = Readonly<Partial<Record<MessageChannel, MessageTransport>>>;
