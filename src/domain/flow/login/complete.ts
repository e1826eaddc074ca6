import type { Outbox } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import { newEvent } from "../../event/event.ts";
import type { Identity } from "../../identity/identity.ts";
import { noticeOf, noticesTo, placeOf } from "../../identity/notices.ts";
import { completedEvents, without } from "../../identity/required-actions.ts";
import type { SessionId } from "../../ids.ts";
import type { MethodKind } from "../../kinds.ts";
import type { LoginCandidate, LoginProved, LoginRefused, VouchedAccount } from "../../method/method.ts";
import type { Clock, Tokens } from "../../ports.ts";
import { idleSince } from "../../session/lifetime.ts";
import type { AuthenticationMethod } from "../../session/session.ts";
import { newSession } from "../../session/sessions.ts";
import type { Throttle, ThrottleTicket } from "../../throttle/throttle.ts";
import { Turns } from "../../turns.ts";
import type { SettingsFlows } from "../settings/settings-flows.ts";
import type { FlowCaller, FlowCompleted } from "../shared/flow.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import { shownFirst } from "../shared/second-factors.ts";
import type { FlowStore, HeldRevision, LoginCompletion } from "../shared/store.ts";
import type { Moved, NotAccepted, RecordOf } from "../shared/table.ts";
import { credentialTaken } from "../shared/traits.ts";
import { typedAt } from "../shared/typed-address.ts";
import type { VerificationFlows } from "../verification/verification-flows.ts";
import type { LoginNotices } from "./notices.ts";
import type { PendingActions } from "./pending-actions.ts";
import {
  firstFactorOf,
  type LoginState,
  type LoginTypes,
  type ProvedLogin,
  rememberedProof,
} from "./state.ts";

type LoginFlow = RecordOf<LoginTypes>;

/** How long a login waits for other logins of the same identity: here in its turn, or for those of other servers. */
const longestWaitMs = 1_000;

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
  readonly whenShown?: LoginProved["whenShown"];
  /** An account elsewhere that is linked by this proof. */
  readonly linked?: VouchedAccount | undefined;
  readonly ticket: ThrottleTicket;
}

/** A login whose proofs were all given before: the flow remembers them. */
type ProvedBefore = Pick<LoginProof, "kind" | "candidate" | "proof" | "held"> & {
  readonly [Name in
    | "authentication"
    | "replacement"
    | "notice"
    | "ticket"
    | "whenShown"
    | "linked"]?: undefined;
};

interface LoginCompletionsDependencies {
  readonly engine: FlowEngine;
  readonly flows: FlowStore;
  readonly outbox: Outbox;
  readonly notices: LoginNotices;
  readonly pending: PendingActions;
  readonly verifications: () => Pick<VerificationFlows, "afterRegistration">;
  /** What a login offers to make. */
  readonly offers: Pick<SettingsFlows, "draftAfterLogin">;
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

type Ended =
  | { readonly kind: "completed"; readonly completed: FlowCompleted }
  | Moved<LoginState>
  | NotAccepted;

/** How a login ends: with a session, or first with what is to be done before it. */
export class LoginCompletions {
  readonly #deps: LoginCompletionsDependencies;
  readonly #turns = new Turns(longestWaitMs);

  constructor(deps: LoginCompletionsDependencies) {
    this.#deps = deps;
  }

  /**
   * Completes a login by its proof. One round trip if nobody else logs in as the same identity; otherwise `renew` gives the
   * proof again, from what is there by then. Throws FLOW_COMPLETED, FLOW_CHANGED, SERVER_OVERLOADED.
   *
   * Logins of one identity take turns, because of those at the same moment one alone completes. Somebody who sends hundreds of
   * them makes neither the others nor the database wait: what is not through within a second is refused.
   */
  async complete<Proof extends LoginProof | ProvedBefore>(
    caller: FlowCaller,
    flow: LoginFlow,
    given: Proof | LoginRefused,
    renew: (lost: Proof) => Promise<Proof | LoginRefused>,
  ): Promise<Ended | (NotAccepted & LoginRefused)> {
    if (given.kind === "rejected") return given;
    const key = `${caller.tenant.tenantId} ${given.candidate.identity.id}`;
    const until = performance.now() + longestWaitMs;
    const inTurn = async (hasWaited: boolean) => {
      // What was read before the turn came is of the past.
      let proof = hasWaited ? await renew(given) : given;
      while (proof.kind !== "rejected") {
        const ended = await this.#tryOnce(caller, flow, proof);
        if (ended !== "candidate_changed") {
          proof.whenShown?.();
          return ended;
        }
        // A login on another server, or a change of the account, was faster.
        if (performance.now() > until) throw overloaded();
        proof = await renew(proof);
      }
      return proof;
    };
    return this.#turns.take(key, inTurn, overloaded);
  }

  async #tryOnce(
    caller: FlowCaller,
    flow: LoginFlow,
    given: LoginProof | ProvedBefore,
  ): Promise<Ended | "candidate_changed"> {
    const { tenant, origin } = caller;
    const { candidate, proof, held, authentication, replacement, notice, ticket } = given;
    const at = this.#deps.clock.now();
    const { identity } = candidate;
    const { state, purpose } = flow.data;
    const proofs = proofsOf(state, authentication, at);
    const actions = this.#deps.pending.find(tenant, candidate, { proofs, purpose, at });
    const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
    const done = {
      added: actions.added,
      doneActions: actions.done.map(({ id }) => id),
      doneEvents: completedEvents(identity.id, actions.done, at, actor),
    };
    // All is shown: what the owner is told of it does not wait for what is to be done.
    const messages =
      ticket === undefined
        ? []
        : [
            ...(notice ? noticesTo(this.#deps.outbox, identity, notice, noticeOf(flow, at, origin)) : []),
            ...this.#deps.notices.onNewDevice(caller, flow, identity, { ticket, proof }),
          ];
    const common = { held, candidate, proof, replacement, at, messages };
    if (actions.next !== undefined) {
      const address = proof.kind === "address" ? { address: proof.target } : {};
      const proved = { ...provedBefore(state), ...address, proofs: proofs.map(rememberedProof) };
      const next = { at: "required_action", typed: typedAt(state), proved, action: actions.next } as const;
      const result = await this.#deps.flows.completeLogin(tenant, {
        ...common,
        ...done,
        goesOn: { ...flow.data, state: next },
        events: done.doneEvents,
      });
      if (result === "flow_taken") throw await this.#deps.engine.taken(tenant, flow);
      if (result === "candidate_changed") return result;
      if (result === "credential_taken") throw new Error("nothing is linked before there is a session");
      return { kind: "moved", state: next, identityId: identity.id, isWritten: true };
    }
    const client = { client: flow.client, methods: proofs, origin, at };
    const { session, token } = newSession(this.#deps.tokens, tenant, identity.id, client);
    const about = { identityId: identity.id, sessionId: session.id };
    // Security rule (SR-LINK-4): the link is written with the session, once all that the account asks for was shown.
    const linked = given.linked ?? (purpose.kind === "link" ? purpose.vouched : undefined);
    const link = linked && this.#link(caller, flow, identity, linked, at);
    const isRefresh = purpose.kind === "refresh";
    const replaces = isRefresh ? purpose.session : await this.#shownSession(caller, flow, identity);
    const [first, second] = proofs;
    const shown = { method: first?.kind ?? "", ...(second && { secondFactor: second.kind }) };
    const events = [
      ...done.doneEvents,
      newEvent("login.succeeded", at, actor, { ...about, data: { ...shown, refresh: isRefresh } }),
      newEvent("session.created", at, actor, about),
      ...(link?.events ?? []),
    ];
    if (replaces !== undefined) {
      const data = { reason: isRefresh ? "refreshed" : "replaced" } as const;
      events.push(
        newEvent("session.revoked", at, actor, { identityId: identity.id, sessionId: replaces, data }),
      );
    }
    const { throttle } = this.#deps;
    const { completion, device } =
      ticket === undefined
        ? throttle.known(tenant, flow.client, caller.shownDevice(flow.client))
        : throttle.succeeded(tenant, ticket, flow.client);
    const offer =
      // Who signs in for an OAuth2 server goes back there, where the offer would be lost.
      purpose.kind === "sign_in" && first !== undefined && flow.data.oauth2 === undefined
        ? this.#deps.offers.draftAfterLogin(caller, {
            ...{ client: flow.client, returnTo: flow.returnTo, session, by: first.kind },
            ...{ owner: candidate, clientData: flow.data.clientData },
          })
        : undefined;
    const result = await this.#deps.flows.completeLogin(tenant, {
      ...common,
      ...done,
      messages: [...messages, ...(link?.messages ?? [])],
      linked: link?.credential,
      session,
      replaces,
      maxSessions: tenant.settings.session.maxParallel,
      idleSince: idleSince(tenant.settings.session, at),
      events,
      evictionEvent: newEvent("session.revoked", at, actor, {
        identityId: identity.id,
        data: { reason: "session_limit" },
      }),
      throttle: completion,
      settingsFlow: offer?.record,
    });
    if (result === "flow_taken") throw await this.#deps.engine.taken(tenant, flow);
    if (result === "candidate_changed") return result;
    if (result === "credential_taken") return credentialTaken();
    const { isNew = false, isWithheld = false } = provedBefore(state) ?? {};
    const verification = isNew
      ? await this.#deps
          .verifications()
          .afterRegistration(caller, flow, { identity, session: session.id, isWithheld })
      : undefined;
    const left = without({ requiredActions: [...identity.requiredActions, ...actions.added] }, actions.done);
    return {
      kind: "completed",
      completed: {
        session,
        token,
        client: flow.client,
        identity: { ...identity, lastLoginAt: at, requiredActions: left },
        returnTo: flow.returnTo,
        isForSettings: purpose.kind === "refresh" && purpose.changesAccount === true,
        verification,
        settings: offer?.created.flow,
        device,
      },
    };
  }

  /** What is written, and who is told, where an account elsewhere is linked. */
  #link(
    { origin }: FlowCaller,
    flow: LoginFlow,
    identity: Identity,
    { credential }: VouchedAccount,
    at: Date,
  ) {
    const { kind, label = "" } = credential;
    const told = { kind, label, ...placeOf(origin, at) };
    const notice = { template: "credential_added", data: told } as const;
    const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
    return {
      credential,
      messages: noticesTo(this.#deps.outbox, identity, notice, noticeOf(flow, at, origin)),
      events: [newEvent("credential.set", at, actor, { identityId: identity.id, data: { kind } })],
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
  ): Promise<SessionId | undefined> {
    if (flow.client !== "browser") return undefined;
    const shown = await caller.browserSessions();
    return shown.find(({ identityId }) => identityId === identity.id)?.id;
  }
}

function overloaded(): Error {
  return domainError("SERVER_OVERLOADED", {}, { retryAfterMs: longestWaitMs });
}

/** What was shown before, where something is done before the session. */
function provedBefore(state: LoginState): ProvedLogin | undefined {
  return "proved" in state ? state.proved : undefined;
}

/** All that was shown, oldest first. */
function proofsOf(
  state: LoginState,
  authentication: LoginProved["authentication"] | undefined,
  at: Date,
): readonly AuthenticationMethod[] {
  const before = provedBefore(state)?.proofs ?? [];
  const first = firstFactorOf(state);
  return [
    ...before.map((proof) => ({ ...proof, completedAt: new Date(proof.completedAt) })),
    ...(first ? [shownFirst(first)] : []),
    ...(authentication ? [{ ...authentication, purpose: "sign_in", completedAt: at } as const] : []),
  ];
}
