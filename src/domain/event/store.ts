import type { IdentityId } from "../ids.ts";
import type { Page, PageRequest, TenantScope } from "../ports.ts";
import type { Event } from "./event.ts";
import type { LoginEvent } from "./login-history.ts";

/** A place in the event log. Opaque to everyone but the store. */
export interface EventCursor {
  /** Changes when the log is not the continuation of what a reader has seen, for example a restored dump. */
  readonly epoch: string;
  /** The writing transaction's xid8, as a decimal. */
  readonly transactionId: string;
  /** The row's number, as a decimal. */
  readonly position: string;
}

/** What reading from a cursor brings. */
export type EventsRead =
  | {
      readonly kind: "read";
      /** Oldest first. */
      readonly events: readonly RecordedEvent[];
      /** Where to go on, also where there was no event. */
      readonly next: EventCursor;
    }
  /** Events after the cursor were removed, because they are not kept for so long: what was read before does not lead to what is there. */
  | { readonly kind: "too_old" };

/** An event that was read back. */
export interface RecordedEvent extends Event {
  readonly cursor: EventCursor;
}

/** The event log. Implemented in src/storage/event-store.ts. */
export interface EventStore {
  /** Writes events that belong to no other change, for example a password that was checked. */
  append(scope: TenantScope, events: readonly Event[]): Promise<void>;
  /** The same of events that were gathered in memory. */
  appendGathered(scope: TenantScope, events: readonly Event[]): Promise<void>;
  /**
   * Events after the cursor (undefined, or of another epoch: from the beginning), at most `limit`. Only events of transactions that
   * are older than every running one are returned, so none can appear behind the cursor later. Who keeps the cursor that is given back
   * is never too late for as long as events are kept, also where a tenant has none for long.
   */
  readAfter(scope: TenantScope, cursor: EventCursor | undefined, limit: number): Promise<EventsRead>;
  /** Logins and attempts of an identity, newest first. */
  listLogins(scope: TenantScope, identityId: IdentityId, page: PageRequest): Promise<Page<LoginEvent>>;
}
