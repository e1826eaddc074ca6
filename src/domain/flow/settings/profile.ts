import type { MailReach } from "../../courier/mail-reach.ts";
import type { Outbox } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import { newEvent } from "../../event/event.ts";
import { nodeName } from "../../form/form.ts";
import type { StepRejected } from "../../form/rejection.ts";
import { type OwnsAddress, ownsAlready } from "../../identity/address-claims.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import { isSameAddress } from "../../identity/addresses.ts";
import type { CompiledSchema } from "../../identity/compiled-schema.ts";
import type { Identity } from "../../identity/identity.ts";
import { changeableNow, changeBetween, type TraitsChange } from "../../identity/merge-patch.ts";
import { addressNotices, noticeOf } from "../../identity/notices.ts";
import { checkChange, mergeTraits, withoutPath, withoutWriteOnly } from "../../identity/own-traits.ts";
import {
  changedIdentity,
  newAddresses,
  type ProfilePlan,
  planProfileChange,
} from "../../identity/profile-change.ts";
import { completedEvents, doneBy, without } from "../../identity/required-actions.ts";
import type { IdentitySchemas } from "../../identity/schemas.ts";
import type { TraitsEtags } from "../../identity/traits-etags.ts";
import { type JsonObject, valueAt } from "../../json.ts";
import type { Clock } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { ChallengeRequest, Challenges, ProvedAddress } from "../challenge/challenges.ts";
import { withState } from "../challenge/states.ts";
import { saidAtField } from "../shared/address-bounced.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import type { FlowStore } from "../shared/store.ts";
import type { NotAccepted, StepResult } from "../shared/table.ts";
import { identifiersTaken, oneAddressAtATime, traitsInvalid } from "../shared/traits.ts";
import { assertWritten, ownOrigin, type SettingsAttempt, writtenOf } from "./change.ts";
import type { SettingsTypes } from "./state.ts";
import { revocationOf, type SettingsStore } from "./store.ts";

interface ProfileSettingsDependencies {
  readonly engine: FlowEngine;
  readonly flows: FlowStore;
  readonly store: SettingsStore;
  readonly schemas: IdentitySchemas;
  readonly challenges: Challenges;
  readonly etags: TraitsEtags;
  readonly outbox: Outbox;
  readonly mailReach: Pick<MailReach, "reaches">;
  readonly clock: Clock;
}

/** What sends a code to an address, and the change that waits for it. */
export interface AddressRequest extends ChallengeRequest {
  readonly change?: TraitsChange | undefined;
}

/** Changing one's own traits, and the addresses among them, within a settings flow. */
export class ProfileSettings {
  readonly #deps: ProfileSettingsDependencies;

  constructor(deps: ProfileSettingsDependencies) {
    this.#deps = deps;
  }

  /**
   * What a merge patch of the traits changes, or why that cannot be had; and the traits with it, as a form shows them. A user
   * name may be a verified address, or the new one: that which was proven, or which is about to be.
   */
  plan(
    tenant: Tenant,
    identity: Identity,
    patch: JsonObject,
    proven?: ContactAddress,
  ): { readonly plan: ProfilePlan | StepRejected; readonly merged: JsonObject } {
    const { traits } = identity;
    const schema = this.#deps.schemas.current(tenant, identity.schemaId);
    const owns: OwnsAddress = (claim, derived) => {
      const awaited = this.#isProofOffered(tenant) ? newAddresses(identity, derived) : [];
      return ownsAlready(identity, proven === undefined ? awaited : [proven])(claim, derived);
    };
    const country = tenant.settings.defaultCountry;
    const changed = checkChange(schema, traits, patch, { owns, country, reach: this.#deps.mailReach });
    const { merged } = changed;
    if (!changed.valid) return { plan: traitsInvalid(changed.violations, country), merged };
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
    const changed = this.#deps.etags.changedSince(etag, identity, patch);
    if (changed.length === 0) return undefined;
    const schema = this.#deps.schemas.current(tenant, identity.schemaId);
    const rest = changed.reduce(withoutPath, patch);
    const rejected = traitsChangedElsewhere(schema, changed, patch);
    return { rejected, merged: mergeTraits(identity.traits, rest).merged };
  }

  /**
   * Carries out a planned change; a new address takes effect once it is proven. Where no codes are on offer it is saved at
   * once, as one that is not verified: it neither signs in by code nor recovers.
   */
  async change(attempt: SettingsAttempt, plan: ProfilePlan): Promise<StepResult<SettingsTypes>> {
    const { added, traits } = plan;
    if (added.length > 1) return filledIn(attempt, oneAddressAtATime(), traits);
    const [address] = added;
    if (address === undefined || !this.#isProofOffered(attempt.tenant)) {
      return this.#save(attempt, plan, undefined);
    }
    return this.#proveAddress(attempt, plan, address);
  }

  /** Makes the change that waited for the proof of a new address. */
  async complete(
    attempt: SettingsAttempt,
    waiting: TraitsChange,
    { target, held }: ProvedAddress,
  ): Promise<StepResult<SettingsTypes>> {
    const { tenant, flow, identity } = attempt;
    // Security rule (SR-SETTINGS-3): what is confirmed is the address. Of the rest of the change nothing is made that would put back what
    // an operator, or the owner elsewhere, has changed since.
    const { plan } = this.plan(tenant, identity, changeableNow(waiting, identity.traits), target);
    if (plan.kind === "rejected") return plan;
    const isThere = plan.derived.verifiableAddresses.some((address) => isSameAddress(address, target));
    if (!isThere) throw domainError("FLOW_CHANGED", {});
    const revision = held[0]?.revision ?? flow.revision;
    return this.#save({ ...attempt, flow: { ...flow, revision } }, plan, target);
  }

  #isProofOffered(tenant: Tenant): boolean {
    return this.#deps.challenges.offered(tenant, "settings").includes("code");
  }

  /** Sends a code to a new address; nothing changes before it is entered. */
  async #proveAddress(
    attempt: SettingsAttempt,
    plan: ProfilePlan,
    added: Pick<ContactAddress, "kind" | "value">,
  ): Promise<StepResult<SettingsTypes>> {
    const { tenant, state, identity } = attempt;
    const { traits } = plan;
    const request = await this.proofRequest(tenant, identity, plan, added);
    if (request.kind === "rejected") return filledIn(attempt, request, traits);
    const { change, ...asked } = request;
    const sent = await this.#deps.challenges.request(attempt, asked);
    if (sent.kind === "rejected")
      return filledIn(attempt, saidAtField(sent, plan.derived, added.value), traits);
    const interrupted = "interrupted" in state ? state.interrupted : undefined;
    return withState<SettingsTypes>(sent, { ...sent.state, change, interrupted });
  }

  /** What sends a code to a new address, or why it cannot be had. A taken one is answered like a free one, and its owner is told. */
  async proofRequest(
    tenant: Tenant,
    { id: identityId, traits }: Identity,
    plan: ProfilePlan,
    added: Pick<ContactAddress, "kind" | "value">,
  ): Promise<AddressRequest | StepRejected> {
    const isTaken = (await this.#deps.flows.takenIdentifiers(tenant, [added.value])).length > 0;
    if (isTaken && !tenant.settings.enumerationSafe) {
      return identifiersTaken(plan.derived, new Set([added.value]));
    }
    const instead = { template: "registration_taken", data: {}, recipient: added } as const;
    return {
      ...{ kind: "code", sentTo: added.value, isFixed: true },
      ...(isTaken ? { target: undefined, instead } : { target: { ...added, identityId } }),
      change: changeBetween(traits, plan.traits),
    };
  }

  async #save(
    attempt: SettingsAttempt,
    plan: ProfilePlan,
    verified: ContactAddress | undefined,
  ): Promise<StepResult<SettingsTypes>> {
    const { tenant, flow, identity, session } = attempt;
    const { engine, store, outbox, clock } = this.#deps;
    const origin = ownOrigin(attempt);
    const at = clock.now();
    const done = doneBy(
      identity,
      "complete_traits",
      ...(verified === undefined ? [] : (["verify_address"] as const)),
    );
    const changed = changedIdentity(identity, plan, verified, at);
    const after = { ...changed, requiredActions: without(identity, done) };
    const event = { identityId: identity.id, data: { fields: ["traits"], by: "owner" } as const };
    const said = verified && ({ change: "address", address: verified.value } as const);
    const result = await store.changeProfile(tenant, {
      ...writtenOf(engine, attempt, said),
      identity: after,
      expectedRevision: identity.revision,
      endsOthers: plan.isSensitive,
      keep: session?.id,
      at,
      // The owner is told at every address that was verified, because the person who changes one may not read them all (ASVS V6.3.7).
      messages: addressNotices(outbox, identity, plan, noticeOf(flow, at, origin)),
      events: [
        newEvent("identity.updated", at, origin, event),
        ...completedEvents(identity.id, done, at, origin),
      ],
      revocationEvent: revocationOf(identity.id, origin, at),
    });
    if (result === "identifier_taken") {
      const own = new Set(identity.identifiers.map(({ value }) => value));
      const others = plan.derived.identifiers.map(({ value }) => value).filter((value) => !own.has(value));
      return filledIn(attempt, identifiersTaken(plan.derived, new Set(others)), plan.traits);
    }
    await assertWritten(engine, attempt, result);
    return { kind: "changed", identity: after, said };
  }
}

/** A rejection whose form is filled in with these traits. */
export function filledIn(
  { identity }: SettingsAttempt,
  rejected: StepRejected,
  traits: JsonObject,
): NotAccepted {
  const { patch } = changeBetween(identity.traits, traits);
  return { ...rejected, typed: Object.keys(patch).length === 0 ? {} : { traits: patch } };
}

/** The messages for traits that were changed elsewhere since the form was drawn: beside each new value, the typed value. */
function traitsChangedElsewhere(
  schema: CompiledSchema,
  paths: readonly (readonly string[])[],
  patch: JsonObject,
): StepRejected {
  // Security rule (SR-TRAIT-2): a write-only trait is not shown in a message either.
  const shown = withoutWriteOnly(schema, patch);
  const fields = paths.map((path) => ({
    name: nodeName("traits", ...path),
    message: texts.traitChangedElsewhere(valueAt(shown, path) ?? null),
  }));
  return { kind: "rejected", reason: "TRAITS_CHANGED", problems: { fields, form: [] } };
}
