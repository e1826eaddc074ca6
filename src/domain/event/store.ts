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
   * Events after the cursor (undefined: from the beginning), oldest first. Only events of transactions that
   * are older than every running one are returned, so none can appear behind the cursor later.
   */
  readAfter(
    scope: TenantScope,
    cursor: EventCursor | undefined,
    limit: number,
  ): Promise<readonly RecordedEvent[]>;
  /** Logins and attempts of an identity, newest first. */
  listLogins(scope: TenantScope, identityId: IdentityId, page: PageRequest): Promise<Page<LoginEvent>>;
}
