import { domainError } from "../../errors.ts";
import { newEvent } from "../../event/event.ts";
import { type FilledForm, submissionOf } from "../../form/form-submission.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { ProofTarget } from "../../identity/addresses.ts";
import type { Identity } from "../../identity/identity.ts";
import type { IdentityId, SessionId } from "../../ids.ts";
import * as messages from "../../message/message.ts";
import type { Clock } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { ThrottleTicket } from "../../throttle/throttle.ts";
import type { ReadFlow } from "../any-flows.ts";
import type { AddressProofs, ProvedAddress } from "../challenge/address-proofs.ts";
import { type AccountClaims, type Claim, ownSession } from "../claim/account-claims.ts";
import {
  type AddressStart,
  type AddressSubmission,
  addressShape,
  addressStart,
  nobodyHasIt,
  toAddress,
} from "../shared/address-form.ts";
import type {
  CreatedFlow,
  Flow,
  FlowCaller,
  FlowFound,
  FlowOutcome,
  FlowRecord,
  LoginComesFirst,
} from "../shared/flow.ts";
import { dataWith } from "../shared/flow-answers.ts";
import type { FlowKeeper, FlowShape } from "../shared/flow-keeper.ts";
import type { FlowStore } from "../shared/store.ts";

/** What a completed verification gives. */
export interface VerificationCompleted {
  readonly returnTo: string | undefined;
  /** The address that was verified, as it is shown to the holder of the flow. */
  readonly verifiedAddress: string | undefined;
  /** The flow in which a new secret is set, where the account was set up by somebody else. */
  readonly settings?: Flow | undefined;
}

/** What came of a submit to a verification. */
export type VerificationOutcome = FlowOutcome<VerificationCompleted> | LoginComesFirst;

interface VerificationFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly proofs: AddressProofs;
  readonly claims: AccountClaims;
  readonly clock: Clock;
}

/** Showing that an address is one's own. It signs nobody in. */
export class VerificationFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #proofs: AddressProofs;
  readonly #claims: AccountClaims;
  readonly #clock: Clock;
  readonly #shape: FlowShape;

  constructor({ keeper, flows, proofs, claims, clock }: VerificationFlowsDependencies) {
    this.#keeper = keeper;
    this.#flows = flows;
    this.#proofs = proofs;
    this.#claims = claims;
    this.#clock = clock;
    this.#shape = addressShape("verification", proofs, (tenant) => tenant.settings.verification.lifetimeMs);
  }

  /** Begins a verification. Throws VERIFICATION_DISABLED, LINK_INVALID, RETURN_TO_NOT_ALLOWED. */
  async create(caller: FlowCaller, start: AddressStart): Promise<CreatedFlow> {
    this.#keeper.assertClient(caller, start.client);
    const flow = await addressStart(caller.tenant, this.#proofs, "verification", start);
    if (flow.data.operator === undefined) assertEnabled(caller.tenant);
    return this.#keeper.create(caller, this.#shape, flow);
  }

  /** The flow as its holder sees it, or a fresh one in its place. */
  show(caller: FlowCaller, flowId: string, { flow }: ReadFlow): Promise<FlowFound> {
    return this.#keeper.show(caller, this.#shape, flowId, flow);
  }

  /** Whether a registration with an address that is not proven sends a code or link to it. */
  isSentAfterRegistration(tenant: Tenant): boolean {
    const { verification } = tenant.settings;
    const isOffered = this.#proofs.forms.offered(tenant, "verification").length > 0;
    return verification.enabled && verification.afterRegistration && isOffered;
  }

  /**
   * The verification that follows a registration: its code is on its way, unless its mailbox was sent too many. Undefined
   * where the configuration wants none, or there is nothing to verify. The browser has its cookie already. The flow is the new
   * session's: a native client need not show the session again.
   */
  async afterRegistration(
    caller: FlowCaller,
    flow: FlowRecord,
    {
      identity,
      session,
      ticket,
    }: { readonly identity: Identity; readonly session: SessionId; readonly ticket: ThrottleTicket },
  ): Promise<Flow | undefined> {
    const [kind] = this.#proofs.forms.offered(caller.tenant, "verification");
    const address = identity.verifiableAddresses.find(({ verifiedAt }) => verifiedAt === undefined);
    const wanted = this.isSentAfterRegistration(caller.tenant);
    if (!wanted || kind === undefined || address === undefined) return undefined;
    const isWithheld = ticket.silenced.size > 0;
    const target = { kind: address.kind, value: address.value, identityId: identity.id };
    const created = await this.#keeper.create(caller, this.#shape, {
      client: flow.client,
      returnTo: flow.returnTo,
      data: dataWith({ session }, flow.data),
      identityId: identity.id,
      prepare: (record) =>
        this.#proofs.begin(caller.tenant, record, { kind, sentTo: address.value, target }, isWithheld),
    });
    return created.flow;
  }

  /** Tries what was submitted. */
  async submit(
    caller: FlowCaller,
    submitted: AddressSubmission | FilledForm,
    read?: ReadFlow,
  ): Promise<VerificationOutcome> {
    const { tenant } = caller;
    const { flowId } = submitted;
    const found = read?.flow ?? (await this.#keeper.find(tenant, "verification", flowId));
    if (this.#keeper.hold(caller, found).record.data.operator === undefined) assertEnabled(tenant);
    const entered = await this.#keeper.enter(caller, this.#shape, found, submitted);
    if (entered.kind !== "entered") return entered;
    const { record } = entered;
    const submission = submissionOf(submitted, () => this.#shape.form(tenant, record).nodes);
    const { step } = submission;
    const { pending } = record.data;
    if (pending?.kind === "claim") return this.#answerClaim(caller, record, submission, pending);
    if (pending !== undefined) return this.#submitProof(caller, record, flowId, step);

    const kind = this.#proofs.requested(tenant, "verification", step);
    const address = toAddress(submission.address);
    const reject = (rejected: StepRejected) =>
      this.#keeper.rejected(caller, this.#shape, flowId, record, rejected, { text: submission.address });
    if ("rejected" in address) return reject(address.rejected);
    const owner = await this.#flows.findByAddress({ tenantId: tenant.id }, address.kind, address.value);
    if (owner?.state !== "active" && !tenant.settings.enumerationSafe) return reject(nobodyHasIt());
    const target = targetOf(owner, address);
    const next = await this.#proofs.request(caller, record, {
      kind,
      sentTo: submission.address.trim(),
      target,
    });
    return this.#keeper.nextStep(caller, this.#shape, flowId, next);
  }

  async #submitProof(
    caller: FlowCaller,
    record: FlowRecord,
    flowId: string,
    step: SubmittedStep,
  ): Promise<VerificationOutcome> {
    const reject = (rejected: StepRejected) =>
      this.#keeper.rejected(caller, this.#shape, flowId, record, rejected);
    const lookUp = async (typed: string) => {
      const address = toAddress(typed);
      if ("rejected" in address) return undefined;
      const { kind, value } = address;
      return targetOf(await this.#flows.findByAddress({ tenantId: caller.tenant.id }, kind, value), address);
    };
    const result = await this.#proofs.submit(caller, record, step, lookUp);
    if (result.kind === "moved") return this.#keeper.nextStep(caller, this.#shape, flowId, result.record);
    if (result.kind === "rejected") return reject(result);
    const { identityId } = result.target;
    const completion = identityId && (await this.#complete(caller, record, result, identityId));
    if (completion === "completed") return completedOf(record);
    if (completion !== "unclaimed") return reject(addressGone());
    const asked = await this.#claims.ask(record, caller, result);
    return this.#keeper.nextStep(caller, this.#shape, flowId, asked);
  }

  async #answerClaim(
    caller: FlowCaller,
    record: FlowRecord,
    { flowId, step }: AddressSubmission,
    claim: Claim,
  ): Promise<VerificationOutcome> {
    const outcome = await this.#claims.answer(caller, { shape: this.#shape, record, flowId, step }, claim);
    if (outcome.kind === "kept") return completedOf(record);
    return outcome.kind === "disowned" ? completedOf(record, outcome.settings) : outcome;
  }

  async #complete(
    caller: FlowCaller,
    record: FlowRecord,
    { target, held }: ProvedAddress,
    identityId: IdentityId,
  ): Promise<"completed" | "address_gone" | "unclaimed"> {
    const session = await ownSession(caller, record, identityId);
    const at = this.#clock.now();
    const data = { kind: target.kind };
    const result = await this.#flows.completeVerification(
      { tenantId: caller.tenant.id },
      {
        held,
        target: { ...target, identityId },
        within: session?.id ?? record.data.session,
        onlyWithin: false,
        at,
        events: [newEvent("address.verified", at, caller.origin, { identityId, data })],
      },
    );
    if (result === "flow_taken") throw await this.#keeper.taken(caller.tenant, record);
    return result;
  }
}

function completedOf({ returnTo, data }: FlowRecord, settings?: Flow): VerificationOutcome {
  return { kind: "completed", completed: { returnTo, verifiedAddress: data.pending?.sentTo, settings } };
}

/** Security rule: what is verified already, or is nobody's, is answered like what waits (ASVS V6.3.8). */
function targetOf(
  owner: Identity | undefined,
  address: Pick<ProofTarget, "kind" | "value">,
): ProofTarget | undefined {
  const waits = owner?.verifiableAddresses.some(
    ({ kind, value, verifiedAt }) =>
      kind === address.kind && value === address.value && verifiedAt === undefined,
  );
  return owner?.state === "active" && waits ? { ...address, identityId: owner.id } : undefined;
}

function addressGone(): StepRejected {
  const problems = { fields: [], form: [messages.invalidCode("verification")] };
  return { kind: "rejected", reason: "CODE_INVALID", problems };
}

function assertEnabled(tenant: Tenant): void {
  if (!tenant.settings.verification.enabled) throw domainError("VERIFICATION_DISABLED", {});
}
