import { DomainError, type ErrorReason } from "../../errors.ts";
import type { IdentityId } from "../../ids.ts";
import { Semaphore } from "../../semaphore.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import { assertSendsLinks, type LinkKind } from "./operator-flows.ts";

/** A list of identities that an operator sends to. */
export interface SendBatch {
  readonly tenant: Tenant;
  readonly flow: LinkKind;
  /** Aborted when the results are no longer wanted: the client is gone, its deadline has passed, or the server stops. */
  readonly signal: AbortSignal;
}

/** One identity of a batch that a message is to go to. */
export interface SendOrder {
  readonly identityId: IdentityId;
  /** Under which nobody gets two; empty: nothing is remembered. */
  readonly requestId: string;
}

/** What came of it. */
export type SendResult<Sent> =
  | { readonly kind: "sent"; readonly identityId: IdentityId; readonly sent: Sent }
  | { readonly kind: "failed"; readonly identityId: IdentityId; readonly error: DomainError };

/** What concerns one identity alone. Whatever else goes wrong would go wrong for the next one as well. */
const ownFailures: ReadonlySet<ErrorReason> = new Set<ErrorReason>([
  "IDENTITY_NOT_FOUND",
  "IDENTITY_INACTIVE",
  "ADDRESS_NOT_USABLE",
  "REQUEST_ID_REUSED",
]);

/**
 * How many messages all batches of this process send at the same moment. Each holds a connection to the database meanwhile,
 * and people who log in need some as well.
 */
const concurrency = 4;

/** Sends messages of operators to many identities, one by one. A failure for one does not stop the others. */
export class OperatorSends {
  readonly #places = new Semaphore(concurrency);

  /**
   * Carries out `send` for each order, and gives the results in their order. Once `signal` is aborted, or an error occurs that
   * the others would have as well, no further order is begun, and the error is thrown when those under way have ended. Throws
   * LINKS_DISABLED, UI_URL_MISSING before anything is sent.
   */
  async sendEach<Sent>(
    { tenant, flow, signal }: SendBatch,
    orders: readonly SendOrder[],
    send: (order: SendOrder) => Promise<Sent>,
  ): Promise<readonly SendResult<Sent>[]> {
    assertSendsLinks(tenant, flow);
    const results: SendResult<Sent>[] = [];
    const left = orders.entries();
    let failure: { readonly error: unknown } | undefined;
    // Each batch sends a few at a time and takes turns with other batches, so that a short list does not wait for a long one.
    const worker = async () => {
      for (const [index, order] of left) {
        try {
          results[index] = await this.#places.run(() => sendOne(order, signal, send));
        } catch (error) {
          failure ??= { error };
        }
        if (failure !== undefined) return;
      }
    };
    await Promise.all(Array.from({ length: concurrency }, worker));
    if (failure !== undefined) throw failure.error;
    return results;
  }
}

async function sendOne<Sent>(
  order: SendOrder,
  signal: AbortSignal,
  send: (order: SendOrder) => Promise<Sent>,
): Promise<SendResult<Sent>> {
  const { identityId } = order;
  signal.throwIfAborted();
  try {
    return { kind: "sent", identityId, sent: await send(order) };
  } catch (error) {
    if (!(error instanceof DomainError) || !ownFailures.has(error.reason)) throw error;
    return { kind: "failed", identityId, error };
  }
}
