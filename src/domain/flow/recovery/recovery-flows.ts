import type { Outbox } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import { newEvent } from "../../event/event.ts";
import { type FilledForm, submissionOf } from "../../form/form-submission.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { Identity } from "../../identity/identity.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import { noticeOf, noticesTo } from "../../identity/notices.ts";
import * as messages from "../../message/message.ts";
import type { Clock, Tokens } from "../../ports.ts";
import { newSession } from "../../session/sessions.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Throttle } from "../../throttle/throttle.ts";
import type { ReadFlow } from "../any-flows.ts";
import type { AddressProofs, ProvedAddress } from "../challenge/address-proofs.ts";
import type { AccountClaims, Claim } from "../claim/account-claims.ts";
import type { SecondFactorStage } from "../login/second-factor-stage.ts";
import type { SettingsFlows } from "../settings/settings-flows.ts";
import {
  type AddressStart,
  type AddressSubmission,
  addressStart,
  nobodyHasIt,
  toAccountName,
} from "../shared/address-form.ts";
import { advanceFlow } from "../shared/advance-flow.ts";
import type {
  AddressChoice,
  CreatedFlow,
  Flow,
  FlowCaller,
  FlowCompleted,
  FlowFound,
  FlowOutcome,
  FlowRecord,
  LoginComesFirst,
} from "../shared/flow.ts";
import type { FlowKeeper, FlowShape } from "../shared/flow-keeper.ts";
import type { FlowStore } from "../shared/store.ts";
import {
  addressIdRequired,
  addressNotOffered,
  choiceAmong,
  chosenAddress,
  isClaimable,
  isRecoverable,
  recoverableAddresses,
  recoveryShape,
  recoveryTarget,
} from "./recovery-form.ts";

/** What a completed recovery gives. */
export interface RecoveryCompleted {
  /** The flow in which the new secret is set; undefined where somebody signed in, and keeps what they had set up. */
  readonly settings: Flow | undefined;
  /** Only where the configuration gives the session at once. */
  readonly session: Pick<FlowCompleted, "session" | "token" | "client" | "identity" | "device"> | undefined;
}

/** What came of a submit to a recovery. */
export type RecoveryOutcome = FlowOutcome<RecoveryCompleted> | LoginComesFirst;

interface RecoveryFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly proofs: AddressProofs;
  readonly settings: SettingsFlows;
  readonly secondFactors: SecondFactorStage;
  readonly claims: AccountClaims;
  readonly outbox: Outbox;
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** Whose flow it is, as far as that is known, and what they sign in with. */
type Owner = Pick<Awaited<ReturnType<FlowStore["findWithIdentity"]>>, "identity" | "credentialKinds">;

/**
 * Getting back into an account whose secret is lost. What comes of it is a settings flow in which a new secret must be
 * set, and only then a session: a stolen mailbox leaves its owner a changed password to notice.
 */
export class RecoveryFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #proofs: AddressProofs;
  readonly #settings: SettingsFlows;
  readonly #secondFactors: SecondFactorStage;
  readonly #claims: AccountClaims;
  readonly #outbox: Outbox;
  readonly #throttle: Throttle;
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  readonly #shape: FlowShape;

  constructor(dependencies: RecoveryFlowsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#flows = dependencies.flows;
    this.#proofs = dependencies.proofs;
    this.#settings = dependencies.settings;
    this.#secondFactors = dependencies.secondFactors;
    this.#claims = dependencies.claims;
    this.#outbox = dependencies.outbox;
    this.#throttle = dependencies.throttle;
    this.#tokens = dependencies.tokens;
    this.#clock = dependencies.clock;
    this.#shape = recoveryShape(this.#proofs);
  }

  /** Begins a recovery. Throws RECOVERY_DISABLED, LINK_INVALID, RETURN_TO_NOT_ALLOWED. */
  async create(caller: FlowCaller, start: AddressStart): Promise<CreatedFlow> {
    this.#keeper.assertClient(caller, start.client);
    const flow = await addressStart(caller.tenant, this.#proofs, "recovery", start);
    if (flow.data.operator === undefined) assertEnabled(caller.tenant);
    return this.#keeper.create(caller, this.#shape, flow);
  }

  /** The flow as its holder sees it, or a fresh one in its place. */
  show(caller: FlowCaller, flowId: string, { flow }: ReadFlow): Promise<FlowFound> {
    return this.#keeper.show(caller, this.#shape, flowId, flow);
  }

  /** Tries what was submitted. */
  async submit(
    caller: FlowCaller,
    submitted: AddressSubmission | FilledForm,
    read?: ReadFlow,
  ): Promise<RecoveryOutcome> {
    const { tenant } = caller;
    const digest = this.#keeper.digestOf(tenant, submitted.flowId);
    const found = read ?? (await this.#flows.findWithIdentity({ tenantId: tenant.id }, "recovery", digest));
    const { flow, identity } = found;
    if (this.#keeper.hold(caller, flow).record.data.operator === undefined) assertEnabled(tenant);
    const entered = await this.#keeper.enter(caller, this.#shape, flow, submitted);
    if (entered.kind !== "entered") return entered;
    const { record } = entered;
    const submission = submissionOf(submitted, () => this.#shape.form(tenant, record).nodes);
    const { pending, choice } = record.data;
    if (pending?.kind === "claim") return this.#answerClaim(caller, record, submission, pending);
    if (pending !== undefined) return this.#submitProof(caller, record, found, submission);
    if (choice !== undefined) return this.#submitChoice(caller, record, choice, identity, submission);
    return this.#submitName(caller, record, submission);
  }

  /** Sends a code or link to whoever was named, or asks where to send it. */
  async #submitName(
    caller: FlowCaller,
    record: FlowRecord,
    { step, flowId, address }: AddressSubmission,
  ): Promise<FlowOutcome<never>> {
    const { tenant } = caller;
    const kind = this.#proofs.requested(tenant, "recovery", step);
    const sentTo = address.trim();
    const name = toAccountName(address);
    const reject = (rejected: StepRejected) =>
      this.#keeper.rejected(caller, this.#shape, flowId, record, rejected, { text: address });
    if ("rejected" in name) return reject(name.rejected);
    const owner = await this.#flows.findForRecovery({ tenantId: tenant.id }, name);
    const target = recoveryTarget(owner, name);
    // Security rule: whether anybody was found, and by what, shows in nothing unless that is configured (ASVS V6.3.8).
    if (!tenant.settings.enumerationSafe) {
      if (owner === undefined || target === undefined) return reject(nobodyHasIt());
      const addresses = recoverableAddresses(owner);
      if (addresses.length > 1) {
        // Security rule: masks are not shown faster than messages are sent.
        await this.#proofs.countOffer(caller, record);
        const data = { ...record.data, choice: choiceAmong(addresses, target, sentTo) };
        const asked = await advanceFlow(this.#flows, tenant, record, { data, identityId: owner.id });
        return this.#keeper.nextStep(caller, this.#shape, flowId, asked);
      }
    }
    const next = await this.#proofs.request(caller, record, { kind, sentTo, target });
    return this.#keeper.nextStep(caller, this.#shape, flowId, next);
  }

  /** Sends a code or link to the address that was chosen, or goes back. */
  async #submitChoice(
    caller: FlowCaller,
    record: FlowRecord,
    choice: AddressChoice,
    identity: Identity | undefined,
    { step, flowId }: AddressSubmission,
  ): Promise<FlowOutcome<never>> {
    const { tenant } = caller;
    const moved = (next: FlowRecord) => this.#keeper.nextStep(caller, this.#shape, flowId, next);
    const reject = (rejected: StepRejected) =>
      this.#keeper.rejected(caller, this.#shape, flowId, record, rejected);
    if (step.name === "back") {
      const { choice: _given, ...data } = record.data;
      const change = { data: { ...data, typed: choice.typed }, identityId: undefined };
      return moved(await advanceFlow(this.#flows, tenant, record, change));
    }
    const kind = this.#proofs.requested(tenant, "recovery", step, "with a choice");
    const { addressId } = step.fields;
    if (typeof addressId !== "string" || addressId === "") return reject(addressIdRequired(step));
    const target = chosenAddress(choice, addressId);
    // Security rule: only where the flow offered to send it, and only while that address is still the account's to recover by.
    const stands =
      target !== undefined &&
      identity?.state === "active" &&
      identity.id === target.identityId &&
      isRecoverable(identity, target);
    if (!stands) return reject(addressNotOffered(step));
    return moved(await this.#proofs.request(caller, record, { kind, sentTo: maskAddress(target), target }));
  }

  async #submitProof(
    caller: FlowCaller,
    record: FlowRecord,
    { identity, credentialKinds }: Owner,
    { flowId, step }: AddressSubmission,
  ): Promise<RecoveryOutcome> {
    const reject = (rejected: StepRejected) =>
      this.#keeper.rejected(caller, this.#shape, flowId, record, rejected);
    const lookUp = async (typed: string) => {
      const name = toAccountName(typed);
      if ("rejected" in name) return undefined;
      return recoveryTarget(await this.#flows.findForRecovery({ tenantId: caller.tenant.id }, name), name);
    };
    const result = await this.#proofs.submit(caller, record, step, lookUp);
    if (result.kind === "moved") return this.#keeper.nextStep(caller, this.#shape, flowId, result.record);
    if (result.kind === "rejected") return reject(result);
    const isOwners = identity?.state === "active" && identity.id === result.target.identityId;
    if (isOwners && record.data.operator !== "vouches" && isClaimable(identity, result.target)) {
      const asked = await this.#claims.ask(record, caller, result);
      return this.#keeper.nextStep(caller, this.#shape, flowId, asked);
    }
    // Security rule: an address that is no longer the identity's, or no longer verified, recovers nothing. Where an
    // operator vouches no address does; a change of addresses has closed the flow.
    const stands = isOwners && (record.data.operator === "vouches" || isRecoverable(identity, result.target));
    if (!stands) return reject(proofWorthless());
    const completed = await this.#complete(caller, record, result, { identity, credentialKinds });
    return completed === undefined ? reject(proofWorthless()) : { kind: "completed", completed };
  }

  async #answerClaim(
    caller: FlowCaller,
    record: FlowRecord,
    { flowId, step }: AddressSubmission,
    claim: Claim,
  ): Promise<RecoveryOutcome> {
    const outcome = await this.#claims.answer(caller, { shape: this.#shape, record, flowId, step }, claim);
    if (outcome.kind !== "kept" && outcome.kind !== "disowned") return outcome;
    const settings = outcome.kind === "disowned" ? outcome.settings : undefined;
    return { kind: "completed", completed: { settings, session: undefined } };
  }

  async #complete(
    caller: FlowCaller,
    record: FlowRecord,
    { held, authentication }: ProvedAddress,
    { identity, credentialKinds }: Owner & { readonly identity: Identity },
  ): Promise<RecoveryCompleted | undefined> {
    const { tenant, origin } = caller;
    const at = this.#clock.now();
    const wanted = this.#secondFactors.wantedBeside({ authentication }, credentialKinds);
    const settings = this.#settings.draftAfterRecovery(caller, {
      client: record.client,
      returnTo: record.returnTo,
      identityId: identity.id,
      recovery: this.#secondFactors.remember(authentication, "recovery", wanted),
      clientData: record.data.clientData,
    });
    // Security rule: no session at once for whoever has a second factor to show (peers D 15, D4 1).
    const isAtOnce = tenant.settings.recovery.sessionAtOnce && wanted.length === 0;
    const issued = isAtOnce
      ? newSession(this.#tokens, tenant, identity.id, {
          client: record.client,
          methods: [{ ...authentication, purpose: "recovery", completedAt: at }],
          origin,
          at,
        })
      : undefined;
    const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
    const about = { identityId: identity.id, sessionId: issued?.session.id };
    const data = {
      method: authentication.kind,
      started_by: record.data.operator === undefined ? "owner" : "operator",
    };
    const events = [newEvent("recovery.succeeded", at, actor, { ...about, data })];
    if (issued !== undefined) events.push(newEvent("session.created", at, actor, about));
    const known = issued && this.#throttle.known(tenant, record.client, caller.shownDevice(record.client));
    const result = await this.#flows.completeRecovery(
      { tenantId: tenant.id },
      {
        held,
        identityId: identity.id,
        settingsFlow: settings.record,
        session: issued?.session,
        throttle: known?.completion,
        at,
        messages: noticesTo(
          this.#outbox,
          identity,
          { template: "recovery_completed", data: {} },
          noticeOf(record, at),
        ),
        events,
      },
    );
    if (result === "flow_taken") throw await this.#keeper.taken(tenant, record);
    if (result === "identity_gone") return undefined;
    const session = issued && {
      session: issued.session,
      token: issued.token,
      client: record.client,
      identity,
      device: known?.device,
    };
    return { settings: settings.created.flow, session };
  }
}

function proofWorthless(): StepRejected {
  const problems = { fields: [], form: [messages.invalidCode("recovery")] };
  return { kind: "rejected", reason: "CODE_INVALID", problems };
}

function assertEnabled(tenant: Tenant): void {
  if (!tenant.settings.recovery.enabled) throw domainError("RECOVERY_DISABLED", {});
}
