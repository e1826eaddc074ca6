import { domainError } from "../errors.ts";
import { newEvent } from "../event/event.ts";
import type { EventStore } from "../event/store.ts";
import { normaliseForLogin } from "../identity/normalise.ts";
import type { JsonObject } from "../json.ts";
import * as messages from "../message/message.ts";
import type { LoginMethod, LoginProved, SubmittedStep } from "../method/method.ts";
import type { Clock, Tokens } from "../ports.ts";
import { idleSince } from "../session/lifetime.ts";
import { newSession } from "../session/sessions.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Throttle, ThrottleTicket } from "../throttle/throttle.ts";
import type {
  CreatedFlow,
  Flow,
  FlowCaller,
  FlowClient,
  FlowCompleted,
  FlowOutcome,
  FlowRecord,
} from "./flow.ts";
import type { FlowKeeper, FlowShape } from "./flow-keeper.ts";
import { type FormProblems, type Node, withProblems } from "./form.ts";
import type { FlowStore, LoginCandidate } from "./store.ts";

/** No identifier normalises to the empty one, so this finds nobody. */
const nobody = "";

// Of n logins of one identity at the same moment one completes in each round, so 16 need at most 16 rounds.
const mostRounds = 64;

/** What was submitted to a login flow. */
export interface LoginSubmission {
  readonly flowId: string;
  readonly csrfToken: string;
  readonly identifier: string;
  /** A native client's device token; empty if it has none. */
  readonly deviceToken: string;
  readonly step: SubmittedStep;
}

interface LoginFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly events: EventStore;
  readonly methods: readonly LoginMethod[];
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** Signing in. */
export class LoginFlows {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #events: EventStore;
  readonly #methods: ReadonlyMap<string, LoginMethod>;
  readonly #throttle: Throttle;
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  readonly #shape: FlowShape;

  constructor(dependencies: LoginFlowsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#flows = dependencies.flows;
    this.#events = dependencies.events;
    this.#methods = new Map(dependencies.methods.map((method) => [method.kind, method]));
    this.#throttle = dependencies.throttle;
    this.#tokens = dependencies.tokens;
    this.#clock = dependencies.clock;
    this.#shape = loginShape(dependencies.methods);
  }

  /** Begins a login. */
  create(caller: FlowCaller, start: { client: FlowClient; returnTo: string }): Promise<CreatedFlow> {
    return this.#keeper.create(caller, this.#shape, { ...start, data: {} });
  }

  /** The flow as it stands. Throws FLOW_EXPIRED with the id of a fresh one. */
  async get(caller: FlowCaller, flowId: string): Promise<Flow> {
    const { tenant } = caller;
    const digest = this.#keeper.digestOf(tenant, flowId);
    const held = this.#keeper.hold(caller, await this.#flows.find({ tenantId: tenant.id }, "login", digest));
    if (held.kind === "expired") {
      const { flow } = await this.#keeper.replace(caller, this.#shape, held.record);
      throw domainError("FLOW_EXPIRED", { replacement_flow_id: flow.id.reveal() });
    }
    return this.#keeper.presentTo(caller, this.#shape, flowId, held.record);
  }

  /**
   * Tries what was submitted. Two round trips when it succeeds and nobody else logs in as the same identity, beside
   * the throttle's one. Throws RATE_LIMITED.
   */
  async submit(caller: FlowCaller, submission: LoginSubmission): Promise<FlowOutcome<FlowCompleted>> {
    const { tenant } = caller;
    const method = this.#methods.get(submission.step.method);
    if (method === undefined) throw new Error(`no login method ${submission.step.method}`);
    const digest = this.#keeper.digestOf(tenant, submission.flowId);
    const normalised = normaliseForLogin(submission.identifier);
    const identifier = normalised ?? nobody;
    const read = () =>
      this.#flows.findForLogin({ tenantId: tenant.id }, digest, identifier, method.credential);

    const { flow, candidate } = await read();
    const held = this.#keeper.hold(caller, flow);
    this.#keeper.assertFormToken(caller, held.record, submission.flowId, submission.csrfToken);
    if (held.kind === "completed") throw domainError("FLOW_COMPLETED", {});
    if (held.kind === "expired") {
      return { kind: "expired", replacement: await this.#keeper.replace(caller, this.#shape, held.record) };
    }
    if (submission.identifier.trim() === "") {
      const message = messages.required("identifier");
      return this.#rejected(caller, submission, held.record, "FORM_INCOMPLETE", {
        fields: [{ name: "identifier", message }],
        form: [],
      });
    }
    // Security rule: the attempt is counted before anything is compared (ASVS V6.3.1).
    const ticket = await this.#throttle.take(tenant, caller.origin, "login", {
      address: caller.limitedAddress,
      flow: digest,
      accounts: [normalised ?? submission.identifier],
      identityId: candidate?.identity.id,
      // A native flow is not moved by cookies, nor a browser flow by what a page can read and send.
      device: held.record.client === "browser" ? caller.deviceCookie : submission.deviceToken,
    });
    let proof = await method.proveLogin(tenant, submission.step, candidate);
    for (let round = 0; round < mostRounds; round++) {
      if (proof.kind === "rejected") {
        await this.#recordFailure(caller, candidate, proof.reason);
        return this.#rejected(caller, submission, held.record, proof.reason, proof.problems);
      }
      const completed = await this.#complete(caller, held.record, method, proof, ticket);
      if (completed !== "candidate_changed") return { kind: "completed", completed };
      const again = (await read()).candidate;
      // The proof stands as long as it is the same secret of the same active identity; else it is made again.
      const stands =
        again?.identity.state === "active" &&
        again.identity.id === proof.candidate.identity.id &&
        again.credential === proof.candidate.credential;
      proof = stands
        ? { ...proof, candidate: again }
        : await method.proveLogin(tenant, submission.step, again);
    }
    throw domainError("SERVER_OVERLOADED", {}, { retryAfterMs: 1000 });
  }

  async #complete(
    caller: FlowCaller,
    flow: FlowRecord,
    method: LoginMethod,
    proof: LoginProved,
    ticket: ThrottleTicket,
  ): Promise<FlowCompleted | "candidate_changed"> {
    const { tenant, origin } = caller;
    const at = this.#clock.now();
    const { identity } = proof.candidate;
    const { session, token } = newSession(this.#tokens, tenant, identity.id, {
      client: flow.client,
      method: { ...proof.authentication, completedAt: at },
      origin,
      at,
    });
    const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
    const about = { identityId: identity.id, sessionId: session.id };
    const { completion: throttle, device } = this.#throttle.succeeded(tenant, ticket, flow.client);
    const result = await this.#flows.completeLogin(
      { tenantId: tenant.id },
      {
        flowDigest: flow.digest,
        candidate: proof.candidate,
        credentialKind: method.credential,
        session,
        rehash: proof.rehash,
        maxSessions: tenant.settings.session.maxParallel,
        idleSince: idleSince(tenant.settings.session, at),
        at,
        events: [
          newEvent("login.succeeded", at, actor, { ...about, data: { method: method.kind } }),
          newEvent("session.created", at, actor, about),
        ],
        evictionEvent: newEvent("session.revoked", at, actor, {
          identityId: identity.id,
          data: { reason: "session_limit" },
        }),
        throttle,
      },
    );
    if (result === "flow_taken") throw domainError("FLOW_COMPLETED", {});
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

  #rejected(
    caller: FlowCaller,
    submission: LoginSubmission,
    record: FlowRecord,
    reason: Extract<FlowOutcome<never>, { kind: "rejected" }>["reason"],
    problems: FormProblems,
  ): FlowOutcome<never> {
    const nodes = this.#shape
      .nodes(caller.tenant, record.data)
      .map((node) =>
        node.name === "identifier" && node.element.kind === "input"
          ? { ...node, element: { ...node.element, value: submission.identifier } }
          : node,
      );
    const form = withProblems(nodes, problems);
    return {
      kind: "rejected",
      reason,
      flow: this.#keeper.presentTo(caller, this.#shape, submission.flowId, record, form),
    };
  }

  /** For an unknown identifier as well, so that the time of the answer does not tell them apart. */
  async #recordFailure(
    caller: FlowCaller,
    candidate: LoginCandidate | undefined,
    reason: string,
  ): Promise<void> {
    if (reason !== "CREDENTIALS_INVALID") return;
    const event = newEvent("login.failed", this.#clock.now(), caller.origin, {
      identityId: candidate?.identity.id,
      data: { reason },
    });
    await this.#events.append({ tenantId: caller.tenant.id }, [event]);
  }
}

function loginShape(methods: readonly LoginMethod[]): FlowShape {
  const identifier: Node = {
    name: "identifier",
    group: "default",
    label: messages.identifierLabel(),
    messages: [],
    element: { kind: "input", type: "text", required: true, autocomplete: "username", maxLength: 320 },
  };
  return {
    kind: "login",
    lifetimeMs: (tenant: Tenant) => tenant.settings.login.lifetimeMs,
    methods: () => methods.map((method) => method.kind),
    nodes: (tenant: Tenant, _data: JsonObject) => [
      identifier,
      ...methods.flatMap((method) => method.loginNodes(tenant)),
    ],
  };
}
