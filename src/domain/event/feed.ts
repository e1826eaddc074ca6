import type { IdentityId, SessionId, TenantId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import type { EventType } from "./event.ts";

/**
 * Where the event log stands: everything that was committed by a transaction up to `sequence`, which is a transaction's number, is
 * included. Numbers are compared within an epoch alone: another one means another log, for example a restored backup.
 */
export interface FeedPosition {
  readonly epoch: bigint;
  readonly sequence: bigint;
}

/** An event as followers of the feed are told of it. */
export interface FeedEvent {
  readonly tenantId: TenantId;
  readonly type: EventType;
  readonly identityId: IdentityId | undefined;
  readonly sessionId: SessionId | undefined;
  /** What its type says: EventData. */
  readonly data: JsonObject;
  /** The number of the transaction that wrote it: the `sequence` of a position that includes it is at least as great. */
  readonly sequence: bigint;
}

/** Who follows the feed. Called synchronously, in the order of the reads; must not throw. */
export interface FeedFollower {
  /**
   * After each read of the log, also one that found nothing: the events that have become visible since the read before, each once, in
   * the order in which they were written, and where the feed stands now. One whose transaction took long comes after later ones. Of very
   * many each call has a part, and the position moves with the last one.
   */
  heard(events: readonly FeedEvent[], position: FeedPosition): void;
  /** Events may be missing, or the log is another one: what was kept is to be forgotten. Also before the first read. The feed goes on. */
  reset(): void;
}

/** The event log as it is written, of all tenants: one reader for each process, for all who follow. */
export interface EventFeed {
  /** Follows from the next read on; returns what ends it. */
  follow(follower: FeedFollower): () => void;
  /** Where the last read ended; undefined before the first. */
  readonly position: FeedPosition | undefined;
  /**
   * When the last read that succeeded was begun, in milliseconds of `performance.now()`: what was committed before then has been told.
   * -Infinity before the first.
   */
  readonly heardAt: number;
  /** Reads as soon as possible: something was written. */
  wake(): void;
}
