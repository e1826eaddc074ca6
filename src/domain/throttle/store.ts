import type { Event } from "../event/event.ts";
import type { IdentityId } from "../ids.ts";
import type { Scope } from "../ports.ts";

/** One count to make. Spans and moments are in microseconds: a limit may give back more than one a millisecond. */
export interface CountedAttempt {
  /** A keyed digest of the limit's name and the subject. */
  readonly key: Uint8Array;
  /** In how long one attempt is given back. */
  readonly costUs: number;
  /** In how long all of them are. */
  readonly periodUs: number;
  readonly stage: 1 | 2 | 3;
  /** Counts only if the device with this token digest is one that the identity knows. */
  readonly device: Uint8Array | undefined;
  /** Counts only if none of the devices is one that the identity knows. */
  readonly unlessKnownDevice: boolean;
}

/** What came of counting. */
export interface CountResult {
  /** The token digest of the device that the identity knows; undefined if none was shown. */
  readonly knownDevice: Uint8Array | undefined;
  /** For each attempt that was refused, its place in the list, and how long it has to wait. */
  readonly refused: readonly { readonly place: number; readonly waitUs: number }[];
}

/** What a success takes back of a counter. */
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
  /** How many devices an identity may know; those that would be forgotten first go. */
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
  take(
    scope: Scope,
    request: {
      readonly atUs: number;
      readonly attempts: readonly CountedAttempt[];
      readonly identityId: IdentityId | undefined;
      readonly devices: readonly Uint8Array[];
    },
  ): Promise<CountResult>;
  /** Takes back what a success takes back, where no other statement does. */
  release(scope: Scope, releases: readonly CounterRelease[]): Promise<void>;
  /** The counters that are there and not empty. */
  read(scope: Scope, keys: readonly Uint8Array[], atUs: number): Promise<readonly StoredCounter[]>;
  /** Removes counters and writes the event; returns how many were not empty. */
  clear(scope: Scope, keys: readonly Uint8Array[], atUs: number, event: Event): Promise<number>;
  /** The token digests of the devices that an identity knows. */
  devicesOf(scope: Scope, identityId: IdentityId, at: Date): Promise<readonly Uint8Array[]>;
}
