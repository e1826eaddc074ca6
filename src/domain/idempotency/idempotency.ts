import { createHash } from "node:crypto";
import { isSameBytes } from "../bytes.ts";
import { domainError, invalid } from "../errors.ts";
import type { Clock, Sealer, TenantScope, Transactions } from "../ports.ts";
import { isStorableText } from "../storable-text.ts";
import type { IdempotencyStore } from "./store.ts";

/** A call that may be repeated. */
export interface RepeatableCall {
  /** Caller; the request ids of two callers are never the same. */
  readonly caller: string;
  readonly method: string;
  /** Empty: the caller wants no protection. */
  readonly requestId: string;
  /** The SHA-256 of the request, which a repetition must have as well. Never stored as it is: see `run`. */
  readonly bodyDigest: Uint8Array;
}

/** Encoding of an outcome that is kept. */
export interface OutcomeCodec<T> {
  encode(outcome: T): Uint8Array;
  decode(bytes: Uint8Array): T;
}

interface Deps {
  readonly transactions: Transactions;
  readonly store: IdempotencyStore;
  readonly sealer: Sealer;
  readonly clock: Clock;
}

/** Lifetime of an outcome: a day. */
export const outcomeLifetimeMs = 24 * 60 * 60 * 1000;

/**
 * Carries out a call with a request id once. What it changes and its outcome are one transaction, so there is no
 * moment at which one is kept without the other; a repetition that comes meanwhile waits for it. Only successes are
 * kept: after a failure nothing has happened, and the same request id may be tried again.
 */
export class IdempotencyRunner {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * Without a request id: just the work. With one: the work in a transaction, or the outcome that an earlier call
   * with the same body left. Throws REQUEST_ID_REUSED where the earlier body was another one. The work is handed
   * what it must write with; slow work (hashing) belongs before this call, not into the transaction.
   */
  async run<T>(
    scope: TenantScope,
    call: RepeatableCall,
    codec: OutcomeCodec<T>,
    work: (scope: TenantScope) => Promise<T>,
  ): Promise<T> {
    if (call.requestId === "") return work(scope);
    assertStorable(call.requestId);
    const { caller, method, requestId, bodyDigest } = call;
    const key = { caller, method, requestId };
    // The sealed outcome names the call that it belongs to: a record put in place of another one does not open.
    // The digest is sealed as well: a request may hold a password, and beside all else that is stored of it a plain
    // digest would be that password under a fast hash.
    const belongsTo = createHash("sha256")
      .update(JSON.stringify([scope.tenantId, caller, method, requestId]))
      .digest();

    return this.#deps.transactions.transaction(scope, async (tx) => {
      const at = this.#deps.clock.now();
      const expiresAt = new Date(at.getTime() + outcomeLifetimeMs);
      const earlier = await this.#deps.store.claim(tx, key, at, expiresAt);
      if (earlier !== undefined) {
        const plain = this.#open(belongsTo, earlier, requestId);
        if (!isSameBytes(bodyDigest, plain.subarray(0, bodyDigest.length))) throw reused(requestId);
        return codec.decode(plain.subarray(bodyDigest.length));
      }
      const outcome = await work(tx);
      const plain = Buffer.concat([belongsTo, bodyDigest, codec.encode(outcome)]);
      await this.#deps.store.complete(tx, key, this.#deps.sealer.seal(purpose, plain));
      return outcome;
    });
  }

  #open(belongsTo: Buffer, sealed: string, requestId: string): Uint8Array {
    const plain = this.#deps.sealer.open(purpose, sealed);
    if (plain !== undefined && isSameBytes(belongsTo, plain.subarray(0, belongsTo.length))) {
      return plain.subarray(belongsTo.length);
    }
    // The secret that sealed it is gone. Doing the work again could double it, so the caller must look.
    const message = "The request id was used before, and what came of it can no longer be read.";
    throw domainError("REQUEST_ID_REUSED", { requestId }, { message });
  }
}

const purpose = "idempotency";

function reused(requestId: string) {
  return domainError("REQUEST_ID_REUSED", { requestId });
}

function assertStorable(requestId: string): void {
  if (isStorableText(requestId)) return;
  const description = "must not have null characters or lone surrogates";
  throw invalid({ field: "requestId", description, reason: "FORMAT" });
}
