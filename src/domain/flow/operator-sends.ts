import { DomainError, type ErrorReason } from "../errors.ts";
import type { IdentityId } from "../ids.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { assertSendsLinks, type LinkKind } from "./operator-flows.ts";

/** A list of identities that an operator sends to. */
export interface SendBatch {
  readonly tenant: Tenant;
  readonly flow: LinkKind;
  /** Aborted when nobody waits for the results any more: the client is gone, its deadline has passed, the server stops. */
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

/** What operators send to many identities, one by one: what fails for one is no matter of the others. */
export class OperatorSends {
  #free = concurrency;
  readonly #waiting: (() => void)[] = [];

  /**
   * Carries out `send` for each order, and gives the results in their order. After `signal` is aborted, or something failed that
   * would fail for the others as well, nothing is begun any more, and that is thrown once what was begun has ended. Throws
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
    // A few at a time of each batch: they take turns with those of others, so that a long list keeps no short one waiting.
    const worker = async () => {
      for (const [index, order] of left) {
        try {
          results[index] = await this.#inTurn(() => sendOne(order, signal, send));
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

  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    // Whoever finishes hands its place over, first come first served.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
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
