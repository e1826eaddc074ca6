import type { TenantScope } from "../ports.ts";

/** A request id with the caller and method that it is unique within. */
export interface RequestKey {
  readonly caller: string;
  readonly method: string;
  readonly requestId: string;
}

/** Outcomes of calls with a request id. Implemented in src/storage/idempotency-store.ts. */
export interface IdempotencyStore {
  /**
   * Claims a request id within a transaction: waits for another call that holds it. Undefined: it is ours, and
   * `complete` must follow in the same transaction. Otherwise the sealed outcome that the earlier call left.
   */
  claim(scope: TenantScope, key: RequestKey, at: Date, expiresAt: Date): Promise<string | undefined>;
  /** Stores the sealed outcome of a claimed request id. */
  complete(scope: TenantScope, key: RequestKey, outcome: string): Promise<void>;
}
