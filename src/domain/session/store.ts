import type { Event } from "../event/event.ts";
import type { FeedPosition } from "../event/feed.ts";
import type { IdentityId, SessionId, TenantId } from "../ids.ts";
import type { Page, PageRequest, TenantScope } from "../ports.ts";
import type { IdleSince } from "./lifetime.ts";
import type { AuthenticatedSession, AuthenticationMethod, Session } from "./session.ts";

/** Which sessions to list. */
export interface SessionFilter {
  readonly identityId?: IdentityId | undefined;
  /** True: active at `now`; false: ended. Undefined: both. */
  readonly active?: boolean | undefined;
  /** Moment at which "active" is decided. */
  readonly now: Date;
  /** Sessions not used since then count as ended. Undefined: there is no idle limit. */
  readonly idleSince?: IdleSince | undefined;
}

/** What a read of sessions has found. */
export interface SessionsRead {
  readonly sessions: readonly ({ readonly digest: Uint8Array } & AuthenticatedSession)[];
  /** Where the event log stood; undefined if the database does not say. */
  readonly position: FeedPosition | undefined;
  /** Whether the position that was asked for is included. */
  readonly includesAsked: boolean;
}

/** Sessions. Implemented in src/storage/session-store.ts; each method is one statement. */
export interface SessionStore {
  /** The sessions with these token digests, ended or not, and their identities, in no order. */
  findByTokenDigests(
    scope: TenantScope,
    digests: readonly Uint8Array[],
    /** A position of the event log that the answer is to include; undefined: any. */
    atLeast?: FeedPosition,
  ): Promise<SessionsRead>;
  /** The session with this id, ended or not; undefined if there is none. */
  find(scope: TenantScope, id: SessionId): Promise<Session | undefined>;
  /** Sessions, newest first. */
  list(scope: TenantScope, filter: SessionFilter, page: PageRequest): Promise<Page<Session>>;
  /**
   * Ends a session and writes the event, unless it had ended already; returns it as it is then. Undefined if there is no such
   * session, or, where an owner is given, it is not theirs.
   */
  revoke(
    scope: TenantScope,
    id: SessionId,
    change: { readonly at: Date; readonly owner?: IdentityId | undefined; readonly event: Event },
  ): Promise<Session | undefined>;
  /** Ends all unrevoked sessions of an identity but one, writes one event if any ended, returns how many did. */
  revokeAll(
    scope: TenantScope,
    identityId: IdentityId,
    change: { readonly at: Date; readonly except?: SessionId | undefined; readonly event: Event },
  ): Promise<number>;
  /**
   * Takes a logout that a provider tells of: ends all sessions with this proof, writes the event for each, and returns how many
   * ended. A logout counts once: undefined if one with this id was taken before.
   */
  revokeByProvider(
    scope: TenantScope,
    logout: {
      readonly provider: string;
      readonly id: string;
      /** Until when the id is remembered. */
      readonly knownUntil: Date;
    },
    proof: Pick<AuthenticationMethod, "providerAccount" | "providerSession">,
    change: { readonly at: Date; readonly event: Event },
  ): Promise<number | undefined>;
  /**
   * Moves the end of an unrevoked, unexpired session and writes the event. Never shortens. Undefined if there is
   * no such session or it has ended.
   */
  extend(
    scope: TenantScope,
    id: SessionId,
    change: { readonly at: Date; readonly expiresAt: Date; readonly event: Event },
  ): Promise<Session | undefined>;
  /**
   * Replaces the token of a live session, and writes the event. False if the session no longer has the former token, or has
   * ended.
   */
  replaceToken(
    scope: TenantScope,
    id: SessionId,
    change: {
      readonly from: Uint8Array;
      readonly to: Uint8Array;
      readonly at: Date;
      readonly event: Event;
    },
  ): Promise<boolean>;
  /** Notes when sessions were last used, in one statement for all tenants; never moves a time back. */
  recordUse(
    uses: readonly { readonly tenantId: TenantId; readonly id: SessionId; readonly usedAt: Date }[],
  ): Promise<void>;
}
