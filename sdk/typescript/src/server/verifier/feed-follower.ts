// SPDX-License-Identifier: Apache-2.0
import { durationMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { Position } from "../../../../../gen/ostiary/common/v1/position_pb.js";
import type {
  SessionChange,
  SessionFeedService,
  WatchSessionsResponse,
} from "../../../../../gen/ostiary/session/v1/session_feed_service_pb.js";

/** Who is told of what the feed says. */
export interface FeedListener {
  /** A session, or those of an identity, have changed. */
  change(change: SessionChange): void;
  /** Changes may be missing. */
  forget(): void;
}

interface FollowerOptions {
  readonly client: Pick<Client<typeof SessionFeedService>, "watchSessions">;
  readonly listener: FeedListener;
  /** The longest time that what was heard last counts. */
  readonly maxStalenessMs: number;
  /** Told of the first failure of several in a row. */
  readonly onProblem: (error: unknown) => void;
}

/** How long the first message of a stream may take. */
const connectMs = 5_000;
const firstPauseMs = 50;
const longestPauseMs = 5_000;

/**
 * Follows WatchSessions, over as many streams as it takes, and knows how old what it has heard is. docs/session-verifier.md has the rules.
 */
export class FeedFollower {
  readonly #options: FollowerOptions;
  readonly #closing = new AbortController();
  readonly #watchdog: ReturnType<typeof setInterval>;
  #position: Position | undefined;
  /** All that was committed before then has been heard, in milliseconds of `performance.now()`. */
  #heardAt = Number.NEGATIVE_INFINITY;
  /** Since when nothing was missed. */
  #followedSince = Number.POSITIVE_INFINITY;
  /** How much the server's clock is ahead of `performance.now()`, at the most. */
  #serverAhead = 0;
  /** What the server itself may be behind, in milliseconds. */
  #serverStalenessMs = 0;
  #stream: Stream | undefined;

  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#watchdog = setInterval(() => this.#look(), options.maxStalenessMs / 2);
    unref(this.#watchdog);
    void this.#follow();
  }

  /** Whether all changes were heard up to a moment that is not longer ago than the bound. */
  isFresh(now: number): boolean {
    return now - this.#heardAt <= this.#options.maxStalenessMs;
  }

  /** Whether the feed was ever heard. */
  get isHeard(): boolean {
    return this.#position !== undefined;
  }

  /**
   * Whether an answer that was asked for at this time may be kept. Answers may be as old as the server's own bound, and a change of
   * before the feed was followed is told to nobody.
   */
  mayKeep(askedAt: number): boolean {
    const { maxStalenessMs } = this.#options;
    return askedAt >= this.#followedSince + Math.max(maxStalenessMs, this.#serverStalenessMs);
  }

  /** The log that is followed; undefined if none is yet. */
  get epoch(): bigint | undefined {
    return this.#position?.epoch;
  }

  /** The server's clock, in milliseconds: at the most, so that what ends does so rather too early. */
  serverTime(now: number): number {
    return now + this.#serverAhead;
  }

  close(): void {
    clearInterval(this.#watchdog);
    this.#closing.abort();
    this.#heardAt = Number.NEGATIVE_INFINITY;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closing;
    let failures = 0;
    while (!signal.aborted) {
      const stream = new Stream(signal);
      this.#stream = stream;
      try {
        await this.#read(stream);
        throw new Error("the stream of changes ended without a reason");
      } catch (error) {
        if (signal.aborted) return;
        if (stream.isHeard) failures = 0;
        if (failures++ === 0) this.#options.onProblem(error);
      } finally {
        stream.end();
      }
      const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(failures, 10));
      // So that all who were cut off at the same moment do not come back at the same one.
      await pause(longest * (0.5 + Math.random() / 2), signal);
    }
  }

  async #read(stream: Stream): Promise<void> {
    const { client } = this.#options;
    const after = this.#position;
    const messages = client.watchSessions(
      { ...(after && { after }) },
      { signal: stream.signal, timeoutMs: 0 },
    );
    for await (const message of messages) {
      // It was given up, and another one may be read already.
      if (stream !== this.#stream || stream.signal.aborted) return;
      this.#take(message, stream);
    }
  }

  #take(message: WatchSessionsResponse, stream: Stream): void {
    const { event, position, feedAge, sendUptime, serverTime } = message;
    const now = performance.now();
    const isFirst = this.#position === undefined;
    if (position !== undefined) {
      // Another log, although no reset says so.
      if (!isFirst && position.epoch !== this.#position?.epoch && event.case !== "reset") this.#begin(now);
      this.#position = position;
    }
    switch (event.case) {
      case "changes":
        for (const change of event.value.changes) this.#options.listener.change(change);
        break;
      case "heartbeat":
        if (event.value.interval !== undefined)
          this.#serverStalenessMs = 2 * durationMs(event.value.interval);
        break;
      // Newer servers may tell of something else.
      case "reset":
      case undefined:
        this.#begin(now);
        break;
      default:
        event satisfies never;
    }
    if (isFirst && this.#position !== undefined) this.#begin(now);
    if (sendUptime === undefined) return;
    // Last: what it says counts once the message is handled.
    const sentAt = stream.sentAt(durationMs(sendUptime), now);
    if (feedAge !== undefined) this.#heardAt = Math.max(this.#heardAt, sentAt - durationMs(feedAge));
    if (serverTime !== undefined) this.#serverAhead = timestampMs(serverTime) - sentAt;
  }

  /** Nothing is known of what was before. */
  #begin(now: number): void {
    this.#followedSince = now;
    this.#options.listener.forget();
  }

  /** Gives a stream up that is silent, or whose messages come late. */
  #look(): void {
    const stream = this.#stream;
    if (stream?.isLate(performance.now(), this.#options.maxStalenessMs) === true) stream.end();
  }
}

/** One stream, while it is read. */
class Stream {
  readonly signal: AbortSignal;
  readonly #ending = new AbortController();
  readonly #askedAt = performance.now();
  /** What is added to the uptime of the server to have a time of here, at the least. */
  #offset = Number.POSITIVE_INFINITY;
  #heardAt: number | undefined;
  #delayMs = 0;

  constructor(closing: AbortSignal) {
    this.signal = AbortSignal.any([closing, this.#ending.signal]);
  }

  /** Whether a message has come. */
  get isHeard(): boolean {
    return this.#heardAt !== undefined;
  }

  /**
   * When a message was sent, at the earliest. Neither clock is believed to be right, only to go: the first message was sent after the
   * stream was asked for, and none was sent after it arrived. So a message that was held up on its way does not seem to be new.
   */
  sentAt(uptimeMs: number, now: number): number {
    if (this.#heardAt === undefined) this.#offset = this.#askedAt - uptimeMs;
    this.#heardAt = now;
    this.#offset = Math.min(this.#offset, now - uptimeMs);
    this.#delayMs = now - (uptimeMs + this.#offset);
    return uptimeMs + this.#offset;
  }

  /** Whether another stream would do better. */
  isLate(now: number, maxStalenessMs: number): boolean {
    if (this.#heardAt === undefined) return now - this.#askedAt > Math.max(connectMs, maxStalenessMs);
    return now - this.#heardAt > maxStalenessMs || this.#delayMs > maxStalenessMs / 2;
  }

  end(): void {
    this.#ending.abort();
  }
}

/** Waits, at most until the signal. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    unref(timer);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Has a timer not keep the process alive, in runtimes where it would. */
export function unref(timer: unknown): void {
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function") {
    timer.unref();
  }
}
