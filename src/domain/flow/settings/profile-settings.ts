import type { Outbox } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import { newEvent } from "../../event/event.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import { type OwnsAddress, ownsAlready } from "../../identity/address-claims.ts";
import type { ProofTarget } from "../../identity/addresses.ts";
import { isSameAddress } from "../../identity/addresses.ts";
import type { Identity } from "../../identity/identity.ts";
import { changeableNow, changeBetween } from "../../identity/merge-patch.ts";
import { addressNotices, noticeOf } from "../../identity/notices.ts";
import { checkChange, mergeTraits, withoutPath } from "../../identity/own-traits.ts";
import {
  changedIdentity,
  newAddresses,
  type ProfilePlan,
  planProfileChange,
} from "../../identity/profile-change.ts";
import type { IdentitySchemas } from "../../identity/schemas.ts";
import type { TraitsEtags } from "../../identity/traits-etags.ts";
import type { JsonObject } from "../../json.ts";
import type { Clock } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { AddressProofs } from "../challenge/address-proofs.ts";
import type { FlowCaller } from "../shared/flow.ts";
import type { FlowKeeper } from "../shared/flow-keeper.ts";
import type { FlowStore } from "../shared/store.ts";
import {
  identifiersTaken,
  oneAddressAtATime,
  traitsChangedElsewhere,
  traitsInvalid,
} from "./settings-form.ts";
import { revocationOf, type SettingsStore } from "./settings-store.ts";
import { ownOrigin, type SettingsHolder, type SettingsOutcome, type SettingsView } from "./settings-view.ts";

interface ProfileSettingsDependencies {
  readonly keeper: FlowKeeper;
  readonly view: SettingsView;
  readonly flows: FlowStore;
  readonly store: SettingsStore;
  readonly schemas: IdentitySchemas;
  readonly proofs: AddressProofs;
  readonly etags: TraitsEtags;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/** Changing one's own traits, and the addresses among them, within a settings flow. */
export class ProfileSettings {
  readonly #keeper: FlowKeeper;
  readonly #view: SettingsView;
  readonly #flows: FlowStore;
  readonly #store: SettingsStore;
  readonly #schemas: IdentitySchemas;
  readonly #proofs: AddressProofs;
  readonly #etags: TraitsEtags;
  readonly #outbox: Outbox;
  readonly #clock: Clock;

  constructor(dependencies: ProfileSettingsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#view = dependencies.view;
    this.#flows = dependencies.flows;
    this.#store = dependencies.store;
    this.#schemas = dependencies.schemas;
    this.#proofs = dependencies.proofs;
    this.#etags = dependencies.etags;
    this.#outbox = dependencies.outbox;
    this.#clock = dependencies.clock;
  }

  /**
   * What a merge patch of the traits changes, or why that cannot be had; and the traits with it, as a form shows them. A user
   * name may be a verified address, or the new one: that which was proven, or which is about to be.
   */
  plan(
    tenant: Tenant,
    identity: Identity,
    patch: JsonObject,
    proven?: ProofTarget,
  ): { readonly plan: ProfilePlan | StepRejected; readonly merged: JsonObject } {
    const { traits } = identity;
    const schema = this.#schemas.current({ tenantId: tenant.id }, identity.schemaId);
    const owns: OwnsAddress = (claim, derived) => {
      const awaited = this.#isProofOffered(tenant) ? newAddresses(identity, derived) : [];
      return ownsAlready(identity, proven === undefined ? awaited : [proven])(claim, derived);
    };
    const changed = checkChange(schema, traits, patch, owns);
    const { merged } = changed;
    if (!changed.valid) return { plan: traitsInvalid(changed.violations), merged };
    return { plan: planProfileChange(identity, schema, merged, changed.derived), merged };
  }

  /**
   * The paths of a patch that were changed elsewhere since its form was drawn, and the traits with the rest of the patch, as
   * the form shows them again. Undefined if there are none, or if the patch cannot be read.
   */
  conflictOf(
    tenant: Tenant,
    identity: Identity,
    patch: JsonObject,
    etag: string,
  ): { readonly rejected: StepRejected; readonly merged: JsonObject } | undefined {
    if (mergeTraits(identity.traits, patch).beyondLimits !== undefined) return undefined;
    const changed = this.#etags.changedSince(etag, identity, patch);
    if (changed.length === 0) return undefined;
    const schema = this.#schemas.current({ tenantId: tenant.id }, identity.schemaId);
    const rest = changed.reduce(withoutPath, patch);
    const rejected = traitsChangedElsewhere(schema, changed, patch);
    return { rejected, merged: mergeTraits(identity.traits, rest).merged };
  }

  /**
   * Carries out a planned change; a new address takes effect once it is proven. Where no codes are on offer it is saved at
   * once, as one that is not verified: it neither signs in by code nor recovers.
   */
  async change(caller: FlowCaller, holder: SettingsHolder, plan: ProfilePlan): Promise<SettingsOutcome> {
    const { added, traits } = plan;
    if (added.length > 1) return this.#view.rejected(caller, holder, oneAddressAtATime(), traits);
    const [address] = added;
    if (address === undefined || !this.#isProofOffered(caller.tenant)) {
      return this.#save(caller, holder, plan, undefined);
    }
    return this.#proveAddress(caller, holder, plan, address);
  }

  /** Tries the step of a flow that waits for the proof of a new address. */
  async submitProof(
    caller: FlowCaller,
    holder: SettingsHolder,
    step: SubmittedStep,
  ): Promise<SettingsOutcome> {
    const { record, identity } = holder;
    const result = await this.#proofs.submit(caller, record, step);
    if (result.kind === "moved") return this.#view.nextStep(caller, holder, result.record);
    if (result.kind === "rejected") return this.#view.rejected(caller, holder, result);
    // Security rule: what is confirmed is the address. Of the rest of the change nothing is made that would put back what
    // an operator, or the owner elsewhere, has changed since.
    const waiting = record.data.profile;
    const patch = waiting === undefined ? {} : changeableNow(waiting, identity.traits);
    const { plan } = this.plan(caller.tenant, identity, patch, result.target);
    if (plan.kind === "rejected") return this.#view.rejected(caller, holder, plan);
    const { target } = result;
    const isThere = plan.derived.verifiableAddresses.some((address) => isSameAddress(address, target));
    if (!isThere) throw domainError("FLOW_CHANGED", {});
    const [held] = result.held;
    const current = { ...holder, record: { ...record, revision: held?.revision ?? record.revision } };
    return this.#save(caller, current, plan, target);
  }

  #isProofOffered(tenant: Tenant): boolean {
    return this.#proofs.forms.offered(tenant, "settings").includes("code");
  }

  /**
   * Sends a code to a new address; nothing changes before it is entered. A taken one is answered like a free one, and its
   * owner is told.
   */
  async #proveAddress(
    caller: FlowCaller,
    holder: SettingsHolder,
    plan: ProfilePlan,
    added: Pick<ProofTarget, "kind" | "value">,
  ): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const { traits } = plan;
    const address = { ...added, identityId: holder.identity.id };
    const isTaken = (await this.#flows.takenIdentifiers({ tenantId: tenant.id }, [added.value])).length > 0;
    if (isTaken && !tenant.settings.enumerationSafe) {
      const taken = identifiersTaken(plan.derived, new Set([added.value]));
      return this.#view.rejected(caller, holder, taken, traits);
    }
    const instead = { template: "registration_taken", data: {}, recipient: added } as const;
    const next = await this.#proofs.request(caller, holder.record, {
      kind: "code",
      sentTo: added.value,
      target: isTaken ? undefined : address,
      ...(isTaken && { instead }),
      data: { profile: changeBetween(holder.identity.traits, traits) },
    });
    return this.#view.nextStep(caller, holder, next);
  }

  async #save(
    caller: FlowCaller,
    holder: SettingsHolder,
    plan: ProfilePlan,
    verified: ProofTarget | undefined,
  ): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const { record, identity, session } = holder;
    const origin = ownOrigin(caller, holder);
    const at = this.#clock.now();
    const after = changedIdentity(identity, plan, verified, at);
    const event = { identityId: identity.id, data: { fields: ["traits"], by: "owner" } };
    const result = await this.#store.changeProfile(
      { tenantId: tenant.id },
      {
        held: { digest: record.digest, revision: record.revision },
        identity: after,
        expectedRevision: identity.revision,
        endsOthers: plan.isSensitive,
        keep: session?.id,
        at,
        messages: this.#notices(holder, plan, at),
        events: [newEvent("identity.updated", at, origin, event)],
        revocationEvent: revocationOf(identity.id, origin, at),
        ...this.#view.afterChange(caller, { ...holder, identity: after }),
      },
    );
    if (result === "flow_taken") throw await this.#keeper.taken(tenant, record);
    if (result === "identity_changed") throw domainError("FLOW_CHANGED", {});
    if (result === "identifier_taken") {
      return this.#view.rejected(caller, holder, identifiersTaken(plan.derived));
    }
    return this.#view.saved(caller, holder, after);
  }

  /** The owner is told at every address that was verified, which whoever changes one may not read all (ASVS V6.3.7). */
  #notices({ record, identity }: SettingsHolder, plan: ProfilePlan, at: Date) {
    return addressNotices(this.#outbox, identity, plan, noticeOf(record, at));
  }
}
