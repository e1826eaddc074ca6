import { domainError } from "../errors.ts";
import { newEvent } from "../event/event.ts";
import type { EventStore } from "../event/store.ts";
import type { Identity } from "../identity/identity.ts";
import { maskAddress } from "../identity/mask-address.ts";
import * as messages from "../message/message.ts";
import type { LoginMethod, StepRejected, SubmittedStep } from "../method/method.ts";
import type { Clock } from "../ports.ts";
import type { Throttle } from "../throttle/throttle.ts";
import {
  type AddressProofs,
  isProofRequest,
  type ProvedAddress,
  verifiedAddresses,
} from "./address-proofs.ts";
import type {
  CreatedFlow,
  EnteredIdentifier,
  Flow,
  FlowCaller,
  FlowClient,
  FlowCompleted,
  FlowOutcome,
  FlowRecord,
  ProofTarget,
} from "./flow.ts";
import type { FlowKeeper, FlowShape, FlowSubmission } from "./flow-keeper.ts";
import type { LoginCompletions, LoginProof } from "./login-completion.ts";
import { filledIn, identifierRequired, loginShape, nobodyToSendTo } from "./login-form.ts";
import { countedNames, enteredIdentifier, loginTarget } from "./login-identifier.ts";
import type { FlowStore, LoginCandidate } from "./store.ts";

/** What was submitted to a login flow. */
export interface LoginSubmission extends FlowSubmission {
  readonly identifier: string;
  /** A native client's device token; empty if it has none. */
  readonly deviceToken: string;
  readonly step: SubmittedStep;
}

/** What a login flow begins with. */
export interface LoginStart {
  readonly client: FlowClient;
  readonly returnTo: string;
  readonly refresh: boolean;
  readonly linkToken: string;
}

interface LoginFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly completions: LoginCompletions;
  readonly events: EventStore;
  readonly methods: readonly LoginMethod[];
  readonly proofs: AddressProofs;
  readonly throttle: Throttle;
  readonly clock: Clock;
}

/** A submit that was let through to its flow. */
interface Attempt {
  readonly caller: FlowCaller;
  readonly record: FlowRecord;
  readonly step: SubmittedStep;
  /** Who might be signing in. */
  readonly candidate: LoginCandidate | undefined;
  /** What they sign in with; undefined where the flow knows whose it is. */
  readonly entered: EnteredIdentifier | undefined;
  readonly device: string | undefined;
  /** Who it is by now. */
  readonly readAgain: () => Promise<LoginCandidate | undefined>;
  readonly reject: (rejected: StepRejected) => FlowOutcome<never>;
}

/** Signing in. */
export class LoginFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #completions: LoginCompletions;
  readonly #events: EventStore;
  readonly #methods: ReadonlyMap<string, LoginMethod>;
  readonly #proofs: AddressProofs;
  readonly #throttle: Throttle;
  readonly #clock: Clock;
  readonly shape: FlowShape;

  constructor(dependencies: LoginFlowsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#flows = dependencies.flows;
    this.#completions = dependencies.completions;
    this.#events = dependencies.events;
    this.#methods = new Map(dependencies.methods.map((method) => [method.kind, method]));
    this.#proofs = dependencies.proofs;
    this.#throttle = dependencies.throttle;
    this.#clock = dependencies.clock;
    this.shape = loginShape(dependencies.methods, dependencies.proofs);
  }

  /**
   * Begins a login. With `refresh` it is for the holder of the session, who proves again who they are. Throws
   * LINK_INVALID, RETURN_TO_NOT_ALLOWED, and with `refresh` a SESSION_ reason.
   */
  async create(
    caller: FlowCaller,
    { client, returnTo, refresh, linkToken }: LoginStart,
  ): Promise<CreatedFlow> {
    if (linkToken !== "") {
      const { pending, parent } = await this.#proofs.open(caller.tenant, "login", linkToken);
      const data = { pending, ...(parent.data.refreshes && { refreshes: parent.data.refreshes }) };
      const { identityId } = pending.target ?? {};
      return this.#keeper.create(caller, this.shape, {
        client,
        returnTo: returnTo || parent.returnTo,
        data,
        identityId,
      });
    }
    if (!refresh) return this.#keeper.create(caller, this.shape, { client, returnTo, data: {} });
    const { session } = await caller.session();
    return this.createRefresh(caller, { client, returnTo, session });
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
    },
  ): Promise<CreatedFlow> {
    const { client, returnTo, session } = start;
    const data = { refreshes: session.id };
    return this.#keeper.create(caller, this.shape, {
      client,
      returnTo,
      data,
      identityId: session.identityId,
    });
  }

  /** The flow as it stands. Throws FLOW_EXPIRED with the id of a fresh one. */
  async get(caller: FlowCaller, flowId: string): Promise<Flow> {
    return (await this.#keeper.get(caller, this.shape, flowId)).flow;
  }

  /**
   * Tries what was submitted. Two round trips where a password succeeds and nobody else logs in as the same identity,
   * beside the throttle's one. Throws RATE_LIMITED.
   */
  async submit(caller: FlowCaller, submission: LoginSubmission): Promise<FlowOutcome<FlowCompleted>> {
    const { tenant } = caller;
    const { step, flowId } = submission;
    const method = this.#methods.get(step.name);
    const digest = this.#keeper.digestOf(tenant, flowId);
    // What was typed beside a code or a click has no meaning: the flow knows whose it is.
    const isRequest = method !== undefined || isProofRequest(step);
    const entered = isRequest ? enteredIdentifier(submission.identifier) : undefined;
    const read = () =>
      this.#flows.findForLogin({ tenantId: tenant.id }, digest, entered?.value, method?.credential);

    const { flow, candidate } = await read();
    const held = await this.#keeper.enter(caller, this.shape, flow, submission);
    if (held.kind === "expired") return held;
    const { record } = held;
    const attempt: Attempt = {
      caller,
      record,
      step,
      candidate: ownedCandidate(record, candidate),
      entered,
      // A native flow is not moved by cookies, nor a browser flow by what a page can read and send.
      device: record.client === "browser" ? caller.deviceCookie : submission.deviceToken,
      readAgain: async () => ownedCandidate(record, (await read()).candidate),
      reject: (rejected) => {
        const nodes = filledIn(this.shape.form(tenant, record).nodes, submission.identifier);
        return this.#keeper.rejected(caller, this.shape, flowId, record, rejected, nodes);
      },
    };
    const moved = (next: FlowRecord) => this.#keeper.nextStep(caller, this.shape, flowId, next);

    if (record.data.pending !== undefined) {
      const { pending } = record.data;
      const result = await this.#proofs.submit(caller, record, step, attempt.device);
      if (result.kind === "moved") return moved(result.record);
      if (result.kind === "proved") return this.#completeProof(attempt, result);
      const kind = pending.kind === "code" ? "code" : "link";
      await this.#recordFailure(attempt, { reason: result.reason, method: kind });
      return attempt.reject(result);
    }
    if (!isRequest) throw domainError("STEP_NOT_OFFERED", { step: step.name });
    if (entered === undefined && record.data.refreshes === undefined)
      return attempt.reject(identifierRequired());
    if (method !== undefined) return this.#submitMethod(attempt, method);
    const sent = await this.#sendProof(attempt);
    return sent === undefined ? attempt.reject(nobodyToSendTo()) : moved(sent);
  }

  async #submitMethod(attempt: Attempt, method: LoginMethod): Promise<FlowOutcome<FlowCompleted>> {
    const { caller, record, step, candidate } = attempt;
    const { tenant } = caller;
    // Security rule: the attempt is counted before anything is compared (ASVS V6.3.1).
    const ticket = await this.#throttle.take(tenant, caller.origin, "login", {
      address: caller.limitedAddress,
      flow: record.digest,
      accounts: countedNames(attempt.entered, candidate?.identity),
      identityId: candidate?.identity.id,
      device: attempt.device,
    });
    const prove = async (by: LoginCandidate | undefined): Promise<LoginProof | StepRejected> => {
      const result = await method.proveLogin({ tenant, step, candidate: by });
      if (result.kind === "rejected") return result;
      return {
        kind: "proved",
        candidate: result.candidate,
        proof: { kind: "credential", credential: method.credential },
        held: [{ digest: record.digest, revision: record.revision }],
        method: result.authentication,
        rehash: result.rehash,
        ticket,
      };
    };
    const result = await this.#completions.complete(caller, record, await prove(candidate), async (lost) => {
      const again = await attempt.readAgain();
      // The proof stands as long as it is the same secret of the same active identity; else it is made again.
      const stands =
        again?.identity.state === "active" &&
        again.identity.id === lost.candidate.identity.id &&
        again.credential === lost.candidate.credential;
      return stands ? { ...lost, candidate: again } : prove(again);
    });
    if (result.kind === "completed") return result;
    await this.#recordFailure(attempt, { reason: result.reason, method: method.kind });
    return attempt.reject(result);
  }

  /** Sends a code or link. Undefined where nobody is there to send it to, and the configuration lets that be said. */
  async #sendProof({ caller, record, step, candidate, entered }: Attempt): Promise<FlowRecord | undefined> {
    const { tenant } = caller;
    const kind = this.#proofs.requested(tenant, "login", step);
    const target = candidate === undefined ? undefined : loginTarget(candidate.identity, entered?.value);
    if (target === undefined && !tenant.settings.enumerationSafe) return undefined;
    const sentTo = entered?.typed ?? (target === undefined ? "" : maskAddress(target));
    return this.#proofs.request(caller, record, { kind, sentTo, target });
  }

  async #completeProof(attempt: Attempt, proved: ProvedAddress): Promise<FlowOutcome<FlowCompleted>> {
    const { target, held, authentication, ticket } = proved;
    const proofOf = (candidate: LoginCandidate | undefined): LoginProof | StepRejected => {
      // Security rule: the proof is worth nothing once the identity is inactive or no longer has the address.
      const stands =
        candidate?.identity.state === "active" &&
        candidate.identity.id === target.identityId &&
        verifiedAddresses(candidate.identity).some((address) => isSame(address, target));
      if (candidate === undefined || !stands) {
        const problems = { fields: [], form: [messages.invalidCode("login")] };
        return { kind: "rejected", reason: "CODE_INVALID", problems };
      }
      const proof = { kind: "address", target } as const;
      return { kind: "proved", candidate, proof, held, method: authentication, rehash: undefined, ticket };
    };
    const { caller, record, candidate, readAgain, reject } = attempt;
    const renew = async () => proofOf(await readAgain());
    const result = await this.#completions.complete(caller, record, proofOf(candidate), renew);
    return result.kind === "completed" ? result : reject(result);
  }

  /** For an unknown identifier as well, so that the time of the answer does not tell them apart. */
  async #recordFailure(
    { caller, candidate }: Attempt,
    failure: { readonly reason: string; readonly method: string },
  ): Promise<void> {
    if (failure.reason === "FORM_INCOMPLETE") return;
    const event = newEvent("login.failed", this.#clock.now(), caller.origin, {
      identityId: candidate?.identity.id,
      data: failure,
    });
    await this.#events.append({ tenantId: caller.tenant.id }, [event]);
  }
}

/** In a flow that belongs to somebody nobody else can sign in: they are answered as if they did not exist. */
function ownedCandidate(
  record: FlowRecord,
  candidate: LoginCandidate | undefined,
): LoginCandidate | undefined {
  const isForeign = record.data.refreshes !== undefined && candidate?.identity.id !== record.identityId;
  return isForeign ? undefined : candidate;
}

function isSame(one: ProofTarget, other: ProofTarget): boolean {
  return one.kind === other.kind && one.value === other.value;
}
