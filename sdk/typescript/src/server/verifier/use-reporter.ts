// SPDX-License-Identifier: Apache-2.0
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Client } from "@connectrpc/connect";
import type { SessionFeedService } from "../../../../../gen/ostiary/session/v1/session_feed_service_pb.js";
import { unref } from "./feed-follower.ts";

const intervalMs = 15_000;
const mostInReport = 1_000;
const mostWaiting = 100_000;
/** The longest that the contract takes. */
const longestAgeMs = 3_600_000;

/** Tells Ostiary now and then which sessions were used, so that their idle time begins anew. */
export class UseReporter {
  readonly #client: Pick<Client<typeof SessionFeedService>, "reportSessionUses">;
  readonly #timer: ReturnType<typeof setInterval>;
  /** When each session was used, in milliseconds of `performance.now()`. */
  #waiting = new Map<string, number>();
  #reporting: Promise<void> | undefined;

  constructor(client: Pick<Client<typeof SessionFeedService>, "reportSessionUses">) {
    this.#client = client;
    this.#timer = setInterval(() => void this.report(), intervalMs);
    unref(this.#timer);
  }

  /** Notes a use. What is too much is not noted: its idle time is then known less well. */
  note(sessionId: string, usedAt: number): void {
    if (this.#waiting.size < mostWaiting) this.#waiting.set(sessionId, usedAt);
  }

  /** Reports what was noted. Never rejects: what could not be reported is kept for the next time. */
  report(): Promise<void> {
    this.#reporting ??= this.#reportAll().finally(() => {
      this.#reporting = undefined;
    });
    return this.#reporting;
  }

  /** Reports once more. */
  close(): Promise<void> {
    clearInterval(this.#timer);
    return this.report();
  }

  async #reportAll(): Promise<void> {
    const waiting = [...this.#waiting];
    this.#waiting = new Map();
    for (let start = 0; start < waiting.length; start += mostInReport) {
      const now = performance.now();
      const uses = waiting.slice(start, start + mostInReport).map(([sessionId, usedAt]) => ({
        sessionId,
        age: durationFromMs(Math.round(Math.min(now - usedAt, longestAgeMs))),
      }));
      try {
        await this.#client.reportSessionUses({ uses });
      } catch {
        // The follower meets the same server, and tells of it. A use that is reported late is an earlier one.
        for (const [id, usedAt] of waiting.slice(start)) if (!this.#waiting.has(id)) this.note(id, usedAt);
        return;
      }
    }
  }
}
