import type { Outbox } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import { newEvent } from "../../event/event.ts";
import { noticeOf, noticesTo } from "../../identity/notices.ts";
import type { SettingsMethod, SettingsStep } from "../../method/method.ts";
import type { Clock, Tokens } from "../../ports.ts";
import { newSession } from "../../session/sessions.ts";
import { LocalBuckets } from "../../throttle/local-buckets.ts";
import type { Throttle } from "../../throttle/throttle.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import { shownFirst } from "../shared/second-factors.ts";
import type { StepResult } from "../shared/table.ts";
import { assertWritten, choiceOf, ownOrigin, type SettingsAttempt, writtenOf } from "./change.ts";
import type { SettingsChange, SettingsTypes } from "./state.ts";
import { revocationOf, type SettingsStore } from "./store.ts";

interface SecretSettingsDependencies {
  readonly engine: FlowEngine;
  readonly store: SettingsStore;
  readonly outbox: Outbox;
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** Setting one's own secret within a settings flow, also the one that a recovery asks for. */
export class SecretSettings {
  readonly #deps: SecretSettingsDependencies;
  readonly #hashings = new LocalBuckets();

  constructor(deps: SecretSettingsDependencies) {
    this.#deps = deps;
  }

  /**
   * Checks and hashes a new secret. Throws RATE_LIMITED, SERVER_OVERLOADED.
   *
   * It is hashed at once also where a fresh login comes first, because what waits for that login in the flow must not be the
   * secret itself. Security rule (SR-LIMIT-10): so each account has a budget for it (`throttle.account`, in each process, whose own work it
   * guards), counted before anything is hashed. What a session can do that somebody found open uses up neither the budget of
   * a fresh login nor that of a recovery.
   */
  async prepare(
    { tenant, flow, state, identity, step, isPrivileged }: SettingsAttempt,
    method: SettingsMethod,
    rule: SettingsStep,
  ): Promise<Extract<SettingsChange, { kind: "credential" }> | StepResult<SettingsTypes>> {
    const standing = flow.data.purpose.kind === "recovery" ? "recovered" : isPrivileged ? "fresh" : "stale";
    const { enabled, limits } = tenant.settings.throttle;
    const subject = `${tenant.tenantId} ${identity.id} ${standing}`;
    // A success counts as well: what is limited is the work.
    const now = this.#deps.clock.now().getTime();
    const waitMs = enabled ? this.#hashings.take(subject, limits.account, now) : 0;
    if (waitMs > 0) {
      throw domainError("RATE_LIMITED", { scope: "account" }, { retryAfterMs: Math.ceil(waitMs) });
    }
    const { traits } = identity;
    const account = { traits, identifiers: identity.identifiers.map(({ value }) => value) };
    const memory = "method" in state ? state.method.memory : undefined;
    const result = await rule.take({ tenant, step, account, memory });
    if (result.kind === "rejected") return result;
    if (result.kind === "changed") {
      const keepOtherSessions = step.fields.keepOtherSessions === true;
      const { credential, notice } = result;
      return { kind: "credential", credential, notice, keepOtherSessions };
    }
    const { interrupted } = state;
    const isNew = choiceOf(state) === "set_new_secret";
    const at = isNew ? "continue_new_secret" : "continue_method";
    const next = { kind: method.kind, memory: result.memory };
    return {
      kind: "moved",
      state: { at, method: next, interrupted },
      identityId: flow.identityId,
      url: result.kind === "redirects" ? result.url : undefined,
    };
  }

  /** Stores a secret that was checked and hashed. After a recovery the session comes with it, and the flow is over. */
  async change(
    attempt: SettingsAttempt,
    change: Extract<SettingsChange, { kind: "credential" }>,
  ): Promise<StepResult<SettingsTypes>> {
    const { caller, tenant, flow, identity, session } = attempt;
    const { credential, notice } = change;
    const { engine, store, outbox, throttle, clock } = this.#deps;
    const origin = ownOrigin(attempt);
    const at = clock.now();
    const issued = this.#issueSession(attempt, at);
    const about = { identityId: identity.id, sessionId: issued?.session.id };
    const events = [
      newEvent("credential.set", at, origin, { identityId: identity.id, data: { kind: credential.kind } }),
    ];
    if (issued !== undefined) events.push(newEvent("session.created", at, origin, about));
    const known = issued && throttle.known(tenant, flow.client, caller.shownDevice(flow.client));
    const result = await store.changeCredential(tenant, {
      ...writtenOf(engine, attempt),
      completes: flow.data.purpose.kind === "recovery",
      identityId: identity.id,
      credential,
      session: issued?.session,
      throttle: known?.completion,
      keep: issued === undefined ? (change.keepOtherSessions ? "all" : session?.id) : undefined,
      at,
      messages: noticesTo(outbox, identity, notice, noticeOf(flow, at)),
      events,
      revocationEvent: revocationOf(identity.id, origin, at),
    });
    await assertWritten(engine, attempt, result);
    if (issued === undefined) return { kind: "changed", identity };
    const { client, returnTo } = flow;
    const given = { ...issued, client, device: known?.device };
    return { kind: "completed", completed: { identity, session: given, returnTo } };
  }

  /** The session of somebody who was recovered, in place of the one in which a second factor was shown. */
  #issueSession({ caller, tenant, flow, identity, session }: SettingsAttempt, at: Date) {
    const { purpose } = flow.data;
    if (purpose.kind !== "recovery") return undefined;
    const methods = session?.authenticationMethods ?? [shownFirst(purpose.recovery)];
    const { origin } = caller;
    return newSession(this.#deps.tokens, tenant, identity.id, { client: flow.client, methods, origin, at });
  }
}
