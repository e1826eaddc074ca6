import type { Event } from "../event/event.ts";
import type { IdentityId } from "../ids.ts";
import type { TenantScope } from "../ports.ts";
import type { IdleSince } from "../session/lifetime.ts";

/** One count to make. Durations and moments are in microseconds: a limit may give back more than one a millisecond. */
export interface CountedAttempt {
  /** A keyed digest of the limit's name and the subject. */
  readonly key: Uint8Array;
  /** In how long one attempt is given back. */
  readonly costUs: number;
  /** In how long all of them are. */
  readonly periodUs: number;
  /** 0: is only read. */
  readonly stage: 0 | 1 | 2 | 3 | 4;
  /** Counts only if this is what shows the owner. */
  readonly own: Uint8Array | undefined;
  /** Counts only if nothing shows the owner. */
  readonly unlessOwn: boolean;
}

/** Result of counting. */
export interface CountResult {
  /**
   * What shows the owner: the token digest of a device that the identity knows, else that of a live session of the identity.
   * Undefined if nothing does.
   */
  readonly own: Uint8Array | undefined;
  /** For each attempt that was refused, its place in the list, and how long it has to wait. */
  readonly refused: readonly { readonly place: number; readonly waitUs: number }[];
  /** For each attempt that was only read, its place in the list, and when the counter is empty again. */
  readonly watched: readonly { readonly place: number; readonly spentUntilUs: number }[];
}

/** Attempts to count at once. */
export interface CountRequest {
  readonly atUs: number;
  readonly attempts: readonly CountedAttempt[];
  /** The identity whose devices and sessions show the owner. Undefined: none. */
  readonly identityId: IdentityId | undefined;
  readonly devices: readonly Uint8Array[];
  /** The token digest of the session that was shown. */
  readonly session: Uint8Array | undefined;
  /** Sessions that were not used since then have ended. Undefined: they end by their lifetime alone. */
  readonly idleSince: IdleSince | undefined;
}

/** A counter that a success resets or refunds. */
export interface CounterRelease {
  readonly key: Uint8Array;
  /** Undefined: everything. */
  readonly refundUs: number | undefined;
}

/** A device that an identity knows. Its token's digest, and when it is forgotten. */
export interface DeviceRecord {
  readonly digest: Uint8Array;
  readonly expiresAt: Date;
}

/**
 * What a completed login or registration changes of throttling, in the statement that completes it. Made by
 * `Throttle.succeeded`.
 */
export interface ThrottleCompletion {
  /** In the order in which they were counted. */
  readonly releases: readonly CounterRelease[];
  /** The device to know from now on, or to know for longer. */
  readonly device: DeviceRecord | undefined;
  /** Most devices that an identity knows; beyond it those with the earliest end are forgotten. */
  readonly maxDevices: number;
}

/** A counter as it stands. */
export interface StoredCounter {
  readonly key: Uint8Array;
  readonly spentUntilUs: number;
}

/** Counters and known devices. Implemented in src/storage/throttle-store.ts; each method is one statement. */
export interface ThrottleStore {
  /**
   * Counts attempts, stage after stage: a stage counts only if the ones before refused nothing. Of attempts at the
   * same moment exactly as many are let through as the limit allows.
   */
  take(scope: TenantScope, request: CountRequest): Promise<CountResult>;
  /** Takes back what a success takes back, where no other statement does. */
  release(scope: TenantScope, releases: readonly CounterRelease[]): Promise<void>;
  /** The counters that are there and not empty. */
  read(scope: TenantScope, keys: readonly Uint8Array[], atUs: number): Promise<readonly StoredCounter[]>;
  /** Removes counters and writes the event; returns how many were not empty. */
  clear(scope: TenantScope, keys: readonly Uint8Array[], atUs: number, event: Event): Promise<number>;
  /** The token digests of what shows an identity's owner: the devices that it knows, and its live sessions. */
  ownOf(
    scope: TenantScope,
    identityId: IdentityId,
    at: Date,
    idleSince: IdleSince | undefined,
  ): Promise<readonly Uint8Array[]>;
}
