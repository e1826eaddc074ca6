import { newEvent } from "../../event/event.ts";
import type { StepRejected } from "../../form/rejection.ts";
import { completedEvents, doneBy } from "../../identity/required-actions.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type { IdentityId } from "../../ids.ts";
import type { Clock } from "../../ports.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { ProvedAddress } from "../challenge/challenges.ts";
import type { Awaiting, Confirming } from "../challenge/state.ts";
import type { LoginFlows } from "../login/login-flows.ts";
import type { Flow, FlowCaller, FlowRecord } from "../shared/flow.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import { ownSession } from "../shared/own-session.ts";
import type { FlowStore } from "../shared/store.ts";
import type { AttemptOf, KindTypes, LoginFirst, Moved } from "../shared/table.ts";
import { typedAt } from "../shared/typed-address.ts";
import type { AccountDisowning } from "./account-disowning.ts";
import type { Claiming } from "./state.ts";

/** What came of an answer. */
export type ClaimOutcome =
  /** Somebody is signed in to the account: everything stays, and the address is verified. */
  | { readonly kind: "kept" }
  /** Everything that was set up has ended; this flow sets a new secret. */
  | { readonly kind: "disowned"; readonly settings: Flow }
  | LoginFirst
  | StepRejected;

/** A flow in which the question is answered. */
type ClaimAttempt = Pick<AttemptOf<KindTypes, Claiming>, "caller" | "flow" | "state">;

interface AccountClaimsDependencies {
  readonly engine: FlowEngine;
  readonly flows: FlowStore;
  readonly identities: Pick<IdentityStore, "credentialsOf" | "find">;
  readonly logins: LoginFlows;
  readonly disowning: AccountDisowning;
  readonly clock: Clock;
}

/**
 * Whose account it is: asked of everybody who proves an address outside a session of an account that has no verified address
 * and whose credentials were all set by itself.
 *
 * Security rule (SR-OWNER-2): somebody else may have made that account for the address, and waits in it. So its owner is asked before the
 * address counts for anything: they sign in with what was set up, or it was not them, and all of it ends. Until then nothing
 * changes, the account least of all; the flow alone remembers the proof, once, for as long as the flow lasts.
 */
export class AccountClaims {
  readonly #deps: AccountClaimsDependencies;

  constructor(deps: AccountClaimsDependencies) {
    this.#deps = deps;
  }

  /**
   * Uses the proof up, and waits for the answer. The flow is nobody's until then: what happens to the account meanwhile does
   * not close it, or the person who waits in the account could keep the owner out for ever.
   */
  ask(proving: Awaiting | Confirming, { target, held, authentication }: ProvedAddress): Moved<Claiming> {
    const by = authentication.kind === "link" ? "link" : "code";
    const { sentTo } = proving;
    const state = { at: "claim_account", sentTo, target, by, typed: typedAt(proving) } as const;
    return { kind: "moved", state, identityId: undefined, held };
  }

  /** Those who set the account up keep it: in a session of it, else after a login. Throws FLOW_CHANGED, FLOW_COMPLETED. */
  async keep({ caller, flow, state }: ClaimAttempt): Promise<ClaimOutcome> {
    const { target } = state;
    const { identityId } = target;
    if (identityId === undefined) return claimEnded();
    const session = await ownSession(caller, flow.client, identityId);
    if (session === undefined) return this.#loginFirst(caller, flow, identityId);
    const identity = await this.#deps.identities.find(caller.tenant, identityId);
    const done = identity === undefined ? [] : doneBy(identity, "verify_address");
    const at = this.#deps.clock.now();
    const actor = { ...caller.origin, actor: { kind: "identity", identityId } } as const;
    const about = { identityId, sessionId: session.id, data: { kind: target.kind } };
    const result = await this.#deps.flows.completeVerification(caller.tenant, {
      held: [{ digest: flow.digest, revision: flow.revision }],
      target: { ...target, identityId },
      within: session.id,
      onlyWithin: true,
      doneActions: done.map(({ id }) => id),
      at,
      events: [
        newEvent("address.verified", at, actor, about),
        ...completedEvents(identityId, done, at, actor),
      ],
    });
    switch (result) {
      case "completed":
        return { kind: "kept" };
      case "flow_taken":
        throw await this.#deps.engine.taken(caller.tenant, flow);
      case "address_gone":
        return claimEnded();
      // The session ended since it was looked at.
      case "unclaimed":
        return this.#loginFirst(caller, flow, identityId);
      default: {
        const unreachable: never = result;
        return unreachable;
      }
    }
  }

  /** Everything that somebody else has set up ends. Throws FLOW_CHANGED, FLOW_COMPLETED. */
  async disown({ caller, flow, state }: ClaimAttempt): Promise<ClaimOutcome> {
    const settings = await this.#deps.disowning.disown(caller, flow, state);
    return settings === undefined ? claimEnded() : { kind: "disowned", settings };
  }

  async #loginFirst(
    caller: FlowCaller,
    { client, data: { clientData } }: FlowRecord,
    identityId: IdentityId,
  ): Promise<ClaimOutcome> {
    const credentials = await this.#deps.identities.credentialsOf(caller.tenant, identityId);
    const start = { client, returnTo: undefined, clientData };
    const login = await this.#deps.logins.createForOwner(caller, start, identityId, credentials);
    return login === undefined ? claimEnded() : { kind: "login_first", begin: async () => login };
  }
}

function claimEnded(): StepRejected {
  const problems = { fields: [], form: [texts.claimEnded()] };
  return { kind: "rejected", reason: "CLAIM_ENDED", problems };
}
