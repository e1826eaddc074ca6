import type { Event } from "../event/event.ts";
import type { ApiKeyId, TenantId } from "../ids.ts";
import type { Page, PageRequest, TenantScope } from "../ports.ts";
import type { ApiKey, NewApiKey } from "./api-key.ts";

/** API keys. Implemented in src/storage/api-key-store.ts. */
export interface ApiKeyStore {
  /** Stores a new key with its event. False if the key that it is made with was revoked meanwhile. */
  create(scope: TenantScope, key: NewApiKey, event: Event): Promise<boolean>;
  /**
   * Stores the first key of the server unless one was ever stored: a marker in the database is taken in the same
   * transaction, so that of several servers starting at once one wins. False if it was taken before.
   */
  createBootstrap(scope: TenantScope, key: NewApiKey, event: Event): Promise<boolean>;
  /** Whether the bootstrap marker is taken. */
  bootstrapped(scope: TenantScope): Promise<boolean>;
  /** The key with this id, ended or not; undefined if there is none. */
  find(scope: TenantScope, id: ApiKeyId): Promise<ApiKey | undefined>;
  /** The keys that were made with a key, ended or not, oldest first. */
  listMadeWith(scope: TenantScope, id: ApiKeyId): Promise<readonly ApiKey[]>;
  /** The key with this digest, ended or not; undefined if there is none. */
  findByTokenDigest(scope: TenantScope, digest: Uint8Array): Promise<ApiKey | undefined>;
  /** Keys, newest first; ended ones (at `now`) only if asked for. */
  list(
    scope: TenantScope,
    filter: { readonly includeEnded: boolean; readonly now: Date },
    page: PageRequest,
  ): Promise<Page<ApiKey>>;
  /** Ends a key; the event is written only if it had not been revoked. Undefined if there is none. */
  revoke(scope: TenantScope, id: ApiKeyId, at: Date, event: Event): Promise<ApiKey | undefined>;
  /** Notes when keys were last used, in one statement. */
  recordUse(
    uses: readonly { readonly tenantId: TenantId; readonly id: ApiKeyId; readonly usedAt: Date }[],
  ): Promise<void>;
}
