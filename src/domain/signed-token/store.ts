import type { Instant, Never } from "../instant.ts";
import type { TenantScope } from "../ports.ts";

/** A signing key as it is stored. */
export interface StoredSigningKey {
  /** Counts the keys of a tenant. */
  readonly ordinal: number;
  /** As in `KeyPair`. */
  readonly keyId: string;
  /** The private key, sealed. */
  readonly sealedKey: string;
  readonly createdAt: Date;
  /** From when on it signs. Before it is only published. */
  readonly signsAt: Instant;
  /** Until when it is published. Never: no other key has taken its place yet. */
  readonly endsAt: Instant | Never;
}

/** The keys that sign tokens. Implemented in src/storage; each method is one statement. */
export interface SigningKeyStore {
  /** All keys that are kept, newest first, also those that have ended. */
  list(scope: TenantScope): Promise<readonly StoredSigningKey[]>;
  /**
   * Stores a key, and lets the former ones end at `formerEndsAt` at the latest. False, and nothing is changed, if there is a key with
   * the same ordinal: another process was faster.
   */
  add(scope: TenantScope, key: StoredSigningKey, formerEndsAt: Instant): Promise<boolean>;
}
