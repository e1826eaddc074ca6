import { ConcurrentIndex } from "./concurrent-index.ts";

/** Finds the messages that were never to be sent, which are kept for a shorter time than the others. */
export class SuppressedMessages extends ConcurrentIndex {
  protected override readonly index = [
    "message_suppressed",
    "ostiary.message (ended_at) WHERE state = 'suppressed'",
  ] as const;
}
