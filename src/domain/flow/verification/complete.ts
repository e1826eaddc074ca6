import { newEvent } from "../../event/event.ts";
import { completedEvents, doneBy } from "../../identity/required-actions.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type { IdentityId } from "../../ids.ts";
import type { Clock } from "../../ports.ts";
import type { ProvedAddress } from "../challenge/challenges.ts";
import type { FlowCaller } from "../shared/flow.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import { ownSession } from "../shared/own-session.ts";
import type { FlowStore } from "../shared/store.ts";
import type { RecordOf } from "../shared/table.ts";
import type { VerificationTypes } from "./state.ts";

interface VerificationCompletionsDependencies {
  readonly engine: FlowEngine;
  readonly flows: Pick<FlowStore, "completeVerification">;
  readonly identities: Pick<IdentityStore, "find">;
  readonly clock: Clock;
}

/** How a verification ends: with an address that is verified. */
export class VerificationCompletions {
  readonly #deps: VerificationCompletionsDependencies;

  constructor(deps: VerificationCompletionsDependencies) {
    this.#deps = deps;
  }

  /** Verifies the address. Two round trips, and one for the session that is shown. Throws FLOW_CHANGED, FLOW_COMPLETED. */
  async complete(
    caller: FlowCaller,
    flow: RecordOf<VerificationTypes>,
    { target, held }: ProvedAddress,
    identityId: IdentityId,
  ): Promise<"completed" | "address_gone" | "unclaimed"> {
    const { engine, flows, identities, clock } = this.#deps;
    const session = await ownSession(caller, flow.client, identityId);
    const identity = await identities.find(caller.tenant, identityId);
    const done = identity === undefined ? [] : doneBy(identity, "verify_address");
    const at = clock.now();
    const data = { kind: target.kind };
    const result = await flows.completeVerification(caller.tenant, {
      held,
      target: { ...target, identityId },
      within: session?.id ?? flow.data.purpose.session,
      onlyWithin: false,
      doneActions: done.map(({ id }) => id),
      at,
      events: [
        newEvent("address.verified", at, caller.origin, { identityId, data }),
        ...completedEvents(identityId, done, at, caller.origin),
      ],
    });
    if (result === "flow_taken") throw await engine.taken(caller.tenant, flow);
    return result;
  }
}
