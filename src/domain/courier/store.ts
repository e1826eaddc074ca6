import type { Event } from "../event/event.ts";
import type { IdentityId, MessageId, TenantId } from "../ids.ts";
import type { Instant, Never } from "../instant.ts";
import type { Page, PageRequest, TenantScope } from "../ports.ts";
import type { MessageChannel, MessageTemplate } from "./message.ts";
import type { SealedMessage } from "./outbox.ts";

/** State of a message. A suppressed message is never shown, so it has none here. */
export type MessageState = "queued" | "sending" | "sent" | "failed";

/** What became of a message that was sent, as far as somebody has told. Each outweighs those before it. */
export type MessageArrival = "delivered" | "bounced" | "complained";

/** What operators and senders know of an e-mail address. */
export interface AddressMark {
  /** Normalised. */
  readonly value: string;
  readonly updatedAt: Date;
  /** When mail last came back for good. */
  readonly bouncedAt: Date | undefined;
  /** What was said then. */
  readonly bounceReason: string | undefined;
  /** When mail last came back that is sent to any address, whether or not somebody has it. */
  readonly openAt: Date | undefined;
  /** When its reader last complained of a mail. */
  readonly complainedAt: Date | undefined;
}

/** A stored message without what it says. */
export interface MessageRecord {
  readonly id: MessageId;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly state: MessageState;
  readonly channel: MessageChannel;
  readonly template: MessageTemplate;
  readonly recipient: string;
  readonly language: string;
  readonly identityId: IdentityId | undefined;
  /** Number of attempts, the one under way included; without those that failed for a reason outside of the message. */
  readonly attempts: number;
  /** Time of the next attempt; while it is being sent, the time at which another worker may take over. */
  readonly nextAttemptAt: Date | undefined;
  readonly expiresAt: Instant | Never;
  /** Time at which it was sent or given up. */
  readonly endedAt: Date | undefined;
  /** Reason of the last failure, for operators; holds no secrets. */
  readonly lastError: string | undefined;
  /** Undefined: nobody has told. */
  readonly arrival: MessageArrival | undefined;
  /** Time of what `arrival` says, by who told of it. */
  readonly arrivalAt: Date | undefined;
  /** What was said of it, for operators; as `lastError`. */
  readonly arrivalReason: string | undefined;
}

/** A message that a worker holds a lease on. */
export interface ClaimedMessage extends SealedMessage {
  readonly tenantId: TenantId;
  readonly attempts: number;
  readonly leaseToken: string;
  /** Why the attempt before failed. */
  readonly lastError: string | undefined;
  /** What is known of its recipient; undefined: nothing. */
  readonly mark: Omit<AddressMark, "value" | "updatedAt" | "bounceReason"> | undefined;
}

/** Names a claimed message and the lease on it. */
export type Lease = Pick<ClaimedMessage, "tenantId" | "id" | "leaseToken">;

/** Which messages to list. */
export interface MessageFilter {
  readonly state?: MessageState | undefined;
  readonly recipient?: string | undefined;
  readonly identityId?: IdentityId | undefined;
  readonly template?: MessageTemplate | undefined;
  readonly channel?: MessageChannel | undefined;
  /** A part of the reason of the last failure, in upper or lower case. */
  readonly errorContains?: string | undefined;
}

/** A message with what it says, as far as that is still kept. */
export interface KeptMessage extends MessageRecord {
  /** Undefined once it has left the machine. */
  readonly sealedData: string | undefined;
}

/**
 * The queue of messages. Implemented in src/storage/message-store.ts; each method is one statement. What workers do
 * is for all tenants at once, and so takes no scope.
 */
export interface CourierStore {
  /** Stores messages that belong to no other change, and wakes the workers. */
  enqueue(scope: TenantScope, messages: readonly SealedMessage[]): Promise<void>;
  /**
   * Takes messages that are due, or whose lease has run out, for so long, and counts the attempt. Two workers never get the same
   * one: leases begin and end by the database's clock, so that it does not matter how far the clocks of processes are apart.
   */
  claim(request: {
    readonly now: Date;
    readonly leaseMs: number;
    readonly leaseToken: string;
    readonly limit: number;
    /** Messages that are left to others. */
    readonly except: readonly MessageId[];
  }): Promise<readonly ClaimedMessage[]>;
  /** Lets leases end in so long from now; gives the ids of the messages that are still held. */
  renew(leases: readonly Lease[], leaseMs: number): Promise<ReadonlySet<MessageId>>;
  /** Gives messages back untried. */
  release(leases: readonly Lease[], now: Date): Promise<void>;
  /** Notes that a message was sent, with its event; forgets what it said unless it is to be kept. */
  recordSent(
    lease: Lease,
    change: { readonly at: Date; readonly keepData: boolean; readonly event: Event },
  ): Promise<boolean>;
  /** Notes why an attempt failed and when the next one is; takes the attempt back unless it is counted. */
  recordRetry(
    lease: Lease,
    change: {
      readonly at: Date;
      readonly nextAttemptAt: Date;
      readonly error: string;
      readonly isCounted: boolean;
    },
  ): Promise<boolean>;
  /** Notes that a message is given up, with its event. */
  recordFailed(
    lease: Lease,
    change: { readonly at: Date; readonly error: string; readonly event: Event },
  ): Promise<boolean>;
  /** The message with this id; undefined if there is none or it is suppressed. */
  find(scope: TenantScope, id: MessageId): Promise<MessageRecord | undefined>;
  /** Messages, newest first, without the suppressed ones. */
  list(scope: TenantScope, filter: MessageFilter, page: PageRequest): Promise<Page<MessageRecord>>;
  /** Messages that failed and whose code or link has not ended, the oldest first. */
  listRetryable(
    scope: TenantScope,
    filter: MessageFilter,
    request: { readonly now: Date; readonly limit: number },
  ): Promise<readonly MessageRecord[]>;
  /** Lets messages that wait for their next attempt be tried now; gives how many. */
  hasten(scope: TenantScope, filter: MessageFilter, now: Date): Promise<number>;
  /**
   * Messages with what they say, newest first, for the development mailbox; with a recipient, those whose recipient has it in its address
   * or number, in upper or lower case.
   */
  listKept(scope: TenantScope, limit: number, recipient?: string): Promise<readonly KeptMessage[]>;
  /** One of them; undefined if there is none or it is suppressed. */
  findKept(scope: TenantScope, id: MessageId): Promise<KeptMessage | undefined>;
  /**
   * Puts a failed message back into the queue as if it had never been tried, with its event, to another recipient if
   * one is given. Undefined if there is no such message or it has not failed.
   */
  requeue(
    scope: TenantScope,
    id: MessageId,
    change: { readonly at: Date; readonly recipient?: string | undefined; readonly event: Event },
  ): Promise<MessageRecord | undefined>;
}

/** What somebody told of a message. */
export interface ArrivalReport {
  readonly messageId: MessageId;
  readonly arrival: MessageArrival;
  /** Whom the mail did not reach, or whose complaint it is; normalised. Undefined where that is not said: then nobody is marked. */
  readonly recipient: string | undefined;
  readonly reason: string | undefined;
}

/** Where it is kept whether mail arrives. Implemented in src/storage/mark-store.ts; each method is one statement. */
export interface MarkStore {
  /**
   * Notes what became of a message, and marks its recipient. Does nothing and gives undefined if the message was not sent, is gone, or
   * if as much is known: a report may come twice, and before an earlier one.
   */
  record(
    scope: TenantScope,
    report: ArrivalReport,
    change: { readonly at: Date; readonly event: Event | undefined },
  ): Promise<{ readonly isMarked: boolean } | undefined>;
  /** The marks of some addresses, as far as there are any. */
  find(scope: TenantScope, values: readonly string[]): Promise<readonly AddressMark[]>;
  /** Removes the marks of an address; with `bounceOnly` the bounce alone, and a complaint stays. Gives whether there was a mark. */
  clear(
    scope: TenantScope,
    value: string,
    change: { readonly at: Date; readonly bounceOnly: boolean; readonly event: Event | undefined },
  ): Promise<boolean>;
  /** Marks, by address. */
  list(scope: TenantScope, page: PageRequest): Promise<Page<AddressMark>>;
}
