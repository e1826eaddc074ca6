import { domainError } from "../errors.ts";
import type { Identity } from "../identity/identity.ts";
import type { FlowCaller, FlowFound, FlowKind, FlowRecord } from "./flow.ts";
import type { FlowKeeper } from "./flow-keeper.ts";
import type { FlowStore } from "./store.ts";

/** A flow as it was read, with the identity that it is about, if there is one. */
export interface ReadFlow {
  readonly flow: FlowRecord;
  readonly identity: Identity | undefined;
}

/** What each kind of flow does with one that was found by its id alone. */
interface ShowsFlows {
  /** The flow as its holder sees it, or a fresh one in its place; it first makes sure who holds it. */
  show(caller: FlowCaller, flowId: string, read: ReadFlow): Promise<FlowFound>;
}

interface AnyFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly kinds: Readonly<Record<FlowKind, ShowsFlows>>;
}

/** Flows of which only the id is known. */
export class AnyFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #kinds: AnyFlowsDependencies["kinds"];

  constructor({ keeper, flows, kinds }: AnyFlowsDependencies) {
    this.#keeper = keeper;
    this.#flows = flows;
    this.#kinds = kinds;
  }

  /** The flow with this id, as its holder sees it. One round trip, and one more where a fresh one is made in its place. */
  async get(caller: FlowCaller, flowId: string): Promise<FlowFound> {
    const digest = this.#keeper.digestOf(caller.tenant, flowId);
    const { flow, identity } = await this.#flows.findWithIdentity(
      { tenantId: caller.tenant.id },
      undefined,
      digest,
    );
    if (flow === undefined) throw domainError("FLOW_NOT_FOUND", {});
    return this.#kinds[flow.kind].show(caller, flowId, { flow, identity });
  }
}
