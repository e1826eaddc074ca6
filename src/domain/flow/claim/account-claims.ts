import { DomainError, domainError } from "../../errors.ts";
import { newEvent } from "../../event/event.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type { IdentityId } from "../../ids.ts";
import * as messages from "../../message/message.ts";
import type { ProofKind } from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import type { Session } from "../../session/session.ts";
import type { ProvedAddress } from "../challenge/address-proofs.ts";
import type { LoginFlows } from "../login/login-flows.ts";
import { advanceFlow } from "../shared/advance-flow.ts";
import type {
  Flow,
  FlowCaller,
  FlowOutcome,
  FlowRecord,
  LoginComesFirst,
  PendingStage,
} from "../shared/flow.ts";
import type { FlowKeeper, FlowShape } from "../shared/flow-keeper.ts";
import type { FlowStore } from "../shared/store.ts";
import type { AccountDisowning } from "./account-disowning.ts";

/** The question whose account it is, as a flow remembers it. */
export type Claim = Extract<PendingStage, { kind: "claim" }>;

/** What came of an answer. */
export type ClaimOutcome =
  /** Somebody is signed in to the account: everything stays, and the address is verified. */
  | { readonly kind: "kept" }
  /** Everything that was set up has ended; this flow sets a new secret. */
  | { readonly kind: "disowned"; readonly settings: Flow }
  | LoginComesFirst
  | FlowOutcome<never>;

/** An answer that was submitted to a flow. */
interface ClaimAnswer {
  readonly shape: FlowShape;
  readonly record: FlowRecord;
  readonly flowId: string;
  readonly step: SubmittedStep;
}

interface AccountClaimsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly identities: Pick<IdentityStore, "listCredentials">;
  readonly logins: LoginFlows;
  readonly disowning: AccountDisowning;
  readonly clock: Clock;
}

/**
 * Whose account it is: asked of everybody who proves an address outside a session of an account that has no verified address
 * and whose credentials were all set by itself.
 *
 * Security rule: somebody else may have made that account for the address, and waits in it. So its owner is asked before the
 * address counts for anything: they sign in with what was set up, or it was not them, and all of it ends. Until then nothing
 * changes, the account least of all; the flow alone remembers the proof, once, for as long as the flow lasts.
 */
export class AccountClaims {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #identities: Pick<IdentityStore, "listCredentials">;
  readonly #logins: LoginFlows;
  readonly #disowning: AccountDisowning;
  readonly #clock: Clock;

  constructor({ keeper, flows, identities, logins, disowning, clock }: AccountClaimsDependencies) {
    this.#keeper = keeper;
    this.#flows = flows;
    this.#identities = identities;
    this.#logins = logins;
    this.#disowning = disowning;
    this.#clock = clock;
  }

  /**
   * Uses the proof up, and waits for the answer. The flow is nobody's until then: what happens to the account meanwhile does
   * not close it, or the person who waits in the account could keep the owner out for ever. One round trip. Throws FLOW_CHANGED.
   */
  ask(flow: FlowRecord, { tenant }: FlowCaller, { target, held, authentication }: ProvedAddress) {
    const sentTo = flow.data.pending?.sentTo ?? target.value;
    const by: ProofKind = authentication.kind === "link" ? "link" : "code";
    const pending: Claim = { kind: "claim", sentTo, target, by };
    const own = held.find(({ digest }) => Buffer.compare(digest, flow.digest) === 0);
    return advanceFlow(
      this.#flows,
      tenant,
      { ...flow, revision: own?.revision ?? flow.revision },
      {
        data: { ...flow.data, pending },
        identityId: undefined,
        // The flow that holds the challenge of an opened link.
        consumes: held.find((each) => each !== own),
      },
    );
  }

  /** Takes an answer. Throws FLOW_CHANGED, FLOW_COMPLETED, STEP_NOT_OFFERED. */
  async answer(caller: FlowCaller, answer: ClaimAnswer, claim: Claim): Promise<ClaimOutcome> {
    const { identityId } = claim.target;
    switch (answer.step.name) {
      case "back":
        return this.#goBack(caller, answer);
      case "resume":
        return identityId === undefined
          ? this.#ended(caller, answer)
          : this.#keep(caller, answer, claim, identityId);
      case "disown": {
        const settings = await this.#disowning.disown(caller, answer.record, claim);
        if (settings === undefined) return this.#ended(caller, answer);
        return { kind: "disowned", settings };
      }
      default:
        throw domainError("STEP_NOT_OFFERED", { step: answer.step.name });
    }
  }

  async #goBack(caller: FlowCaller, { shape, record, flowId }: ClaimAnswer): Promise<FlowOutcome<never>> {
    const { pending: _given, ...data } = record.data;
    const change = { data, identityId: undefined };
    const moved = await advanceFlow(this.#flows, caller.tenant, record, change);
    return this.#keeper.nextStep(caller, shape, flowId, moved);
  }

  async #keep(
    caller: FlowCaller,
    answer: ClaimAnswer,
    { target }: Claim,
    identityId: IdentityId,
  ): Promise<ClaimOutcome> {
    const { record } = answer;
    const session = await ownSession(caller, record, identityId);
    if (session === undefined) return this.#loginFirst(caller, answer, identityId);
    const at = this.#clock.now();
    const actor = { ...caller.origin, actor: { kind: "identity", identityId } } as const;
    const about = { identityId, sessionId: session.id, data: { kind: target.kind } };
    const result = await this.#flows.completeVerification(
      { tenantId: caller.tenant.id },
      {
        held: [{ digest: record.digest, revision: record.revision }],
        target: { ...target, identityId },
        within: session.id,
        onlyWithin: true,
        at,
        events: [newEvent("address.verified", at, actor, about)],
      },
    );
    switch (result) {
      case "completed":
        return { kind: "kept" };
      case "flow_taken":
        throw await this.#keeper.taken(caller.tenant, record);
      case "address_gone":
        return this.#ended(caller, answer);
      // The session ended since it was looked at.
      case "unclaimed":
        return this.#loginFirst(caller, answer, identityId);
      default: {
        const unreachable: never = result;
        return unreachable;
      }
    }
  }

  async #loginFirst(
    caller: FlowCaller,
    answer: ClaimAnswer,
    identityId: IdentityId,
  ): Promise<LoginComesFirst | FlowOutcome<never>> {
    const { shape, record, flowId } = answer;
    const scope = { tenantId: caller.tenant.id };
    // An account has few credentials; the offers would be the same with more than these.
    const credentials = await this.#identities.listCredentials(scope, identityId, { size: 200 });
    const loginFlow = await this.#logins.createForOwner(caller, {
      client: record.client,
      identityId,
      credentialKinds: [...new Set(credentials.items.map(({ kind }) => kind))],
    });
    if (loginFlow === undefined) return this.#ended(caller, answer);
    return {
      kind: "login_required",
      loginFlow,
      flow: this.#keeper.presentTo(caller, shape, flowId, record),
    };
  }

  #ended(caller: FlowCaller, { shape, record, flowId }: ClaimAnswer): Promise<FlowOutcome<never>> {
    return this.#keeper.rejected(caller, shape, flowId, record, claimEnded());
  }
}

/**
 * The session of an account that the caller shows as clients of the flow's kind do; undefined if they show none, or that of
 * somebody else.
 */
export async function ownSession(
  caller: FlowCaller,
  { client }: FlowRecord,
  identityId: IdentityId,
): Promise<Session | undefined> {
  try {
    const { session } = await caller.session(client);
    return session.identityId === identityId ? session : undefined;
  } catch (error) {
    // Without a session the proof is given outside of it; what is wrong with the one that was shown is no matter here.
    const isNone =
      error instanceof DomainError &&
      (error.reason.startsWith("SESSION_") || error.reason === "ORIGIN_NOT_ALLOWED");
    if (isNone) return undefined;
    throw error;
  }
}

function claimEnded(): StepRejected {
  const problems = { fields: [], form: [messages.claimEnded()] };
  return { kind: "rejected", reason: "CLAIM_ENDED", problems };
}
