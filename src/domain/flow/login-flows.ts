import { domainError } from "../errors.ts";
import { newEvent } from "../event/event.ts";
import type { EventStore } from "../event/store.ts";
import type { Identity } from "../identity/identity.ts";
import { maskAddress } from "../identity/mask-address.ts";
import { normaliseForLogin, normaliseIdentifier } from "../identity/normalise.ts";
import * as messages from "../message/message.ts";
import type { LoginMethod, LoginProved, StepRejected, SubmittedStep } from "../method/method.ts";
import type { Clock, Tokens } from "../ports.ts";
import { idleSince } from "../session/lifetime.ts";
import { newSession } from "../session/sessions.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Throttle, ThrottleTicket } from "../throttle/throttle.ts";
import {
  type AddressProofs,
  isProofRequest,
  type ProvedAddress,
  verifiedAddresses,
} from "./address-proofs.ts";
import type {
  CreatedFlow,
  Flow,
  FlowCaller,
  FlowClient,
  FlowCompleted,
  FlowOutcome,
  FlowRecord,
  ProofTarget,
} from "./flow.ts";
import type { FlowKeeper, FlowShape, FlowSubmission } from "./flow-keeper.ts";
import type { Form, Node } from "./form.ts";
import type { FlowStore, HeldRevision, LoginCandidate, LoginCompletion } from "./store.ts";

/** No identifier normalises to the empty one, so this finds nobody. */
const nobody = "";

// Of n logins of one identity at the same moment one completes in each round, so 16 need at most 16 rounds.
const mostRounds = 64;

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
  readonly events: EventStore;
  readonly methods: readonly LoginMethod[];
  readonly proofs: AddressProofs;
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** A proof with what its completion needs. */
interface Proof {
  readonly candidate: LoginCandidate;
  readonly proof: LoginCompletion["proof"];
  readonly held: readonly HeldRevision[];
  readonly method: LoginProved["authentication"];
  readonly rehash: LoginProved["rehash"];
  readonly ticket: ThrottleTicket;
}

/** Signing in. */
export class LoginFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #events: EventStore;
  readonly #methods: ReadonlyMap<string, LoginMethod>;
  readonly #proofs: AddressProofs;
  readonly #throttle: Throttle;
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  readonly shape: FlowShape;

  constructor(dependencies: LoginFlowsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#flows = dependencies.flows;
    this.#events = dependencies.events;
    this.#methods = new Map(dependencies.methods.map((method) => [method.kind, method]));
    this.#proofs = dependencies.proofs;
    this.#throttle = dependencies.throttle;
    this.#tokens = dependencies.tokens;
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
    const typed = isRequest ? submission.identifier.trim() : "";
    const identifier = typed === "" ? undefined : (normaliseForLogin(typed) ?? nobody);
    const read = () =>
      this.#flows.findForLogin({ tenantId: tenant.id }, digest, identifier, method?.credential);

    const { flow, candidate } = await read();
    const entered = await this.#keeper.enter(caller, this.shape, flow, submission);
    if (entered.kind === "expired") return entered;
    const { record } = entered;
    const owned = this.#ownedCandidate(record, candidate);
    // A native flow is not moved by cookies, nor a browser flow by what a page can read and send.
    const device = record.client === "browser" ? caller.deviceCookie : submission.deviceToken;
    const reject = (rejected: StepRejected) =>
      this.#keeper.rejected(
        caller,
        this.shape,
        flowId,
        record,
        rejected,
        this.#filledIn(tenant, record, submission),
      );

    if (record.data.pending !== undefined) {
      const result = await this.#proofs.submit(caller, record, step, device);
      if (result.kind === "moved") return this.#keeper.nextStep(caller, this.shape, flowId, result.record);
      if (result.kind === "proved")
        return this.#completeProof(caller, { record, proved: result, owned, read, reject });
      const { kind } = record.data.pending;
      await this.#recordFailure(caller, owned, {
        reason: result.reason,
        method: kind === "code" ? kind : "link",
      });
      return reject(result);
    }
    if (!isRequest) throw domainError("STEP_NOT_OFFERED", { step: step.name });
    if (typed === "" && record.data.refreshes === undefined) return reject(identifierRequired());
    if (method !== undefined) {
      // Whoever proves again who they are need not say it.
      const accounts =
        identifier === undefined ? namesOf(owned?.identity) : [identifier === nobody ? typed : identifier];
      const attempt = { record, method, step, candidate: owned, accounts, device, reject, read };
      return this.#submitMethod(caller, attempt);
    }
    const kind = this.#proofs.requested(tenant, "login", step);
    const target = owned === undefined ? undefined : loginTarget(owned.identity, identifier);
    if (target === undefined && !tenant.settings.enumerationSafe) return reject(nobodyToSendTo());
    const sentTo = typed !== "" ? typed : target === undefined ? "" : maskAddress(target);
    const next = await this.#proofs.request(caller, record, { kind, sentTo, target });
    return this.#keeper.nextStep(caller, this.shape, flowId, next);
  }

  async #submitMethod(
    caller: FlowCaller,
    attempt: {
      readonly record: FlowRecord;
      readonly method: LoginMethod;
      readonly step: SubmittedStep;
      readonly candidate: LoginCandidate | undefined;
      /** What the account is known by, whether or not there is one. */
      readonly accounts: readonly string[];
      readonly device: string | undefined;
      readonly reject: (rejected: StepRejected) => FlowOutcome<never>;
      readonly read: () => ReturnType<FlowStore["findForLogin"]>;
    },
  ): Promise<FlowOutcome<FlowCompleted>> {
    const { record, method, step, candidate, accounts, device, reject, read } = attempt;
    const { tenant } = caller;
    // Security rule: the attempt is counted before anything is compared (ASVS V6.3.1).
    const ticket = await this.#throttle.take(tenant, caller.origin, "login", {
      address: caller.limitedAddress,
      flow: record.digest,
      accounts,
      identityId: candidate?.identity.id,
      device,
    });
    let result = await method.proveLogin({ tenant, step, candidate });
    for (let round = 0; round < mostRounds; round++) {
      if (result.kind === "rejected") {
        await this.#recordFailure(caller, candidate, { reason: result.reason, method: method.kind });
        return reject(result);
      }
      const completed = await this.#complete(caller, record, {
        candidate: result.candidate,
        proof: { kind: "credential", credential: method.credential },
        held: [{ digest: record.digest, revision: record.revision }],
        method: result.authentication,
        rehash: result.rehash,
        ticket,
      });
      if (completed !== "candidate_changed") return { kind: "completed", completed };
      const again = this.#ownedCandidate(record, (await read()).candidate);
      // The proof stands as long as it is the same secret of the same active identity; else it is made again.
      const stands =
        again?.identity.state === "active" &&
        again.identity.id === result.candidate.identity.id &&
        again.credential === result.candidate.credential;
      result = stands
        ? { ...result, candidate: again }
        : await method.proveLogin({ tenant, step, candidate: again });
    }
    throw domainError("SERVER_OVERLOADED", {}, { retryAfterMs: 1000 });
  }

  async #completeProof(
    caller: FlowCaller,
    attempt: {
      readonly record: FlowRecord;
      readonly proved: ProvedAddress;
      readonly owned: LoginCandidate | undefined;
      readonly read: () => ReturnType<FlowStore["findForLogin"]>;
      readonly reject: (rejected: StepRejected) => FlowOutcome<never>;
    },
  ): Promise<FlowOutcome<FlowCompleted>> {
    const { record, read, reject } = attempt;
    const { target, held, authentication, ticket } = attempt.proved;
    let candidate = attempt.owned;
    for (let round = 0; round < mostRounds; round++) {
      // Security rule: the proof is worth nothing once the identity is inactive or no longer has the address.
      const stands =
        candidate?.identity.state === "active" &&
        candidate.identity.id === target.identityId &&
        verifiedAddresses(candidate.identity).some((address) => isSame(address, target));
      if (candidate === undefined || !stands) {
        const problems = { fields: [], form: [messages.invalidCode("login")] };
        return reject({ kind: "rejected", reason: "CODE_INVALID", problems });
      }
      const proof = { kind: "address", target } as const;
      const completed = await this.#complete(caller, record, {
        candidate,
        proof,
        held,
        method: authentication,
        rehash: undefined,
        ticket,
      });
      if (completed !== "candidate_changed") return { kind: "completed", completed };
      candidate = (await read()).candidate;
    }
    throw domainError("SERVER_OVERLOADED", {}, { retryAfterMs: 1000 });
  }

  async #complete(
    caller: FlowCaller,
    flow: FlowRecord,
    { candidate, proof, held, method, rehash, ticket }: Proof,
  ): Promise<FlowCompleted | "candidate_changed"> {
    const { tenant, origin } = caller;
    const at = this.#clock.now();
    const { identity } = candidate;
    const { session, token } = newSession(this.#tokens, tenant, identity.id, {
      client: flow.client,
      method: { ...method, completedAt: at },
      origin,
      at,
    });
    const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
    const about = { identityId: identity.id, sessionId: session.id };
    const replaces = flow.data.refreshes ?? (await this.#shownSession(caller, flow, identity));
    const isRefresh = flow.data.refreshes !== undefined;
    const events = [
      newEvent("login.succeeded", at, actor, {
        ...about,
        data: { method: method.kind, refresh: isRefresh },
      }),
      newEvent("session.created", at, actor, about),
    ];
    if (replaces !== undefined) {
      const data = { reason: isRefresh ? "refreshed" : "replaced" };
      events.push(
        newEvent("session.revoked", at, actor, { identityId: identity.id, sessionId: replaces, data }),
      );
    }
    const { completion: throttle, device } = this.#throttle.succeeded(tenant, ticket, flow.client);
    const result = await this.#flows.completeLogin(
      { tenantId: tenant.id },
      {
        held,
        candidate,
        proof,
        session,
        rehash,
        replaces,
        maxSessions: tenant.settings.session.maxParallel,
        idleSince: idleSince(tenant.settings.session, at),
        at,
        events,
        evictionEvent: newEvent("session.revoked", at, actor, {
          identityId: identity.id,
          data: { reason: "session_limit" },
        }),
        throttle,
      },
    );
    if (result === "flow_taken") throw await this.#keeper.taken(tenant, flow);
    if (result === "candidate_changed") return result;
    return {
      session,
      token,
      client: flow.client,
      identity: { ...identity, lastLoginAt: at },
      returnTo: flow.returnTo,
      device,
    };
  }

  /**
   * The session that the browser still shows, if it is of whoever signs in: the new one takes its place.
   *
   * Security rule: the secret of a session that was in the browser before a login is worth nothing after it (ASVS V7.2.4,
   * peers D 33). A session of somebody else is left alone; its cookie is replaced.
   */
  async #shownSession(
    caller: FlowCaller,
    flow: FlowRecord,
    identity: Identity,
  ): Promise<LoginCompletion["replaces"]> {
    if (flow.client !== "browser") return undefined;
    const session = await caller.browserSession();
    return session?.identityId === identity.id ? session.id : undefined;
  }

  /** In a flow that belongs to somebody nobody else can sign in: they are answered as if they did not exist. */
  #ownedCandidate(record: FlowRecord, candidate: LoginCandidate | undefined): LoginCandidate | undefined {
    const isForeign = record.data.refreshes !== undefined && candidate?.identity.id !== record.identityId;
    return isForeign ? undefined : candidate;
  }

  #filledIn(tenant: Tenant, record: FlowRecord, { identifier }: LoginSubmission): readonly Node[] {
    return this.shape
      .form(tenant, record)
      .nodes.map((node) =>
        node.name === "identifier" && node.element.kind === "input"
          ? { ...node, element: { ...node.element, value: identifier } }
          : node,
      );
  }

  /** For an unknown identifier as well, so that the time of the answer does not tell them apart. */
  async #recordFailure(
    caller: FlowCaller,
    candidate: LoginCandidate | undefined,
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

/**
 * Where the code of a login goes: to the address that was typed, or, where a user name was typed, to the first one.
 *
 * Security rule: only to verified addresses of active identities. Otherwise whoever registered with an address of
 * somebody else, and knows its password, would be let into what its owner does there later.
 */
function loginTarget(identity: Identity, identifier: string | undefined): ProofTarget | undefined {
  if (identity.state !== "active") return undefined;
  const addresses = verifiedAddresses(identity);
  const typed = addresses.find((address) => address.value === identifier);
  if (typed !== undefined) return typed;
  const isAddress = identifier !== undefined && normaliseIdentifier(identifier).kind !== "username";
  return isAddress ? undefined : addresses[0];
}

/** What the attempts of an account are counted by. */
function namesOf(identity: Identity | undefined): readonly string[] {
  if (identity === undefined) return [];
  const names = identity.identifiers.map(({ value }) => value);
  return names.length > 0 ? names : [identity.id];
}

/** Only where the configuration prefers friendly answers to safe ones. */
function nobodyToSendTo(): StepRejected {
  const problems = { fields: [{ name: "identifier", message: messages.noCodeSignIn() }], form: [] };
  return { kind: "rejected", reason: "IDENTITY_NOT_FOUND", problems };
}

function isSame(one: ProofTarget, other: ProofTarget): boolean {
  return one.kind === other.kind && one.value === other.value;
}

function identifierRequired(): StepRejected {
  const message = messages.required("identifier");
  return {
    kind: "rejected",
    reason: "FORM_INCOMPLETE",
    problems: { fields: [{ name: "identifier", message }], form: [] },
  };
}

function loginShape(methods: readonly LoginMethod[], proofs: AddressProofs): FlowShape {
  const identifier: Node = {
    name: "identifier",
    group: "default",
    label: messages.identifierLabel(),
    messages: [],
    element: { kind: "input", type: "text", required: true, autocomplete: "username", maxLength: 320 },
  };
  return {
    kind: "login",
    lifetimeMs: (tenant) => tenant.settings.login.lifetimeMs,
    step: (tenant, flow) =>
      proofs.stepOf(tenant, flow) ?? {
        kind: "choose_method",
        methods: [...methods.map((method) => method.kind), ...proofs.offered(tenant, "login")],
      },
    form: (tenant, flow): Form => {
      const isRefresh = flow.data.refreshes !== undefined;
      const nodes = proofs.nodesOf(tenant, flow) ?? [
        ...(isRefresh ? [] : [identifier]),
        ...methods.flatMap((method) => method.loginNodes(tenant)),
        ...proofs.requestNodes(tenant, "login"),
      ];
      const note = isRefresh && flow.data.pending === undefined ? [messages.confirmIdentity()] : [];
      return { nodes, messages: [...note, ...proofs.messagesOf(flow)] };
    },
  };
}
