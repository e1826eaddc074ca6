import { domainError } from "../../errors.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import type { MethodKind } from "../../kinds.ts";
import type { LoginCandidate, LoginMethod } from "../../method/method.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { AddressProofs } from "../challenge/address-proofs.ts";
import { advanceFlow } from "../shared/advance-flow.ts";
import type { EnteredIdentifier, FlowRecord } from "../shared/flow.ts";
import type { FlowStore } from "../shared/store.ts";
import { asksIdentifier } from "./login-form.ts";
import { loginTarget } from "./login-identifier.ts";

interface IdentifierStageDependencies {
  readonly flows: FlowStore;
  readonly methods: readonly LoginMethod[];
  readonly proofs: AddressProofs;
}

/** The stage of a login that asks who signs in, before anything that proves it. */
export class IdentifierStage {
  readonly #flows: FlowStore;
  readonly #methods: readonly LoginMethod[];
  readonly #proofs: AddressProofs;

  constructor({ flows, methods, proofs }: IdentifierStageDependencies) {
    this.#flows = flows;
    this.#methods = methods;
    this.#proofs = proofs;
  }

  /**
   * Remembers who signs in; undefined if nobody does so with it, and that may be told. One round trip. Throws FLOW_CHANGED.
   *
   * Security rule: unless `enumeration_safe` is switched off, the answer, the work and the methods that are offered next are
   * the same whoever is named (ASVS V6.3.8).
   */
  async identify(
    tenant: Tenant,
    flow: FlowRecord,
    entered: EnteredIdentifier,
    candidate: LoginCandidate | undefined,
  ): Promise<FlowRecord | undefined> {
    const methods = tenant.settings.enumerationSafe ? undefined : this.#methodsOf(tenant, entered, candidate);
    if (methods?.length === 0) return undefined;
    const { typed: _before, ...data } = flow.data;
    const identifier = { ...entered, ...(methods && { methods }) };
    // Whose flow it is stays open until something is sent or proven.
    return advanceFlow(this.#flows, tenant, flow, { data: { ...data, identifier }, identityId: undefined });
  }

  /** Goes back to the question who signs in, with what was typed filled in. One round trip. Throws FLOW_CHANGED. */
  forget(tenant: Tenant, flow: FlowRecord, { typed }: EnteredIdentifier): Promise<FlowRecord> {
    const { identifier: _forgotten, ...data } = flow.data;
    return advanceFlow(this.#flows, tenant, flow, { data: { ...data, typed }, identityId: undefined });
  }

  /** What an account signs in with; nothing if it cannot. */
  #methodsOf(
    tenant: Tenant,
    { value }: EnteredIdentifier,
    candidate: LoginCandidate | undefined,
  ): readonly MethodKind[] {
    if (candidate?.identity.state !== "active") return [];
    const { identity, credentialKinds } = candidate;
    const own = this.#methods.filter(
      ({ factor, credential }) =>
        factor !== "second" && (credential === undefined || credentialKinds.includes(credential)),
    );
    const isReached = loginTarget(identity, value) !== undefined;
    return [
      ...own.map(({ kind }) => kind),
      ...(isReached ? this.#proofs.forms.offered(tenant, "login") : []),
    ];
  }
}

/**
 * Security rule: no stage is skipped. Where a flow asks first who signs in, nothing can be tried before, and after it only what
 * it offers then. `kind`: the method that the step belongs to or asks for. Throws STEP_NOT_OFFERED.
 */
export function assertOffered(
  tenant: Tenant,
  flow: FlowRecord,
  step: SubmittedStep,
  kind: MethodKind | undefined,
): void {
  const { identifier, ofOwner, firstFactor, method } = flow.data;
  const offered = method === undefined ? (firstFactor ?? identifier ?? ofOwner)?.methods : [method.kind];
  const isOffered = asksIdentifier(tenant, flow)
    ? step.name === "identify"
    : kind !== undefined && (offered === undefined || offered.includes(kind));
  if (!isOffered) throw domainError("STEP_NOT_OFFERED", { step: step.name });
}
