import { ConcurrentIndex } from "./concurrent-index.ts";

/** Finds the events that have an IP address or User-Agent for longer than these are kept. */
export class EventClientDetails extends ConcurrentIndex {
  protected override readonly index = [
    "event_client_details",
    "ostiary.event (created_at) WHERE ip_address IS NOT NULL OR user_agent IS NOT NULL",
  ] as const;
}
