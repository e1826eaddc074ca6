import type { MessageContent } from "../../courier/message.ts";
import type { Outbox } from "../../courier/outbox.ts";
import { type Event, newEvent } from "../../event/event.ts";
import type { CredentialReleases } from "../../identity/credential-releases.ts";
import { noticeOf, noticesTo } from "../../identity/notices.ts";
import { never } from "../../instant.ts";
import type { Clock } from "../../ports.ts";
import type { SavedChange } from "../../user-message/user-messages.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import type { StepResult } from "../shared/table.ts";
import { assertWritten, ownOrigin, type SettingsAttempt, writtenOf } from "./change.ts";
import type { SettingsTypes } from "./state.ts";
import { type OwnChangeResult, revocationOf, type SettingsStore } from "./store.ts";

interface AccountDeletionDependencies {
  readonly engine: FlowEngine;
  readonly store: SettingsStore;
  readonly releases: CredentialReleases;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/**
 * The end of an account that its owner asks for, within a settings flow: after a period of grace in which they can sign in
 * and keep it. Signing in alone keeps nothing; somebody who reads their mail for the last time still wants to be gone.
 */
export class AccountDeletion {
  readonly #deps: AccountDeletionDependencies;

  constructor(deps: AccountDeletionDependencies) {
    this.#deps = deps;
  }

  /** Has the account deleted. Ends everything that can be used of it now: sessions, flows, codes and links. */
  async request(attempt: SettingsAttempt): Promise<StepResult<SettingsTypes>> {
    const { tenant, flow } = attempt;
    const { client, returnTo } = flow;
    const at = this.#deps.clock.now();
    const { graceMs } = tenant.settings.settings.accountDeletion;
    const purgeAt = new Date(at.getTime() + graceMs);
    const result =
      graceMs === 0 ? await this.#deleteNow(attempt, at) : await this.#deleteLater(attempt, at, purgeAt);
    await assertWritten(this.#deps.engine, attempt, result);
    return { kind: "deletion_scheduled", purgeAt, client, returnTo };
  }

  /** Keeps an account that was to be deleted. */
  async cancel(attempt: SettingsAttempt): Promise<StepResult<SettingsTypes>> {
    const { tenant, identity } = attempt;
    const at = this.#deps.clock.now();
    const content = { template: "account_kept", data: {} } as const;
    const about = { identityId: identity.id };
    const event = newEvent("identity.deletion_cancelled", at, ownOrigin(attempt), about);
    const result = await this.#deps.store.cancelDeletion(
      tenant,
      this.#written(attempt, { at, content, event }, kept),
    );
    await assertWritten(this.#deps.engine, attempt, result);
    const revision = identity.revision + 1;
    return {
      kind: "changed",
      identity: { ...identity, purgeAt: never, updatedAt: at, revision },
      said: kept,
    };
  }

  #deleteLater(attempt: SettingsAttempt, at: Date, purgeAt: Date): Promise<OwnChangeResult> {
    const { tenant, identity } = attempt;
    // It leads to a page and holds no secret: the owner signs in there.
    const url = tenant.settings.uiUrls.settings ?? "";
    const content = { template: "account_deletion_scheduled", data: { date: purgeAt, url } } as const;
    const about = { identityId: identity.id, data: { purgeTime: purgeAt.toISOString() } };
    const event = newEvent("identity.deletion_scheduled", at, ownOrigin(attempt), about);
    const revocationEvent = revocationOf(identity.id, ownOrigin(attempt), at, "account_deletion");
    return this.#deps.store.scheduleDeletion(tenant, {
      ...this.#written(attempt, { at, content, event }),
      kept: undefined,
      purgeAt,
      revocationEvent,
    });
  }

  async #deleteNow(attempt: SettingsAttempt, at: Date): Promise<OwnChangeResult> {
    const { store, releases } = this.#deps;
    const release = await releases.prepare(attempt.tenant, attempt.identity.id);
    const content = { template: "account_deleted", data: {} } as const;
    const about = { identityId: attempt.identity.id, data: { reason: "owner_requested" } } as const;
    const event = newEvent("identity.deleted", at, ownOrigin(attempt), about);
    const result = await store.deleteAccount(
      attempt.tenant,
      this.#written(attempt, { at, content, event }),
    );
    if (result === "completed") release();
    return result;
  }

  /** What all of them write: for which flow and account, what the owner is told, what is recorded. */
  #written(
    attempt: SettingsAttempt,
    what: {
      readonly at: Date;
      readonly content: MessageContent;
      readonly event: Event;
    },
    said?: SavedChange,
  ) {
    const { at, content, event } = what;
    const { flow, identity } = attempt;
    return {
      ...writtenOf(this.#deps.engine, attempt, said),
      at,
      identityId: identity.id,
      messages: noticesTo(this.#deps.outbox, identity, content, noticeOf(flow, at, ownOrigin(attempt))),
      events: [event],
    };
  }
}

const kept: SavedChange = { change: "kept" };
