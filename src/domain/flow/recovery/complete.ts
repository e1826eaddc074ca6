import type { Outbox } from "../../courier/outbox.ts";
import { newEvent } from "../../event/event.ts";
import { usernameBy } from "../../identity/addresses.ts";
import type { Credential, Identity } from "../../identity/identity.ts";
import { noticeOf, noticesTo } from "../../identity/notices.ts";
import type { Authentication } from "../../method/method.ts";
import type { Clock, Tokens } from "../../ports.ts";
import { newSession } from "../../session/sessions.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Throttle } from "../../throttle/throttle.ts";
import type { ProvedAddress } from "../challenge/challenges.ts";
import type { PendingActions } from "../login/pending-actions.ts";
import type { SettingsFlows } from "../settings/settings-flows.ts";
import type { FlowCaller } from "../shared/flow.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import type { SecondFactors } from "../shared/second-factors.ts";
import type { FlowStore } from "../shared/store.ts";
import type { RecordOf } from "../shared/table.ts";
import type { RecoveryCompleted, RecoveryTypes } from "./state.ts";

/** Whose account it is, and what they sign in with. */
interface Owner {
  readonly identity: Identity;
  readonly credentials: readonly Credential[];
}

interface RecoveryCompletionsDependencies {
  readonly engine: FlowEngine;
  readonly flows: Pick<FlowStore, "completeRecovery">;
  readonly settings: SettingsFlows;
  readonly secondFactors: SecondFactors;
  readonly pending: PendingActions;
  readonly outbox: Outbox;
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/**
 * How a recovery ends: with a settings flow in which a new secret must be set, and only then a session. A stolen mailbox leaves
 * its owner a changed password to notice.
 */
export class RecoveryCompletions {
  readonly #deps: RecoveryCompletionsDependencies;

  constructor(deps: RecoveryCompletionsDependencies) {
    this.#deps = deps;
  }

  /** Undefined if the identity cannot sign in any more. Throws FLOW_CHANGED, FLOW_COMPLETED. */
  async complete(
    caller: FlowCaller,
    flow: RecordOf<RecoveryTypes>,
    proved: ProvedAddress,
    owner: Owner,
    sessionAtOnce = caller.tenant.settings.recovery.sessionAtOnce,
  ): Promise<RecoveryCompleted | undefined> {
    const { tenant, origin } = caller;
    const { held, authentication } = proved;
    const { identity, credentials } = owner;
    const at = this.#deps.clock.now();
    const { secondFactors } = this.#deps;
    // Also where logins ask for none: what protects the account is about to change.
    const why = secondFactors.reasonToChange(tenant, credentials);
    const wanted = secondFactors.requiredBeside(tenant, { authentication }, credentials, why);
    const settings = this.#deps.settings.draftAfterRecovery(caller, {
      client: flow.client,
      returnTo: flow.returnTo,
      identityId: identity.id,
      recovery: secondFactors.firstFactor(authentication, "recovery", wanted, credentials),
      username: usernameBy(identity, proved.target),
      clientData: flow.data.clientData,
    });
    // Security rule (SR-FACTOR-2): no session at once for an account with a second factor.
    const isAtOnce = sessionAtOnce && wanted.length === 0 && !this.#waits(tenant, owner, authentication, at);
    const issued = isAtOnce
      ? newSession(this.#deps.tokens, tenant, identity.id, {
          client: flow.client,
          methods: [{ ...authentication, purpose: "recovery", completedAt: at }],
          origin,
          at,
        })
      : undefined;
    const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
    const about = { identityId: identity.id, sessionId: issued?.session.id };
    const data = {
      method: authentication.kind,
      startedBy: flow.data.purpose.operator === undefined ? "owner" : "operator",
    } as const;
    const events = [newEvent("recovery.succeeded", at, actor, { ...about, data })];
    if (issued !== undefined) events.push(newEvent("session.created", at, actor, about));
    const known = issued && this.#deps.throttle.known(tenant, flow.client, caller.shownDevice(flow.client));
    const result = await this.#deps.flows.completeRecovery(tenant, {
      held,
      identityId: identity.id,
      settingsFlow: settings.record,
      session: issued?.session,
      expectedRevision: issued && identity.revision,
      throttle: known?.completion,
      at,
      messages: noticesTo(
        this.#deps.outbox,
        identity,
        { template: "recovery_completed", data: {} },
        noticeOf(flow, at, caller.origin),
      ),
      events,
    });
    if (result === "flow_taken") throw await this.#deps.engine.taken(tenant, flow);
    if (result === "identity_changed") {
      // Security rule (SR-ACTION-1): something may come before the session by now. It waits for the new secret then, as by default.
      return issued && this.complete(caller, flow, proved, owner, false);
    }
    const session = issued && {
      session: issued.session,
      token: issued.token,
      client: flow.client,
      identity,
      device: known?.device,
    };
    return { settings: settings.created.flow, session };
  }

  /** Whether something comes before the session. Security rule (SR-ACTION-1): a recovery is no way around it. */
  #waits(tenant: Tenant, owner: Owner, authentication: Authentication, at: Date): boolean {
    const login = { proofs: [authentication], purpose: { kind: "sign_in" }, at } as const;
    return this.#deps.pending.find(tenant, owner, login).next !== undefined;
  }
}
