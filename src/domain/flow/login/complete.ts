import type { Outbox } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import { newEvent } from "../../event/event.ts";
import type { Identity } from "../../identity/identity.ts";
import { noticeOf, noticesTo } from "../../identity/notices.ts";
import type { MethodKind } from "../../kinds.ts";
import type { LoginCandidate, LoginProved, LoginRefused } from "../../method/method.ts";
import type { Clock, Tokens } from "../../ports.ts";
import { idleSince } from "../../session/lifetime.ts";
import { newSession } from "../../session/sessions.ts";
import type { Throttle, ThrottleTicket } from "../../throttle/throttle.ts";
import type { SettingsFlows } from "../settings/settings-flows.ts";
import type { FlowCaller, FlowCompleted } from "../shared/flow.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import { shownFirst } from "../shared/second-factors.ts";
import type { FlowStore, HeldRevision, LoginCompletion } from "../shared/store.ts";
import type { RecordOf } from "../shared/table.ts";
import type { LoginNotices } from "./notices.ts";
import { firstFactorOf, type LoginTypes } from "./state.ts";

type LoginFlow = RecordOf<LoginTypes>;

// Of n logins of one identity at the same moment one completes in each round, so 16 need at most 16 rounds.
const mostRounds = 64;

/** A proof of who somebody is, with what a login needs to complete by it. */
export interface LoginProof {
  readonly kind: "proved";
  /** The method that it came from; undefined for a proof of an address. */
  readonly by?: MethodKind;
  readonly candidate: LoginCandidate;
  readonly proof: LoginCompletion["proof"];
  readonly held: readonly HeldRevision[];
  readonly authentication: LoginProved["authentication"];
  readonly replacement?: LoginProved["replacement"];
  readonly notice?: LoginProved["notice"];
  readonly ticket: ThrottleTicket;
}

interface LoginCompletionsDependencies {
  readonly engine: FlowEngine;
  readonly flows: FlowStore;
  readonly outbox: Outbox;
  readonly notices: LoginNotices;
  /** What a login offers to make. */
  readonly offers: Pick<SettingsFlows, "draftAfterLogin">;
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** How a login ends: with a session, or with the record of a failure. */
export class LoginCompletions {
  readonly #deps: LoginCompletionsDependencies;

  constructor(deps: LoginCompletionsDependencies) {
    this.#deps = deps;
  }

  /**
   * Completes a login by its proof. One round trip if nobody else logs in as the same identity; otherwise `renew` gives the
   * proof again, from what is there by then. Throws FLOW_COMPLETED, FLOW_CHANGED, SERVER_OVERLOADED.
   */
  async complete(
    caller: FlowCaller,
    flow: LoginFlow,
    given: LoginProof | LoginRefused,
    renew: (lost: LoginProof) => Promise<LoginProof | LoginRefused>,
  ): Promise<{ readonly kind: "completed"; readonly completed: FlowCompleted } | LoginRefused> {
    let proof = given;
    for (let round = 0; round < mostRounds; round++) {
      if (proof.kind === "rejected") return proof;
      const completed = await this.#tryOnce(caller, flow, proof);
      if (completed !== "candidate_changed") return { kind: "completed", completed };
      proof = await renew(proof);
    }
    throw domainError("SERVER_OVERLOADED", {}, { retryAfterMs: 1000 });
  }

  async #tryOnce(
    caller: FlowCaller,
    flow: LoginFlow,
    { candidate, proof, held, authentication, replacement, notice, ticket }: LoginProof,
  ): Promise<FlowCompleted | "candidate_changed"> {
    const { tenant, origin } = caller;
    const at = this.#deps.clock.now();
    const { identity } = candidate;
    const { state, purpose } = flow.data;
    const firstFactor = firstFactorOf(state);
    const first = firstFactor && shownFirst(firstFactor);
    const { session, token } = newSession(this.#deps.tokens, tenant, identity.id, {
      client: flow.client,
      methods: [...(first ? [first] : []), { ...authentication, purpose: "sign_in", completedAt: at }],
      origin,
      at,
    });
    const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
    const about = { identityId: identity.id, sessionId: session.id };
    const isRefresh = purpose.kind === "refresh";
    const replaces = isRefresh ? purpose.session : await this.#shownSession(caller, flow, identity);
    const by = (first ?? authentication).kind;
    const shown = {
      method: by,
      ...(first && { second_factor: authentication.kind }),
    };
    const events = [
      newEvent("login.succeeded", at, actor, { ...about, data: { ...shown, refresh: isRefresh } }),
      newEvent("session.created", at, actor, about),
    ];
    if (replaces !== undefined) {
      const data = { reason: isRefresh ? "refreshed" : "replaced" };
      events.push(
        newEvent("session.revoked", at, actor, { identityId: identity.id, sessionId: replaces, data }),
      );
    }
    const offer =
      purpose.kind === "sign_in"
        ? this.#deps.offers.draftAfterLogin(caller, {
            ...{ client: flow.client, returnTo: flow.returnTo, session: session.id, by },
            ...{ owner: candidate, clientData: flow.data.clientData },
          })
        : undefined;
    const { completion: throttle, device } = this.#deps.throttle.succeeded(tenant, ticket, flow.client);
    const result = await this.#deps.flows.completeLogin(tenant, {
      held,
      candidate,
      proof,
      session,
      replacement,
      replaces,
      maxSessions: tenant.settings.session.maxParallel,
      idleSince: idleSince(tenant.settings.session, at),
      at,
      messages: [
        ...(notice ? noticesTo(this.#deps.outbox, identity, notice, noticeOf(flow, at)) : []),
        ...this.#deps.notices.onNewDevice(caller, flow, identity, { ticket, proof }),
      ],
      events,
      evictionEvent: newEvent("session.revoked", at, actor, {
        identityId: identity.id,
        data: { reason: "session_limit" },
      }),
      throttle,
      settingsFlow: offer?.record,
    });
    if (result === "flow_taken") throw await this.#deps.engine.taken(tenant, flow);
    if (result === "candidate_changed") return result;
    return {
      session,
      token,
      client: flow.client,
      identity: { ...identity, lastLoginAt: at },
      returnTo: flow.returnTo,
      settings: offer?.created.flow,
      device,
    };
  }

  /**
   * The session that the browser still shows, if it is of the same identity: the new one takes its place.
   *
   * Security rule (SR-SESSION-1): the secret of a session that was in the browser before a login is worth nothing after it (ASVS V7.2.4).
   * A session of somebody else is left alone; its cookie is replaced. Of several that the browser shows none
   * is left: what takes their place in the browser ends the others.
   */
  async #shownSession(
    caller: FlowCaller,
    flow: LoginFlow,
    identity: Identity,
  ): Promise<LoginCompletion["replaces"]> {
    if (flow.client !== "browser") return undefined;
    const shown = await caller.browserSessions();
    return shown.find(({ identityId }) => identityId === identity.id)?.id;
  }
}
