import { domainError } from "../../errors.ts";
import type { Event } from "../../event/event.ts";
import type { Node } from "../../form/form.ts";
import {
  type FilledForm,
  isFilledForm,
  stepNameOf,
  submissionOf,
  typedIdentifierOf,
} from "../../form/form-submission.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { FlowSubmission, SubmittedStep } from "../../form/submission.ts";
import { isSameAddress, verifiedAddresses } from "../../identity/addresses.ts";
import type { Identity } from "../../identity/identity.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import type { IdentitySchemas } from "../../identity/schemas.ts";
import type { FlowClient } from "../../kinds.ts";
import * as messages from "../../message/message.ts";
import type { LoginCandidate, LoginMethod, StepContinues, StepRedirects } from "../../method/method.ts";
import type { Demand } from "../../session/demands.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Throttle } from "../../throttle/throttle.ts";
import type { ReadFlow } from "../any-flows.ts";
import { type AddressProofs, type ProvedAddress, requestedProof } from "../challenge/address-proofs.ts";
import { advanceFlow } from "../shared/advance-flow.ts";
import type {
  CreatedFlow,
  EnteredIdentifier,
  FirstFactor,
  Flow,
  FlowCaller,
  FlowData,
  FlowFound,
  FlowOutcome,
  FlowRecord,
  LoginOutcome,
  PendingStage,
} from "../shared/flow.ts";
import { dataWith } from "../shared/flow-answers.ts";
import type { FlowKeeper, FlowShape } from "../shared/flow-keeper.ts";
import type { FlowStore, FoundForLogin } from "../shared/store.ts";
import { assertOffered, IdentifierStage } from "./identifier-stage.ts";
import type { LoginCompletions, LoginProof } from "./login-completion.ts";
import { assuranceToReach } from "./login-demands.ts";
import {
  identifierDiffers,
  identifierRequired,
  loginShape,
  nobodySignsIn,
  nobodyToSendTo,
} from "./login-form.ts";
import { countedNames, enteredIdentifier, isAnother, loginTarget } from "./login-identifier.ts";
import type { SecondFactorStage } from "./second-factor-stage.ts";

/** What was submitted to a login flow. */
export interface LoginSubmission extends FlowSubmission {
  readonly identifier: string;
  readonly step: SubmittedStep;
}

/** What a login flow begins with. */
export interface LoginStart {
  readonly client: FlowClient;
  readonly returnTo: string;
  readonly purpose: LoginPurpose;
  /** For a step-up: what the new session must show. */
  readonly demands?: readonly Demand[] | undefined;
  readonly linkToken: string;
  readonly clientData?: FlowData["clientData"];
}

/** What a login is for: to sign in, to show again who one is, or to show more than before. */
export type LoginPurpose = "sign_in" | "refresh" | "step_up";

interface LoginFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly completions: LoginCompletions;
  readonly methods: readonly LoginMethod[];
  readonly proofs: AddressProofs;
  readonly schemas: Pick<IdentitySchemas, "identifierTitles">;
  readonly throttle: Throttle;
  readonly secondFactors: SecondFactorStage;
}

/** A submit that was let through to its flow. */
interface Attempt {
  readonly caller: FlowCaller;
  readonly record: FlowRecord;
  readonly step: SubmittedStep;
  /** The method that the step is of, if it is of one. */
  readonly method: LoginMethod | undefined;
  /** Who might be signing in. */
  readonly candidate: LoginCandidate | undefined;
  /** What came with the step as the identifier. */
  readonly typed: EnteredIdentifier | undefined;
  /** Who it is by now. */
  readonly readAgain: () => Promise<LoginCandidate | undefined>;
  readonly moved: (record: FlowRecord) => FlowOutcome<never>;
  /** `failure`: the event to record. */
  readonly reject: (rejected: StepRejected, failure?: Event) => Promise<FlowOutcome<never>>;
}

/** Signing in. */
export class LoginFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #completions: LoginCompletions;
  readonly #methods: ReadonlyMap<string, LoginMethod>;
  readonly #proofs: AddressProofs;
  readonly #throttle: Throttle;
  readonly #identifierStage: IdentifierStage;
  readonly #secondFactors: SecondFactorStage;
  readonly shape: FlowShape;

  constructor(dependencies: LoginFlowsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#flows = dependencies.flows;
    this.#completions = dependencies.completions;
    this.#methods = new Map(dependencies.methods.map((method) => [method.kind, method]));
    this.#proofs = dependencies.proofs;
    this.#throttle = dependencies.throttle;
    this.#identifierStage = new IdentifierStage(dependencies);
    this.#secondFactors = dependencies.secondFactors;
    this.shape = loginShape(dependencies.methods, dependencies.proofs, dependencies.schemas);
  }

  /**
   * Begins a login. A refresh or step-up is for the holder of the session, who shows again who they are. Throws LINK_INVALID,
   * RETURN_TO_NOT_ALLOWED, and for a refresh or step-up a SESSION_ reason, STEP_UP_IMPOSSIBLE, FEATURE_OFF.
   */
  async create(caller: FlowCaller, start: LoginStart): Promise<CreatedFlow> {
    const { client, returnTo, purpose, demands = [], linkToken } = start;
    this.#keeper.assertClient(caller, client);
    if (linkToken !== "") {
      const { pending, parent } = await this.#proofs.open(caller.tenant, "login", linkToken);
      const { refreshes, stepsUpTo } = parent.data;
      const own = { pending, ...(refreshes && { refreshes }), ...(stepsUpTo && { stepsUpTo }) };
      const data = dataWith(own, start);
      const { identityId } = pending.target ?? {};
      return this.#keeper.create(caller, this.shape, {
        client,
        returnTo: returnTo || parent.returnTo,
        data,
        identityId,
      });
    }
    if (purpose === "sign_in") {
      return this.#keeper.create(caller, this.shape, { client, returnTo, data: dataWith({}, start) });
    }
    const { session, identity } = await caller.session(client);
    const stepsUpTo = assuranceToReach(demands, identity, [...this.#methods.values()]);
    return this.createRefresh(caller, { client, returnTo, session, stepsUpTo, clientData: start.clientData });
  }

  /** Begins a login in which the holder of a session proves again who they are. */
  createRefresh(
    caller: FlowCaller,
    start: Pick<LoginStart, "client"> & {
      readonly returnTo: string | undefined;
      readonly session: {
        readonly id: NonNullable<FlowRecord["data"]["refreshes"]>;
        readonly identityId: Identity["id"];
      };
      readonly stepsUpTo?: FlowData["stepsUpTo"];
      readonly clientData?: FlowData["clientData"];
    },
  ): Promise<CreatedFlow> {
    const { client, returnTo, session, stepsUpTo } = start;
    const data = dataWith({ refreshes: session.id, ...(stepsUpTo && { stepsUpTo }) }, start);
    return this.#keeper.create(caller, this.shape, {
      client,
      returnTo,
      data,
      identityId: session.identityId,
    });
  }

  /**
   * Begins a login to one account, by any of its credentials; undefined if it has none that is offered here. Nothing is sent
   * to its addresses: none is verified.
   */
  async createForOwner(
    caller: FlowCaller,
    start: Pick<LoginStart, "client"> & {
      readonly identityId: Identity["id"];
      readonly credentialKinds: LoginCandidate["credentialKinds"];
    },
  ): Promise<CreatedFlow | undefined> {
    const { client, identityId, credentialKinds } = start;
    const methods = [...this.#methods.values()]
      .filter(({ factor, credential }) => factor !== "second" && isAmong(credential, credentialKinds))
      .map(({ kind }) => kind);
    if (methods.length === 0) return undefined;
    const data = { ofOwner: { methods } };
    return this.#keeper.create(caller, this.shape, { client, returnTo: undefined, identityId, data });
  }

  /** Begins a login of somebody whose first proof was given elsewhere: only the second factor is wanted. */
  createSecondFactor(
    caller: FlowCaller,
    start: Pick<LoginStart, "client"> & {
      readonly returnTo: string | undefined;
      readonly identityId: Identity["id"];
      readonly firstFactor: FirstFactor;
    },
  ): Promise<CreatedFlow> {
    const { client, returnTo, identityId, firstFactor } = start;
    return this.#keeper.create(caller, this.shape, { client, returnTo, identityId, data: { firstFactor } });
  }

  /** The flow as its holder sees it, or a fresh one in its place. */
  show(caller: FlowCaller, flowId: string, { flow }: ReadFlow): Promise<FlowFound> {
    return this.#keeper.show(caller, this.shape, flowId, flow);
  }

  /**
   * Tries what was submitted. Two round trips where a password succeeds and nobody else logs in as the same identity,
   * beside the throttle's one; two where it says who signs in. Throws RATE_LIMITED, STEP_NOT_OFFERED.
   */
  async submit(
    caller: FlowCaller,
    submitted: LoginSubmission | FilledForm,
    found?: FoundForLogin,
  ): Promise<LoginOutcome> {
    const { tenant } = caller;
    const { flowId } = submitted;
    const method = this.#methods.get(stepNameOf(submitted));
    const { flow, candidate } = found ?? (await this.#find(caller, submitted));
    const held = await this.#keeper.enter(caller, this.shape, flow, submitted);
    if (held.kind !== "entered") return held;
    const { record } = held;
    const submission = submissionOf(submitted, () => this.shape.form(tenant, record).nodes);
    const { step } = submission;
    const typed = this.#typedOf(submission);
    const read = () => this.#find(caller, submission);
    return this.#take({
      caller,
      record,
      step,
      method,
      candidate: ownedCandidate(record, candidate),
      typed,
      readAgain: async () => ownedCandidate(record, (await read()).candidate),
      moved: (next) => this.#keeper.nextStep(caller, this.shape, flowId, next),
      reject: (rejected, failure) => {
        const typed = { text: submission.identifier };
        const events = failure === undefined ? [] : [failure];
        return this.#keeper.rejected(caller, this.shape, flowId, record, rejected, typed, events);
      },
    });
  }

  /** A flow of any kind, for a form whose kind of flow is not known yet, with what a login needs. One round trip. */
  findForForm({ tenant }: FlowCaller, filled: FilledForm): Promise<FoundForLogin> {
    const digest = this.#keeper.digestOf(tenant, filled.flowId);
    const method = this.#methods.get(filled.pressed);
    const typed = this.#typedOf(filled);
    return this.#flows.findForForm({ tenantId: tenant.id }, digest, typed?.value, method?.credential);
  }

  #find({ tenant }: FlowCaller, submitted: LoginSubmission | FilledForm): Promise<FoundForLogin> {
    const digest = this.#keeper.digestOf(tenant, submitted.flowId);
    const method = this.#methods.get(stepNameOf(submitted));
    const typed = this.#typedOf(submitted);
    return this.#flows.findForLogin({ tenantId: tenant.id }, digest, typed?.value, method?.credential);
  }

  /** The identifier that was typed. With a code or a click it has no meaning, because the flow has its identifier already. */
  #typedOf(submitted: LoginSubmission | FilledForm): EnteredIdentifier | undefined {
    // If the form does not ask for an identifier, it is refused with one.
    if (isFilledForm(submitted)) return enteredIdentifier(typedIdentifierOf(submitted));
    const { step, identifier } = submitted;
    const isNamed =
      step.name === "identify" || this.#methods.has(step.name) || requestedProof(step) !== undefined;
    return isNamed ? enteredIdentifier(identifier) : undefined;
  }

  async #take(attempt: Attempt): Promise<LoginOutcome> {
    const { caller, record, step, method, typed, moved, reject } = attempt;
    const { pending, identifier, refreshes, ofOwner, firstFactor } = record.data;
    if (pending !== undefined) return this.#submitPending(attempt, pending);
    if (step.name === "back") return moved(await this.#goBack(caller.tenant, record));
    const isMethod = method !== undefined && (method.factor !== "second" || firstFactor !== undefined);
    assertOffered(caller.tenant, record, step, isMethod ? method.kind : requestedProof(step));
    if (identifier !== undefined && typed !== undefined && isAnother(typed, identifier)) {
      return reject(identifierDiffers(identifier.typed));
    }
    // Whoever has proven who they are once is who the flow says, whatever is typed beside it.
    const entered = firstFactor === undefined ? (identifier ?? typed) : undefined;
    const isKnown = [entered, refreshes, ofOwner, firstFactor].some((known) => known !== undefined);
    const findsAccount = method !== undefined && method.credential === undefined;
    if (!isKnown && !findsAccount) return reject(identifierRequired());
    if (entered !== undefined && step.name === "identify") {
      const { candidate } = attempt;
      const next = await this.#identifierStage.identify(caller.tenant, record, entered, candidate);
      return next === undefined ? reject(nobodySignsIn()) : moved(next);
    }
    if (method !== undefined) return this.#submitMethod(attempt, method, entered);
    const next = await this.#sendProof(attempt, entered);
    return next === undefined ? reject(nobodyToSendTo()) : moved(next);
  }

  /** Gives up what was said or shown last. Throws FLOW_CHANGED, STEP_NOT_OFFERED. */
  #goBack(tenant: Tenant, record: FlowRecord): Promise<FlowRecord> {
    const { method, ...data } = record.data;
    if (method !== undefined) {
      return advanceFlow(this.#flows, tenant, record, { data, identityId: record.identityId });
    }
    if (data.firstFactor !== undefined) return this.#secondFactors.forget(tenant, record);
    if (data.identifier !== undefined) {
      return this.#identifierStage.forget(tenant, record, data.identifier);
    }
    throw domainError("STEP_NOT_OFFERED", { step: "back" });
  }

  async #submitPending(attempt: Attempt, { kind }: PendingStage): Promise<LoginOutcome> {
    const { caller, record, candidate } = attempt;
    const lookUp = (typed: string) => this.#lookUp(caller.tenant, record, typed);
    const result = await this.#proofs.submit(caller, record, attempt.step, lookUp);
    if (result.kind === "moved") return attempt.moved(result.record);
    if (result.kind === "proved") return this.#completeProof(attempt, result);
    const failure = { reason: result.reason, method: kind === "code" ? kind : "link" };
    return attempt.reject(result, this.#completions.failureOf(caller, candidate, failure));
  }

  async #submitMethod(
    attempt: Attempt,
    method: LoginMethod,
    entered: EnteredIdentifier | undefined,
  ): Promise<LoginOutcome> {
    const { caller, record, step, candidate } = attempt;
    const { tenant } = caller;
    // Security rule: the attempt is counted before anything is compared (ASVS V6.3.1).
    const ticket = await this.#throttle.take(tenant, caller.origin, "login", {
      address: caller.limitedAddress,
      flow: record.digest,
      accounts: countedNames(entered, candidate?.identity),
      identityId: candidate?.identity.id,
      device: caller.shownDevice(record.client),
      session: caller.shownSession(record.client),
    });
    // Security rule: beyond what all names of an identity allow together nothing is compared; the work and the answer stay.
    const isWorthless = ticket.silenced.size > 0;
    const { memory } = record.data.method ?? {};
    const prove = async (by: LoginCandidate | undefined) => {
      const compared = isWorthless ? undefined : by;
      const result = await method.proveLogin({ tenant, step, candidate: compared, memory });
      if (result.kind !== "proved") return result;
      return {
        by: method.kind,
        kind: "proved",
        candidate: result.candidate,
        proof: { kind: "credential", credential: method.credential },
        held: [{ digest: record.digest, revision: record.revision }],
        authentication: result.authentication,
        rehash: result.rehash,
        ticket,
      } satisfies LoginProof;
    };
    const given = await prove(candidate);
    if (given.kind === "continues" || given.kind === "redirects") return this.#goOn(attempt, method, given);
    const result = await this.#complete(attempt, given, async (lost) => {
      const again = await attempt.readAgain();
      // The proof stands as long as it is the same secret of the same active identity; else it is made again.
      const stands =
        again?.identity.state === "active" &&
        again.identity.id === lost.candidate.identity.id &&
        again.credential === lost.candidate.credential;
      if (stands) return { ...lost, candidate: again };
      const renewed = await prove(again);
      // It was the method's last step before; what it is now would be the answer to another one.
      if (renewed.kind === "proved" || renewed.kind === "rejected") return renewed;
      throw domainError("FLOW_CHANGED", {});
    });
    if (!("problems" in result)) return result;
    const failure = { reason: result.reason, method: method.kind };
    return attempt.reject(result, this.#completions.failureOf(caller, candidate, failure));
  }

  /** A step of a method that is not its last. */
  async #goOn(
    { caller, record, moved }: Attempt,
    { kind }: LoginMethod,
    result: StepContinues | StepRedirects,
  ): Promise<LoginOutcome> {
    const data = { ...record.data, method: { kind, memory: result.memory } };
    const { identityId } = record;
    const next = moved(await advanceFlow(this.#flows, caller.tenant, record, { data, identityId }));
    if (result.kind === "continues" || next.kind !== "next_step") return next;
    return { kind: "redirect", url: result.url, flow: withAnchor(next.flow, result.url) };
  }

  /** Completes a login by its proof, or waits for a second one where that is wanted. */
  async #complete(
    { caller, record, moved }: Attempt,
    given: LoginProof | StepRejected,
    renew: (lost: LoginProof) => Promise<LoginProof | StepRejected>,
  ): Promise<LoginOutcome | StepRejected> {
    if (given.kind === "proved" && record.data.firstFactor === undefined) {
      const methods = this.#secondFactors.wantedBeside(given, given.candidate.credentialKinds);
      if (methods.length > 0) {
        return moved(await this.#secondFactors.begin(caller.tenant, record, given, methods));
      }
      // Security rule: a step-up never gives less than what was demanded. The account may have lost its second factor
      // meanwhile.
      if (record.data.stepsUpTo === "aal2" && given.authentication.assuranceLevel !== "aal2") {
        throw domainError("STEP_UP_IMPOSSIBLE", { demand: "assuranceLevel" });
      }
    }
    return this.#completions.complete(caller, record, given, renew);
  }

  /** Sends a code or link. Undefined where nobody is there to send it to, and the configuration lets that be said. */
  async #sendProof(
    { caller, record, step, candidate }: Attempt,
    entered: EnteredIdentifier | undefined,
  ): Promise<FlowRecord | undefined> {
    const { tenant } = caller;
    const kind = this.#proofs.requested(tenant, "login", step);
    const target = candidate === undefined ? undefined : loginTarget(candidate.identity, entered?.value);
    if (target === undefined && !tenant.settings.enumerationSafe) return undefined;
    const sentTo = entered?.typed ?? (target === undefined ? "" : maskAddress(target));
    return this.#proofs.request(caller, record, { kind, sentTo, target });
  }

  /** Where a code or link goes for a login with it. */
  async #lookUp({ id: tenantId }: Tenant, { digest }: FlowRecord, typed: string) {
    const { value } = enteredIdentifier(typed) ?? {};
    const { candidate } = await this.#flows.findForLogin({ tenantId }, digest, value, undefined);
    return candidate && loginTarget(candidate.identity, value);
  }

  async #completeProof(attempt: Attempt, proved: ProvedAddress): Promise<LoginOutcome> {
    const { target, held, authentication, ticket } = proved;
    const proofOf = (candidate: LoginCandidate | undefined): LoginProof | StepRejected => {
      // Security rule: the proof is worth nothing once the identity is inactive or no longer has the address.
      const stands =
        candidate?.identity.state === "active" &&
        candidate.identity.id === target.identityId &&
        verifiedAddresses(candidate.identity).some((address) => isSameAddress(address, target));
      if (candidate === undefined || !stands) {
        const problems = { fields: [], form: [messages.invalidCode("login")] };
        return { kind: "rejected", reason: "CODE_INVALID", problems };
      }
      const proof = { kind: "address", target } as const;
      return { kind: "proved", candidate, proof, held, authentication, rehash: undefined, ticket };
    };
    const { candidate, readAgain, reject } = attempt;
    const renew = async () => proofOf(await readAgain());
    const result = await this.#complete(attempt, proofOf(candidate), renew);
    return "problems" in result ? reject(result) : result;
  }
}

/** Adds a link to the form of a flow that goes on elsewhere, for clients that do not know the outcome `redirect`. */
function withAnchor(flow: Flow, url: string): Flow {
  const anchor: Node = {
    name: "goOn",
    label: messages.goOnLabel(),
    messages: [],
    element: { kind: "anchor", url },
  };
  return { ...flow, form: { ...flow.form, nodes: [anchor, ...flow.form.nodes] } };
}

/** In a flow that belongs to somebody nobody else can sign in: they are answered as if they did not exist. */
function ownedCandidate(
  record: FlowRecord,
  candidate: LoginCandidate | undefined,
): LoginCandidate | undefined {
  const { refreshes, ofOwner, firstFactor } = record.data;
  const isOwned = [refreshes, ofOwner, firstFactor].some((known) => known !== undefined);
  const isForeign = isOwned && candidate?.identity.id !== record.identityId;
  return isForeign ? undefined : candidate;
}

/** Whether an account has what a method proves. What finds the account by itself may be of any. */
function isAmong(credential: LoginMethod["credential"], kinds: LoginCandidate["credentialKinds"]): boolean {
  return credential === undefined || kinds.includes(credential);
}
