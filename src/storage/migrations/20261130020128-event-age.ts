import { ConcurrentIndex } from "./concurrent-index.ts";

/** Finds the events of a type that are older than they are kept. */
export class EventAge extends ConcurrentIndex {
  protected override readonly index = ["event_age", "ostiary.event (type, created_at)"] as const;
}
