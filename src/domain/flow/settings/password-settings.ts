import type { Outbox } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import { newEvent } from "../../event/event.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { SubmittedStep } from "../../form/submission.ts";
import { noticeOf, noticesTo } from "../../identity/notices.ts";
import type { SettingsMethod } from "../../method/method.ts";
import type { Clock, Tokens } from "../../ports.ts";
import { newSession } from "../../session/sessions.ts";
import { LocalBuckets } from "../../throttle/local-buckets.ts";
import type { Throttle } from "../../throttle/throttle.ts";
import { shownFirst } from "../login/second-factor-stage.ts";
import type { FlowCaller, SettingsChange } from "../shared/flow.ts";
import type { FlowKeeper } from "../shared/flow-keeper.ts";
import { revocationOf, type SettingsStore } from "./settings-store.ts";
import { ownOrigin, type SettingsHolder, type SettingsOutcome, type SettingsView } from "./settings-view.ts";

interface PasswordSettingsDependencies {
  readonly keeper: FlowKeeper;
  readonly view: SettingsView;
  readonly store: SettingsStore;
  readonly outbox: Outbox;
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** Setting one's own password within a settings flow, also the one that a recovery asks for. */
export class PasswordSettings {
  readonly #keeper: FlowKeeper;
  readonly #view: SettingsView;
  readonly #store: SettingsStore;
  readonly #hashings = new LocalBuckets();
  readonly #outbox: Outbox;
  readonly #throttle: Throttle;
  readonly #tokens: Tokens;
  readonly #clock: Clock;

  constructor(dependencies: PasswordSettingsDependencies) {
    this.#keeper = dependencies.keeper;
    this.#view = dependencies.view;
    this.#store = dependencies.store;
    this.#outbox = dependencies.outbox;
    this.#throttle = dependencies.throttle;
    this.#tokens = dependencies.tokens;
    this.#clock = dependencies.clock;
  }

  /**
   * Checks and hashes a new password. Throws RATE_LIMITED, SERVER_OVERLOADED.
   *
   * It is hashed at once also where a fresh login comes first, because what waits for that login in the flow must not be the
   * password itself. Security rule: so each account has a budget for it (`throttle.account`, in each process, whose own work it
   * guards), counted before anything is hashed. What a session can do that somebody found open uses up neither the budget of
   * a fresh login nor that of a recovery.
   */
  async prepare(
    { tenant }: FlowCaller,
    { record, identity }: SettingsHolder,
    submitted: {
      readonly method: SettingsMethod;
      readonly step: SubmittedStep;
      readonly isPrivileged: boolean;
    },
  ): Promise<Extract<SettingsChange, { kind: "password" }> | StepRejected> {
    const { method, step, isPrivileged } = submitted;
    const standing = record.data.recovery !== undefined ? "recovered" : isPrivileged ? "fresh" : "stale";
    const { enabled, limits } = tenant.settings.throttle;
    const subject = `${tenant.id} ${identity.id} ${standing}`;
    // A success counts as well: what is limited is the work.
    const waitMs = enabled ? this.#hashings.take(subject, limits.account, this.#clock.now().getTime()) : 0;
    if (waitMs > 0)
      throw domainError("RATE_LIMITED", { scope: "account" }, { retryAfterMs: Math.ceil(waitMs) });
    const identifiers = identity.identifiers.map(({ value }) => value);
    const changed = await method.changeSecret(tenant, step, { traits: identity.traits, identifiers });
    if (changed.kind === "rejected") return changed;
    const keepOtherSessions = step.fields.keepOtherSessions === true;
    return { kind: "password", password: changed.password, keepOtherSessions };
  }

  /** Stores a password that was checked and hashed. After a recovery the session comes with it, and the flow is over. */
  async change(
    caller: FlowCaller,
    holder: SettingsHolder,
    change: Extract<SettingsChange, { kind: "password" }>,
  ): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const { record, identity, session } = holder;
    const origin = ownOrigin(caller, holder);
    const at = this.#clock.now();
    const issued = this.#issueSession(caller, holder, at);
    const about = { identityId: identity.id, sessionId: issued?.session.id };
    const events = [
      newEvent("credential.set", at, origin, { identityId: identity.id, data: { kind: "password" } }),
    ];
    if (issued !== undefined) events.push(newEvent("session.created", at, origin, about));
    const content = { template: "password_changed", data: {} } as const;
    const how = noticeOf(record, at);
    const known = issued && this.#throttle.known(tenant, record.client, caller.shownDevice(record.client));
    const result = await this.#store.changePassword(
      { tenantId: tenant.id },
      {
        held: { digest: record.digest, revision: record.revision },
        completes: record.data.recovery !== undefined,
        identityId: identity.id,
        password: change.password,
        session: issued?.session,
        throttle: known?.completion,
        keep: issued === undefined ? (change.keepOtherSessions ? "all" : session?.id) : undefined,
        at,
        messages: noticesTo(this.#outbox, identity, content, how),
        events,
        revocationEvent: revocationOf(identity.id, origin, at),
        ...this.#view.afterChange(caller, holder),
      },
    );
    if (result === "flow_taken") throw await this.#keeper.taken(tenant, record);
    if (result === "identity_changed") throw domainError("FLOW_CHANGED", {});
    if (issued === undefined) return this.#view.saved(caller, holder, identity);
    const { client, returnTo } = record;
    return {
      kind: "completed",
      completed: { identity, session: { ...issued, client, device: known?.device }, returnTo },
    };
  }

  /** The session of somebody who was recovered, in place of the one in which a second factor was shown. */
  #issueSession({ tenant, origin }: FlowCaller, { record, identity, session }: SettingsHolder, at: Date) {
    const { recovery } = record.data;
    if (recovery === undefined) return undefined;
    const methods = session?.authenticationMethods ?? [shownFirst(recovery)];
    return newSession(this.#tokens, tenant, identity.id, { client: record.client, methods, origin, at });
  }
}
