import type { MessageContent } from "../../courier/message.ts";
import type { Outbox } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import { type EventType, newEvent } from "../../event/event.ts";
import { noticeOf, noticesTo } from "../../identity/notices.ts";
import { never } from "../../instant.ts";
import type { JsonObject } from "../../json.ts";
import type { Clock } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { FlowCaller } from "../shared/flow.ts";
import type { FlowKeeper } from "../shared/flow-keeper.ts";
import { deletionStep } from "./deletion-form.ts";
import { type OwnChangeResult, revocationOf, type SettingsStore } from "./settings-store.ts";
import { ownOrigin, type SettingsHolder, type SettingsOutcome, type SettingsView } from "./settings-view.ts";

interface AccountDeletionDependencies {
  readonly keeper: FlowKeeper;
  readonly view: SettingsView;
  readonly store: SettingsStore;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/**
 * The end of an account that its owner asks for, within a settings flow: after a period of grace in which they can sign in
 * and keep it. Signing in alone keeps nothing; somebody who reads their mail for the last time still wants to be gone.
 */
export class AccountDeletion {
  readonly #keeper: FlowKeeper;
  readonly #view: SettingsView;
  readonly #store: SettingsStore;
  readonly #outbox: Outbox;
  readonly #clock: Clock;

  constructor(dependencies: AccountDeletionDependencies) {
    this.#keeper = dependencies.keeper;
    this.#view = dependencies.view;
    this.#store = dependencies.store;
    this.#outbox = dependencies.outbox;
    this.#clock = dependencies.clock;
  }

  /** Throws STEP_NOT_OFFERED where no account can be deleted, or this one is to be deleted already. */
  assertOffered(tenant: Tenant, { identity }: SettingsHolder): void {
    if (deletionStep(tenant, identity) === "deleteAccount") return;
    throw domainError("STEP_NOT_OFFERED", { step: "deleteAccount" });
  }

  /** Has the account deleted. Ends everything that can be used of it now: sessions, flows, codes and links. */
  async request(caller: FlowCaller, holder: SettingsHolder): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const { client, returnTo } = holder.record;
    const at = this.#clock.now();
    const { graceMs } = tenant.settings.settings.accountDeletion;
    const deleteAt = new Date(at.getTime() + graceMs);
    const result =
      graceMs === 0
        ? await this.#deleteNow(caller, holder, at)
        : await this.#deleteLater(caller, holder, at, deleteAt);
    await this.#assertWritten(caller, holder, result);
    return { kind: "deletion_scheduled", deleteAt, client, returnTo };
  }

  /** Keeps an account that was to be deleted. Throws STEP_NOT_OFFERED where nothing is scheduled. */
  async cancel(caller: FlowCaller, holder: SettingsHolder): Promise<SettingsOutcome> {
    const { tenant } = caller;
    const { identity } = holder;
    if (deletionStep(tenant, identity) !== "keepAccount") {
      throw domainError("STEP_NOT_OFFERED", { step: "keepAccount" });
    }
    const at = this.#clock.now();
    const content = { template: "account_kept", data: {} } as const;
    const result = await this.#store.cancelDeletion(
      { tenantId: tenant.id },
      {
        ...this.#written(caller, holder, { at, content, type: "identity.deletion_cancelled" }),
        ...this.#view.afterChange(caller, holder),
        at,
      },
    );
    await this.#assertWritten(caller, holder, result);
    const kept = { ...identity, deleteAt: never, updatedAt: at, revision: identity.revision + 1 };
    return this.#view.saved(caller, holder, kept);
  }

  #deleteLater(
    caller: FlowCaller,
    holder: SettingsHolder,
    at: Date,
    deleteAt: Date,
  ): Promise<OwnChangeResult> {
    const content = { template: "account_deletion_scheduled", data: { date: deleteAt } } as const;
    const data = { purge_time: deleteAt.toISOString() };
    const { id } = holder.identity;
    return this.#store.scheduleDeletion(
      { tenantId: caller.tenant.id },
      {
        ...this.#written(caller, holder, { at, content, type: "identity.deletion_scheduled", data }),
        at,
        deleteAt,
        revocationEvent: revocationOf(id, ownOrigin(caller, holder), at, "account_deletion"),
      },
    );
  }

  #deleteNow(caller: FlowCaller, holder: SettingsHolder, at: Date): Promise<OwnChangeResult> {
    const content = { template: "account_deleted", data: {} } as const;
    const data = { reason: "owner_requested" };
    return this.#store.deleteAccount(
      { tenantId: caller.tenant.id },
      this.#written(caller, holder, { at, content, type: "identity.deleted", data }),
    );
  }

  /** What all of them write: for which flow and account, what the owner is told, what is recorded. */
  #written(
    caller: FlowCaller,
    holder: SettingsHolder,
    what: {
      readonly at: Date;
      readonly content: MessageContent;
      readonly type: EventType;
      readonly data?: JsonObject;
    },
  ) {
    const { at, content, type, data } = what;
    const { record, identity } = holder;
    const event = newEvent(type, at, ownOrigin(caller, holder), { identityId: identity.id, data });
    const how = noticeOf(record, at);
    return {
      held: { digest: record.digest, revision: record.revision },
      identityId: identity.id,
      messages: noticesTo(this.#outbox, identity, content, how),
      events: [event],
    };
  }

  async #assertWritten(
    { tenant }: FlowCaller,
    { record }: SettingsHolder,
    result: OwnChangeResult,
  ): Promise<void> {
    if (result === "flow_taken") throw await this.#keeper.taken(tenant, record);
    if (result === "identity_changed") throw domainError("FLOW_CHANGED", {});
  }
}
