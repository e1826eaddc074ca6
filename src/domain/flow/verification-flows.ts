import { domainError } from "../errors.ts";
import { newEvent } from "../event/event.ts";
import type { Identity } from "../identity/identity.ts";
import type { IdentityId } from "../ids.ts";
import * as messages from "../message/message.ts";
import type { StepRejected, SubmittedStep } from "../method/method.ts";
import type { Clock } from "../ports.ts";
import type { Tenant } from "../tenant/tenant.ts";
import {
  type AddressStart,
  type AddressSubmission,
  addressNodes,
  addressShape,
  addressStart,
  nobodyHasIt,
  toAddress,
} from "./address-form.ts";
import type { AddressProofs, ProvedAddress } from "./address-proofs.ts";
import type { CreatedFlow, Flow, FlowCaller, FlowOutcome, FlowRecord, ProofTarget } from "./flow.ts";
import type { FlowKeeper, FlowShape } from "./flow-keeper.ts";
import type { FlowStore } from "./store.ts";

/** What a completed verification gives. */
export interface VerificationCompleted {
  readonly returnTo: string | undefined;
}

interface VerificationFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly proofs: AddressProofs;
  readonly clock: Clock;
}

/** Showing that an address is one's own. It signs nobody in. */
export class VerificationFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #proofs: AddressProofs;
  readonly #clock: Clock;
  readonly #shape: FlowShape;

  constructor({ keeper, flows, proofs, clock }: VerificationFlowsDependencies) {
    this.#keeper = keeper;
    this.#flows = flows;
    this.#proofs = proofs;
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

  /** The flow as it stands. Throws FLOW_EXPIRED with the id of a fresh one. */
  async get(caller: FlowCaller, flowId: string): Promise<Flow> {
    return this.#keeper.get(caller, this.#shape, flowId);
  }

  /**
   * The verification that follows a registration: its code is on its way. Undefined where the configuration wants none,
   * or there is nothing to verify. The browser has its cookie already.
   */
  async afterRegistration(
    caller: FlowCaller,
    flow: FlowRecord,
    identity: Identity,
  ): Promise<Flow | undefined> {
    const { settings } = caller.tenant;
    const [kind] = this.#proofs.forms.offered(caller.tenant, "verification");
    const address = identity.verifiableAddresses.find(({ verifiedAt }) => verifiedAt === undefined);
    const wanted = settings.verification.enabled && settings.verification.afterRegistration;
    if (!wanted || kind === undefined || address === undefined) return undefined;
    const target = { kind: address.kind, value: address.value, identityId: identity.id };
    const created = await this.#keeper.create(caller, this.#shape, {
      client: flow.client,
      returnTo: flow.returnTo,
      data: {},
      identityId: identity.id,
      prepare: (record) => this.#proofs.begin(caller.tenant, record, { kind, sentTo: address.value, target }),
    });
    return created.flow;
  }

  /** Tries what was submitted. */
  async submit(
    caller: FlowCaller,
    submission: AddressSubmission,
  ): Promise<FlowOutcome<VerificationCompleted>> {
    const { tenant } = caller;
    const { step, flowId } = submission;
    const found = await this.#keeper.find(tenant, "verification", flowId);
    if (this.#keeper.hold(caller, found).record.data.operator === undefined) assertEnabled(tenant);
    const entered = await this.#keeper.enter(caller, this.#shape, found, submission);
    if (entered.kind === "expired") return entered;
    const { record } = entered;
    if (record.data.pending !== undefined) return this.#submitProof(caller, record, flowId, step);

    const kind = this.#proofs.requested(tenant, "verification", step);
    const address = toAddress(submission.address);
    const reject = (rejected: StepRejected) => {
      const nodes = addressNodes(tenant, "verification", this.#proofs, submission.address);
      return this.#keeper.rejected(caller, this.#shape, flowId, record, rejected, nodes);
    };
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
  ): Promise<FlowOutcome<VerificationCompleted>> {
    const reject = (rejected: StepRejected) =>
      this.#keeper.rejected(caller, this.#shape, flowId, record, rejected);
    const result = await this.#proofs.submit(caller, record, step, {
      lookUp: async (typed) => {
        const address = toAddress(typed);
        if ("rejected" in address) return undefined;
        const { kind, value } = address;
        return targetOf(
          await this.#flows.findByAddress({ tenantId: caller.tenant.id }, kind, value),
          address,
        );
      },
    });
    if (result.kind === "moved") return this.#keeper.nextStep(caller, this.#shape, flowId, result.record);
    if (result.kind === "rejected") return reject(result);
    const { identityId } = result.target;
    const completed = identityId !== undefined && (await this.#complete(caller, record, result, identityId));
    return completed
      ? { kind: "completed", completed: { returnTo: record.returnTo } }
      : reject(addressGone());
  }

  async #complete(
    caller: FlowCaller,
    record: FlowRecord,
    { target, held }: ProvedAddress,
    identityId: IdentityId,
  ): Promise<boolean> {
    const at = this.#clock.now();
    const data = { kind: target.kind };
    const result = await this.#flows.completeVerification(
      { tenantId: caller.tenant.id },
      {
        held,
        target: { ...target, identityId },
        at,
        events: [newEvent("address.verified", at, caller.origin, { identityId, data })],
      },
    );
    if (result === "flow_taken") throw await this.#keeper.taken(caller.tenant, record);
    return result === "completed";
  }
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
