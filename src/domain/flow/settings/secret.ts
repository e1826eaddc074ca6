import type { Outbox } from "../../courier/outbox.ts";
import { newEvent } from "../../event/event.ts";
import { type Credential, formerOf, type Identity, storedCredential } from "../../identity/identity.ts";
import { noticeOf, noticesTo } from "../../identity/notices.ts";
import { completedEvents, doneBy, without } from "../../identity/required-actions.ts";
import { type CredentialId, newId } from "../../ids.ts";
import type { Authentication, MethodMemory, SettingsMethod, SettingsStep } from "../../method/method.ts";
import type { Clock, Tokens } from "../../ports.ts";
import type { AuthenticationMethod, Session } from "../../session/session.ts";
import { newSession } from "../../session/sessions.ts";
import type { Throttle } from "../../throttle/throttle.ts";
import type { LoginFlows } from "../login/login-flows.ts";
import type { PendingActions } from "../login/pending-actions.ts";
import { rememberedProof } from "../login/state.ts";
import { memoryAt } from "../shared/away.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import { addsNothing, type SecondFactors, shownFirst } from "../shared/second-factors.ts";
import { isComparedWith, type SecretSteps } from "../shared/secret-steps.ts";
import type { Moved, StepResult } from "../shared/table.ts";
import { credentialTaken } from "../shared/traits.ts";
import {
  assertWritten,
  choiceOf,
  isForOneChange,
  ownOrigin,
  type SettingsAttempt,
  writtenOf,
} from "./change.ts";
import type { SettingsChange, SettingsPurpose, SettingsState, SettingsTypes } from "./state.ts";
import { revocationOf, type SettingsStore } from "./store.ts";

interface SecretSettingsDependencies {
  readonly engine: FlowEngine;
  readonly store: SettingsStore;
  readonly outbox: Outbox;
  readonly throttle: Throttle;
  readonly secrets: SecretSteps;
  readonly secondFactors: Pick<SecondFactors, "isEnrolled">;
  readonly pending: PendingActions;
  readonly logins: LoginFlows;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** A change that was checked, and what the step has shown beside it. */
interface PreparedSecret {
  readonly kind: "prepared";
  readonly change: Extract<SettingsChange, { kind: "credential" | "method" }>;
  readonly authentication: Authentication | undefined;
}

/** Setting one's own secret within a settings flow, also the one that a recovery asks for. */
export class SecretSettings {
  readonly #deps: SecretSettingsDependencies;

  constructor(deps: SecretSettingsDependencies) {
    this.#deps = deps;
  }

  /**
   * Checks and hashes a new secret. Throws RATE_LIMITED, SERVER_OVERLOADED.
   *
   * It is hashed at once also where a fresh login comes first, because what waits for that login in the flow must not be the
   * secret itself. One that is compared with the secret that the account has is asked for again after that login.
   */
  async prepare(
    attempt: SettingsAttempt,
    method: SettingsMethod,
    rule: SettingsStep,
  ): Promise<PreparedSecret | StepResult<SettingsTypes>> {
    const { flow, state, identity, credentials, isPrivileged } = attempt;
    const { kind } = method;
    const waiting = (memory: MethodMemory): PreparedSecret => ({
      kind: "prepared",
      change: { kind: "method", method: { kind, memory } },
      authentication: undefined,
    });
    if (!isPrivileged && isComparedWith(identity, method)) return waiting({});
    const standing = flow.data.purpose.kind === "recovery" ? "recovered" : isPrivileged ? "fresh" : "stale";
    const memory = memoryAt(state, kind);
    const taken = await this.#deps.secrets.take(
      attempt,
      { method, step: rule },
      {
        ...{ identity, credentials, memory, standing, isFresh: isPrivileged },
      },
    );
    if (taken.kind === "rejected") return taken;
    if (taken.kind === "changed") {
      const { credential, notice, authentication, endsOtherSessions } = taken;
      const change = {
        kind: "credential",
        credential,
        notice,
        keepOtherSessions: !endsOtherSessions,
      } as const;
      return { kind: "prepared", change, authentication };
    }
    // What is shown next may be a secret: a fresh login comes before it. One that leads elsewhere is not kept waiting.
    if (taken.kind === "continues" && !isPrivileged && (memory === undefined || rule.sendsTo)) {
      return waiting(taken.memory);
    }
    if (taken.kind === "redirects") {
      const away = { kind, memory: taken.memory };
      const at = choiceOf(state);
      return { kind: "moved", state: { at, away }, identityId: flow.identityId, url: taken.url };
    }
    const { messages, sent } = taken;
    return { ...this.continue({ flow, state }, { kind, memory: taken.memory }), messages, sent };
  }

  /** Goes on with a method that has more to ask. */
  continue(
    { flow, state }: Pick<SettingsAttempt, "flow" | "state">,
    method: Extract<SettingsChange, { kind: "method" }>["method"],
  ): Moved<SettingsState> {
    const isNew = choiceOf(state) === "set_new_secret";
    const at = isNew ? "continue_new_secret" : "continue_method";
    return { kind: "moved", state: { at, method }, identityId: flow.identityId };
  }

  /**
   * Stores a secret that was checked and hashed. After a recovery the session comes with it, and the flow is over. `shown`: what
   * the step has shown in a session that is fresh.
   */
  async change(
    attempt: SettingsAttempt,
    change: Extract<SettingsChange, { kind: "credential" }>,
    shown?: Authentication,
  ): Promise<StepResult<SettingsTypes>> {
    const { caller, tenant, flow, identity, credentials, session } = attempt;
    const { notice } = change;
    const { engine, store, outbox, throttle, clock } = this.#deps;
    const origin = ownOrigin(attempt);
    const at = clock.now();
    const former = formerOf(credentials, change.credential);
    const credential = { ...change.credential, id: former?.id ?? newId<CredentialId>(at) };
    const isRecovery = flow.data.purpose.kind === "recovery";
    const own = [...credentials.filter((each) => each !== former), storedCredential(credential, former, at)];
    const done = doneBy(
      identity,
      ...(credential.kind === "password" ? (["set_password"] as const) : []),
      ...(this.#deps.secondFactors.isEnrolled(tenant, own) ? (["enrol_factor"] as const) : []),
    );
    const after = { ...identity, requiredActions: without(identity, done) };
    const waits = isRecovery ? this.#waiting(attempt, after, own, at) : undefined;
    const issued = !isRecovery
      ? this.#raised(attempt, shown, at)
      : waits === undefined
        ? this.#issueSession(attempt, at)
        : undefined;
    const replaces = isRecovery || issued === undefined ? undefined : session?.id;
    const about = { identityId: identity.id, sessionId: issued?.session.id };
    const events = [
      newEvent("credential.set", at, origin, { identityId: identity.id, data: { kind: credential.kind } }),
      ...completedEvents(identity.id, done, at, origin),
    ];
    if (issued !== undefined) events.push(newEvent("session.created", at, origin, about));
    if (replaces !== undefined) {
      const data = { reason: "refreshed" } as const;
      events.push(newEvent("session.revoked", at, origin, { ...about, sessionId: replaces, data }));
    }
    const isKnown = isRecovery && issued !== undefined;
    const known = isKnown ? throttle.known(tenant, flow.client, caller.shownDevice(flow.client)) : undefined;
    const { client, returnTo } = flow;
    const { clientData } = flow.data;
    const login =
      waits &&
      this.#deps.logins.draftForActions(caller, { client, returnTo, clientData }, identity.id, waits);
    const said = { change: "set", kind: credential.kind, label: credential.label ?? "" } as const;
    const result = await store.changeCredential(tenant, {
      ...writtenOf(engine, attempt, said),
      completes: isForOneChange(flow),
      identityId: identity.id,
      credential,
      session: issued?.session,
      // Security rule (SR-ACTION-1): what is asked for since the account was read comes before the session as well.
      expectedRevision: issued && identity.revision,
      begins: login?.record,
      replaces,
      doneActions: done.map(({ id }) => id),
      throttle: known?.completion,
      keep: isRecovery ? undefined : change.keepOtherSessions ? "all" : session?.id,
      at,
      messages: noticesTo(outbox, identity, notice, noticeOf(flow, at, origin)),
      events,
      revocationEvent: revocationOf(identity.id, origin, at),
    });
    if (result === "credential_taken") return credentialTaken();
    await assertWritten(engine, attempt, result);
    if (login !== undefined) return { kind: "session_waits", login: login.created };
    const given = issued && { ...issued, client, device: known?.device };
    if (isForOneChange(flow)) {
      return { kind: "completed", completed: { identity: after, session: given, returnTo } };
    }
    return { kind: "changed", identity: after, credentials: own, said, ...(given && { session: given }) };
  }

  /**
   * What comes before the session of somebody who was recovered; undefined if nothing does. Security rule (SR-ACTION-1): a recovery is
   * no way around it.
   */
  #waiting(
    { tenant, flow, session }: SettingsAttempt,
    identity: Identity,
    credentials: readonly Credential[],
    at: Date,
  ) {
    const proofs = proofsOf(flow.data.purpose, session);
    const purpose = { kind: "sign_in" } as const;
    const { next } = this.#deps.pending.find(tenant, { identity, credentials }, { proofs, purpose, at });
    return next && { proved: { proofs: proofs.map(rememberedProof) }, action: next };
  }

  /**
   * The session in the place of the one in which more was shown than before; undefined if it stays.
   *
   * Security rule (SR-FACTOR-6): a session never rises by a change of the settings alone. Only what was shown within a fresh session
   * counts for it, and its token is another one then (ASVS V7.2.4).
   */
  #raised(
    { caller, tenant, flow, identity, session }: SettingsAttempt,
    shown: Authentication | undefined,
    at: Date,
  ) {
    if (shown === undefined || session === undefined || session.assuranceLevel === "aal2") return undefined;
    const { authenticationMethods } = session;
    if (addsNothing(authenticationMethods, shown)) return undefined;
    const proof = { ...shown, purpose: "sign_in", completedAt: at } as const;
    const methods = [...authenticationMethods, proof];
    const { origin } = caller;
    return newSession(this.#deps.tokens, tenant, identity.id, { client: flow.client, methods, origin, at });
  }

  /** The session of somebody who was recovered, in place of the one in which a second factor was shown. */
  #issueSession({ caller, tenant, flow, identity, session }: SettingsAttempt, at: Date) {
    const methods = proofsOf(flow.data.purpose, session);
    const { origin } = caller;
    return newSession(this.#deps.tokens, tenant, identity.id, { client: flow.client, methods, origin, at });
  }
}

/** What was shown by somebody who was recovered, and has a session where a second factor was wanted. */
function proofsOf(purpose: SettingsPurpose, session: Session | undefined): readonly AuthenticationMethod[] {
  if (session !== undefined) return session.authenticationMethods;
  return purpose.kind === "recovery" ? [shownFirst(purpose.recovery)] : [];
}
