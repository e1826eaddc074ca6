import type { Outbox } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import type { CallOrigin } from "../../event/event.ts";
import { newEvent } from "../../event/event.ts";
import type { StepRejected } from "../../form/rejection.ts";
import { type ContactAddress, isSameAddress } from "../../identity/addresses.ts";
import { type Credential, formerOf, type Identity, storedCredential } from "../../identity/identity.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import { changeableNow, changeBetween } from "../../identity/merge-patch.ts";
import { addressNotices, noticeOf, noticesTo } from "../../identity/notices.ts";
import { mergeTraits } from "../../identity/own-traits.ts";
import { changedIdentity, type ProfilePlan } from "../../identity/profile-change.ts";
import { completedEvents, doneBy, without } from "../../identity/required-actions.ts";
import { type CredentialId, newId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type {
  Authentication,
  LoginCandidate,
  SecretChanged,
  SettingsMethod,
  SettingsStep,
} from "../../method/method.ts";
import type { Clock } from "../../ports.ts";
import { levelOf } from "../../session/sessions.ts";
import type { Challenges, ProvedAddress } from "../challenge/challenges.ts";
import { withState } from "../challenge/states.ts";
import type { AddressRequest, ProfileSettings } from "../settings/profile.ts";
import type { OwnChange, OwnChangeResult, SettingsStore } from "../settings/store.ts";
import { revocationOf } from "../settings/store.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import { addsNothing, type SecondFactors } from "../shared/second-factors.ts";
import type { SecretSteps } from "../shared/secret-steps.ts";
import type { HeldRevision } from "../shared/store.ts";
import type { AttemptOf, Moved, NotAccepted, RecordOf, StepResult } from "../shared/table.ts";
import { credentialTaken, identifiersTaken, oneAddressAtATime } from "../shared/traits.ts";
import type { LoginCompletions } from "./complete.ts";
import { changesAccount, type PendingActions } from "./pending-actions.ts";
import { type LoginState, type LoginTypes, type ProvedLogin, secondFactorWantedBy } from "./state.ts";

type ActionState = Extract<LoginState, { at: "required_action" }>;
export type ActionAttempt = AttemptOf<LoginTypes, ActionState>;

interface LoginActionsDependencies {
  readonly engine: FlowEngine;
  readonly store: SettingsStore;
  readonly pending: PendingActions;
  readonly secondFactors: Pick<SecondFactors, "isEnough">;
  readonly profile: Pick<ProfileSettings, "plan" | "proofRequest">;
  readonly secrets: SecretSteps;
  readonly challenges: Challenges;
  readonly completions: LoginCompletions;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/** The account as an action leaves it. */
interface Changed {
  readonly identity: Identity;
  readonly credentials: readonly Credential[];
  /** What was shown by the action. */
  readonly shown?: Authentication | undefined;
}

/**
 * What is done before the session of a login: each action is written together with the step of the flow, and the last one is
 * followed by the session. Everything that ends the account's flows ends this one as well.
 */
export class LoginActions {
  readonly #deps: LoginActionsDependencies;

  constructor(deps: LoginActionsDependencies) {
    this.#deps = deps;
  }

  /**
   * What a step of a flow finds that has waited: the action is still asked for, or not any more, or a second factor is shown first.
   *
   * Security rule (SR-ACTION-3): one that was set up while the flow waited is shown before anything is done.
   */
  standing(attempt: ActionAttempt): "asked" | "not_asked" | "too_little" {
    const { tenant, flow, state } = attempt;
    const { pending, secondFactors, clock } = this.#deps;
    const owner = ownerOf(attempt);
    const { proofs } = state.proved;
    const { purpose } = flow.data;
    const { before } = pending.find(tenant, owner, { proofs, purpose, at: clock.now() });
    const asked = before.find(({ kind }) => kind === state.action?.kind);
    const why = asked && changesAccount(asked) ? undefined : secondFactorWantedBy(purpose);
    const shown = { assuranceLevel: levelOf(proofs), authenticationMethods: proofs };
    if (!secondFactors.isEnough(tenant, shown, owner, why)) return "too_little";
    return asked === undefined ? "not_asked" : "asked";
  }

  /** Sets a password, or sets a second factor up. Throws RATE_LIMITED, FLOW_CHANGED. */
  async setSecret(
    attempt: ActionAttempt,
    method: SettingsMethod,
    step: SettingsStep,
  ): Promise<StepResult<LoginTypes>> {
    const { state } = attempt;
    const { identity, credentials } = ownerOf(attempt);
    const memory = state.method?.kind === method.kind ? state.method.memory : undefined;
    const taken = await this.#deps.secrets.take(
      attempt,
      { method, step },
      {
        ...{ identity, credentials, memory, standing: "before_session" },
        // All that changes of the account ask for was just shown.
        isFresh: true,
      },
    );
    if (taken.kind === "rejected") return taken;
    if (taken.kind === "changed") return this.#storeSecret(attempt, taken, this.#deps.clock.now());
    const { memory: kept, messages, sent, url } = taken;
    const next = { ...state, method: { kind: method.kind, memory: kept } };
    return { kind: "moved", state: next, identityId: identity.id, messages, sent, url };
  }

  async #storeSecret(
    attempt: ActionAttempt,
    { credential: made, notice, authentication, endsOtherSessions }: SecretChanged,
    at: Date,
  ): Promise<StepResult<LoginTypes>> {
    const { tenant, flow, state } = attempt;
    const { identity, credentials } = ownerOf(attempt);
    const origin = originOf(attempt, identity);
    const kind = state.action?.kind === "set_password" ? "set_password" : "enrol_factor";
    const former = formerOf(credentials, made);
    const isSecondFactor = kind === "enrol_factor" || (made.isSecondFactor ?? false);
    const id = former?.id ?? newId<CredentialId>(at);
    const credential = { ...made, isSecondFactor, id };
    const own = storedCredential(credential, former, at);
    const done = doneBy(identity, kind);
    const change = {
      identity: { ...identity, requiredActions: without(identity, done) },
      credentials: [...credentials.filter((each) => each !== former), own],
      shown: authentication,
    };
    const next = this.#after(attempt, change, at);
    const result = await this.#deps.store.changeCredential(tenant, {
      ...this.#written(flow, next, at),
      completes: false,
      identityId: identity.id,
      credential,
      session: undefined,
      keep: endsOtherSessions ? undefined : "all",
      doneActions: done.map(({ id: action }) => action),
      messages: noticesTo(this.#deps.outbox, identity, notice, noticeOf(flow, at, origin)),
      events: [
        newEvent("credential.set", at, origin, { identityId: identity.id, data: { kind: made.kind } }),
        ...completedEvents(identity.id, done, at, origin),
      ],
      revocationEvent: revocationOf(identity.id, origin, at),
    });
    if (result === "credential_taken") return credentialTaken();
    return this.#goOn(attempt, result, next);
  }

  /** Accepts a document, as it was shown. */
  async acceptTerms(attempt: ActionAttempt): Promise<StepResult<LoginTypes>> {
    const { tenant, flow, step, state } = attempt;
    const { identity, credentials } = ownerOf(attempt);
    // What is accepted is what was read: another version is shown first.
    if (step.fields.actionId !== state.action?.id) throw domainError("FLOW_CHANGED", {});
    const done = identity.requiredActions.filter(({ id }) => id === state.action?.id);
    // Nobody asks for it any more.
    if (done.length === 0) return this.#complete(attempt, flow);
    const at = this.#deps.clock.now();
    const origin = originOf(attempt, identity);
    const left = { ...identity, requiredActions: without(identity, done) };
    const next = this.#after(attempt, { identity: left, credentials }, at);
    const result = await this.#deps.store.completeActions(tenant, {
      ...this.#written(flow, next, at),
      identityId: identity.id,
      doneActions: done.map(({ id }) => id),
      messages: [],
      events: completedEvents(identity.id, done, at, origin),
    });
    return this.#goOn(attempt, result, next);
  }

  /** Sends a code to the address that is to be verified. */
  async sendCode(attempt: ActionAttempt): Promise<StepResult<LoginTypes>> {
    const { state } = attempt;
    const { identity } = ownerOf(attempt);
    const address = state.action?.address;
    if (address === undefined) throw domainError("FLOW_CHANGED", {});
    const target = { ...address, identityId: identity.id };
    return this.#send(attempt, { kind: "code", sentTo: maskAddress(address), target, isFixed: true });
  }

  /** Fills in what is missing. A new address is proven first where codes are on offer; its owner is told where it is taken. */
  async completeTraits(attempt: ActionAttempt): Promise<StepResult<LoginTypes>> {
    const { tenant } = attempt;
    const { identity } = ownerOf(attempt);
    const { plan, merged } = this.#deps.profile.plan(tenant, identity, typedPatch(attempt, identity));
    if (plan.kind === "rejected") return filledIn(plan, identity, merged);
    const [added, ...others] = plan.added;
    // Security rule (SR-OWNER-7): no address is taken that is not proven, as in the settings.
    if (others.length > 0) return filledIn(oneAddressAtATime(), identity, merged);
    const isProven = this.#deps.challenges.offered(tenant, "settings").includes("code");
    if (added === undefined || !isProven) return this.#saveTraits(attempt, plan);
    const request = await this.#deps.profile.proofRequest(tenant, identity, plan, added);
    if (request.kind === "rejected") return filledIn(request, identity, merged);
    return this.#send(attempt, request);
  }

  /** What follows from the code of an address. */
  async proveAddress(
    attempt: AttemptOf<LoginTypes>,
    { target, held }: ProvedAddress,
  ): Promise<StepResult<LoginTypes>> {
    const { tenant, flow, state } = attempt;
    if (state.at !== "enter_code" || state.proved === undefined) throw domainError("FLOW_CHANGED", {});
    const { proved, action, change, typed } = state;
    const revision = held[0]?.revision ?? flow.revision;
    const before: ActionState = { at: "required_action", proved, action, typed };
    const own: ActionAttempt = { ...attempt, state: before, flow: { ...flow, revision } };
    const { identity } = ownerOf(attempt);
    if (this.standing(own) === "too_little") throw domainError("FLOW_CHANGED", {});
    if (change !== undefined) {
      const patch = changeableNow(change, identity.traits);
      const { plan, merged } = this.#deps.profile.plan(tenant, identity, patch, target);
      if (plan.kind === "rejected") return filledIn(plan, identity, merged);
      const isThere = plan.derived.verifiableAddresses.some((address) => isSameAddress(address, target));
      if (!isThere) throw domainError("FLOW_CHANGED", {});
      return this.#saveTraits(own, plan, target);
    }
    // The address is verified, whatever else of the traits is missing.
    if (!identity.verifiableAddresses.some((address) => isSameAddress(address, target))) {
      throw domainError("FLOW_CHANGED", {});
    }
    const at = this.#deps.clock.now();
    const verified: Identity = {
      ...identity,
      updatedAt: at,
      revision: identity.revision + 1,
      verifiableAddresses: identity.verifiableAddresses.map((address) =>
        isSameAddress(address, target) ? { ...address, verifiedAt: at } : address,
      ),
    };
    const events = [
      newEvent("address.verified", at, originOf(attempt, identity), {
        identityId: identity.id,
        data: { kind: target.kind },
      }),
    ];
    return this.#writeIdentity(own, verified, { kinds: ["verify_address"], events, isSensitive: false }, at);
  }

  /** Gives the session, once nothing is left to do. */
  finish(attempt: AttemptOf<LoginTypes>): Promise<StepResult<LoginTypes>> {
    return this.#complete(attempt, attempt.flow);
  }

  async #saveTraits(
    attempt: ActionAttempt,
    plan: ProfilePlan,
    verified?: ContactAddress,
  ): Promise<StepResult<LoginTypes>> {
    const { flow } = attempt;
    const { identity } = ownerOf(attempt);
    const at = this.#deps.clock.now();
    const after = changedIdentity(identity, plan, verified, at);
    const origin = originOf(attempt, identity);
    const data = { fields: ["traits"], by: "owner" } as const;
    const result = await this.#writeIdentity(
      attempt,
      after,
      {
        kinds: verified === undefined ? ["complete_traits"] : ["complete_traits", "verify_address"],
        events: [newEvent("identity.updated", at, origin, { identityId: identity.id, data })],
        messages: addressNotices(this.#deps.outbox, identity, plan, noticeOf(flow, at, origin)),
        isSensitive: plan.isSensitive,
        taken: () =>
          filledIn(identifiersTaken(plan.derived, othersOf(identity, plan)), identity, plan.traits),
      },
      at,
    );
    return result;
  }

  async #writeIdentity(
    attempt: ActionAttempt,
    after: Identity,
    change: Pick<OwnChange, "events"> & {
      readonly kinds: readonly ("verify_address" | "complete_traits")[];
      readonly isSensitive: boolean;
      readonly messages?: OwnChange["messages"];
      readonly taken?: () => NotAccepted;
    },
    at: Date,
  ): Promise<StepResult<LoginTypes>> {
    const { tenant, flow } = attempt;
    const { identity, credentials } = ownerOf(attempt);
    const origin = originOf(attempt, identity);
    const done = doneBy(identity, ...change.kinds);
    const left = { ...after, requiredActions: without(identity, done) };
    const next = this.#after(attempt, { identity: left, credentials }, at);
    const result = await this.#deps.store.changeProfile(tenant, {
      ...this.#written(flow, next, at),
      identity: left,
      expectedRevision: identity.revision,
      endsOthers: change.isSensitive,
      keep: undefined,
      messages: change.messages ?? [],
      events: [...change.events, ...completedEvents(identity.id, done, at, origin)],
      revocationEvent: revocationOf(identity.id, origin, at),
    });
    if (result === "identifier_taken") {
      if (change.taken !== undefined) return change.taken();
      throw domainError("FLOW_CHANGED", {});
    }
    return this.#goOn(attempt, result, next);
  }

  /** The state after an action: the next one, or that nothing is left. */
  #after(attempt: ActionAttempt, { identity, credentials, shown }: Changed, at: Date): ActionState {
    const { tenant, flow, state } = attempt;
    const given = { ...shown, purpose: "sign_in", completedAt: at.toISOString() };
    const proved: ProvedLogin =
      shown === undefined || addsNothing(state.proved.proofs, shown)
        ? state.proved
        : { ...state.proved, proofs: [...state.proved.proofs, given as ProvedLogin["proofs"][number]] };
    const { purpose } = flow.data;
    const { next } = this.#deps.pending.find(
      tenant,
      { identity, credentials },
      { proofs: proved.proofs, purpose, at },
    );
    return { at: "required_action", typed: state.typed, proved, action: next };
  }

  #written(
    { digest, revision, data }: RecordOf<LoginTypes>,
    state: ActionState,
    at: Date,
  ): Pick<OwnChange, "held" | "kept" | "data" | "at"> {
    return { held: { digest, revision }, kept: undefined, data: { ...data, state }, at };
  }

  /** Goes on after an action that was written: to the next one, or to the session. Throws FLOW_CHANGED, FLOW_COMPLETED. */
  async #goOn(
    attempt: AttemptOf<LoginTypes>,
    result: OwnChangeResult,
    state: ActionState,
  ): Promise<StepResult<LoginTypes>> {
    const { tenant, flow } = attempt;
    if (result === "flow_taken") throw await this.#deps.engine.taken(tenant, flow);
    if (result === "identity_changed") throw domainError("FLOW_CHANGED", {});
    const identityId = flow.identityId;
    if (state.action !== undefined) return { kind: "moved", state, identityId, isWritten: true };
    const data = { ...flow.data, state };
    const after = { ...flow, data, revision: flow.revision + 1, challenge: undefined };
    return this.#complete(attempt, after);
  }

  async #complete(
    { caller, readAgain }: AttemptOf<LoginTypes>,
    flow: RecordOf<LoginTypes>,
  ): Promise<StepResult<LoginTypes>> {
    const { state } = flow.data;
    const address = "proved" in state ? state.proved?.address : undefined;
    const held: readonly HeldRevision[] = [{ digest: flow.digest, revision: flow.revision }];
    const prove = async () => {
      const candidate = await readAgain();
      if (candidate?.identity.state !== "active" || candidate.identity.id !== flow.identityId) {
        throw domainError("FLOW_CHANGED", {});
      }
      const proof =
        address === undefined
          ? ({ kind: "credential" } as const)
          : ({ kind: "address", target: { ...address, identityId: candidate.identity.id } } as const);
      // Nothing is compared any more: what was proven is with the flow, which ends with whatever it rests on.
      return { kind: "proved", candidate: { ...candidate, credential: undefined }, proof, held } as const;
    };
    return this.#deps.completions.complete(caller, flow, await prove(), prove);
  }

  async #send(
    attempt: ActionAttempt,
    { change, ...request }: AddressRequest,
  ): Promise<Moved<LoginState> | StepRejected> {
    const { proved, action, typed } = attempt.state;
    const sent = await this.#deps.challenges.request(attempt, {
      ...request,
      kind: "code",
      as: "verification",
    });
    if (sent.kind === "rejected") return sent;
    return withState<LoginTypes>(sent, { ...sent.state, proved, action, typed, change });
  }
}

/** Whose login it is; all that was asked for is shown by then. */
function ownerOf({ candidate, flow }: AttemptOf<LoginTypes>): LoginCandidate {
  if (candidate === undefined || candidate.identity.id !== flow.identityId) {
    throw domainError("FLOW_CHANGED", {});
  }
  return candidate;
}

/**
 * What was changed in the form, as far as it can still be made. Security rule (SR-SETTINGS-3): a form that waited puts nothing back that
 * somebody else has changed meanwhile.
 */
function typedPatch({ state, traits }: ActionAttempt, identity: Identity): JsonObject {
  const drawn = state.action?.profile?.traits ?? identity.traits;
  const { merged, beyondLimits } = mergeTraits(drawn, traits);
  return beyondLimits === undefined ? changeableNow(changeBetween(drawn, merged), identity.traits) : traits;
}

function originOf({ caller }: AttemptOf<LoginTypes>, { id }: Identity): CallOrigin {
  return { ...caller.origin, actor: { kind: "identity", identityId: id } };
}

function filledIn(rejected: StepRejected, identity: Identity, traits: JsonObject): NotAccepted {
  return { ...rejected, typed: { traits: changeBetween(identity.traits, traits).patch } };
}

function othersOf(identity: Identity, { derived }: ProfilePlan): ReadonlySet<string> {
  const own = new Set(identity.identifiers.map(({ value }) => value));
  return new Set(derived.identifiers.map(({ value }) => value).filter((value) => !own.has(value)));
}
