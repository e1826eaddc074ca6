import { DomainError, type ErrorReason } from "../errors.ts";
import type { IdentityId } from "../ids.ts";
import { mapInOrder } from "../map-in-order.ts";
import type { Tenant } from "../tenant/tenant.ts";
import { assertSendsLinks, type LinkKind } from "./operator-flows.ts";

/** A stream that an operator has opened. */
export interface SendStream {
  readonly tenant: Tenant;
  readonly flow: LinkKind;
  /** Aborted when the stream must end: its client is gone, its credential has ended, the server stops. */
  readonly signal: AbortSignal;
}

/** One identity of a stream that a message is to go to. */
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
 * How many messages all streams of this process send at the same moment. Each holds a connection to the database meanwhile,
 * and people who log in need some as well.
 */
const concurrency = 4;

/** What operators send to a stream of identities, one by one: what fails for one is no matter of the others. */
export class OperatorSends {
  #free = concurrency;
  readonly #waiting: (() => void)[] = [];

  /**
   * Carries out `send` for each order, and gives the results in their order. Back-pressure and failures are as in
   * `mapInOrder`. After `signal` is aborted nothing is begun any more, and what it was aborted with is thrown. Throws
   * LINKS_DISABLED, UI_URL_MISSING before anything is taken.
   */
  sendEach<Sent>(
    { tenant, flow, signal }: SendStream,
    orders: AsyncIterable<SendOrder>,
    send: (order: SendOrder) => Promise<Sent>,
  ): AsyncGenerator<SendResult<Sent>, void, undefined> {
    assertSendsLinks(tenant, flow);
    return mapInOrder(orders, concurrency, (order) => this.#inTurn(() => sendOne(order, signal, send)));
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
