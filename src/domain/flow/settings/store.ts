import type { SealedMessage } from "../../courier/outbox.ts";
import { type CallOrigin, type Event, newEvent } from "../../event/event.ts";
import type { Identity, NewCredential } from "../../identity/identity.ts";
import type { CredentialId, IdentityId, RequiredActionId, SessionId } from "../../ids.ts";
import type { CredentialKind } from "../../kinds.ts";
import type { TenantScope } from "../../ports.ts";
import type { NewSession } from "../../session/session.ts";
import type { ThrottleCompletion } from "../../throttle/store.ts";
import type { FlowData, FlowRecord } from "../shared/flow.ts";
import type { Completion, HeldRevision } from "../shared/store.ts";

/** What every change from a settings flow writes. */
export interface OwnChange {
  readonly held: HeldRevision;
  readonly at: Date;
  readonly messages: readonly SealedMessage[];
  readonly events: readonly Event[];
  /** The outcome that a browser flow keeps, sealed. */
  readonly kept?: string | undefined;
  /** The flow's data after the change. */
  readonly data: FlowData;
  /** What the account was asked to do, and has done by the change. Default: nothing. */
  readonly doneActions?: readonly RequiredActionId[];
}

/** A new credential. */
export interface CredentialChange extends OwnChange {
  readonly identityId: IdentityId;
  /** Whether the flow is over: it was for this alone. */
  readonly completes: boolean;
  readonly credential: NewCredential;
  /** A new session: after a recovery, or because more was shown than before. */
  readonly session: NewSession | undefined;
  /** The revision in which nothing was found that comes before the session. Undefined: any. */
  readonly expectedRevision?: number | undefined;
  /** The login that is begun with it, of somebody who has something to do before the session. */
  readonly begins?: FlowRecord | undefined;
  /** The session that ends because the new one takes its place. */
  readonly replaces?: SessionId | undefined;
  /** The device that becomes known with that session. */
  readonly throttle?: ThrottleCompletion | undefined;
  /** Which of the other sessions stay: one, or all. */
  readonly keep: SessionId | "all" | undefined;
  /** Written if sessions ended. */
  readonly revocationEvent: Event;
}

/** The end of a credential. */
export interface CredentialRemoval extends OwnChange {
  readonly identityId: IdentityId;
  readonly credentialId: CredentialId;
  /** All that the account has: nothing is removed if it has others by now, so that it keeps a way to sign in. */
  readonly known: readonly CredentialId[];
  /** Which of the other sessions stay: one, or all. */
  readonly keep: SessionId | "all" | undefined;
  /** Written if sessions ended. */
  readonly revocationEvent: Event;
}

/** Another name of a credential, or another part that it plays. */
export interface CredentialEdit extends OwnChange {
  readonly identityId: IdentityId;
  readonly credentialId: CredentialId;
  /** Undefined: it stays. */
  readonly label?: string;
  /** Whether all credentials of its kind are second factors. Undefined: it stays. */
  readonly secondFactor?: { readonly kind: CredentialKind; readonly isSecondFactor: boolean };
}

/** New traits. */
export interface ProfileChange extends OwnChange {
  readonly identity: Identity;
  readonly expectedRevision: number;
  /** Whether an address or identifier changed: then other sessions end, and so does what is on its way. */
  readonly endsOthers: boolean;
  readonly keep: SessionId | undefined;
  readonly revocationEvent: Event;
}

/** What the account was asked to do, done by saying so. */
export type ActionsDone = OwnChange & { readonly identityId: IdentityId };

/** The end of an account, in a while. */
export interface DeletionSchedule extends OwnChange {
  readonly identityId: IdentityId;
  readonly purgeAt: Date;
  readonly revocationEvent: Event;
}

/** The end of an account, now. */
export type Deletion = Omit<OwnChange, "at" | "kept" | "data"> & { readonly identityId: IdentityId };

/** An account that is kept after all. */
export type DeletionCancellation = OwnChange & { readonly identityId: IdentityId };

/** Whether a change was written; `identity_changed` if the account is no longer as it was read, or cannot sign in. */
export type OwnChangeResult = Completion | "identity_changed";

/**
 * What owners change of their own accounts. Implemented in src/storage/settings-store.ts. Each change is one statement, and
 * so one round trip, which is sent again only if a login or another change of the account came in between; it is written
 * whole or not at all, for one of many submits of the same flow.
 */
export interface SettingsStore {
  /**
   * Sets a credential, ends other sessions and everything that is on its way for the identity. `credential_taken` if another
   * identity has one with its key.
   */
  changeCredential(
    scope: TenantScope,
    change: CredentialChange,
  ): Promise<OwnChangeResult | "credential_taken">;
  /** Removes a credential, and ends everything that is on its way for the identity. */
  removeCredential(scope: TenantScope, removal: CredentialRemoval): Promise<OwnChangeResult>;
  /** Gives a credential another name, or has logins ask for a second factor because of it or not. */
  editCredential(scope: TenantScope, edit: CredentialEdit): Promise<OwnChangeResult>;
  /** Replaces traits, identifiers and addresses; `identifier_taken` if another identity has one of the identifiers. */
  changeProfile(scope: TenantScope, change: ProfileChange): Promise<OwnChangeResult | "identifier_taken">;
  /** Takes what is done from what the account is asked to do. */
  completeActions(scope: TenantScope, done: ActionsDone): Promise<OwnChangeResult>;
  /** Has the account deleted later; ends all its sessions, its flows and everything that is on its way for it. */
  scheduleDeletion(scope: TenantScope, schedule: DeletionSchedule): Promise<OwnChangeResult>;
  /** Removes the account and everything of it but its events; the jobs take what is personal out of these. */
  deleteAccount(scope: TenantScope, deletion: Deletion): Promise<OwnChangeResult>;
  /** Takes the scheduled deletion back. */
  cancelDeletion(scope: TenantScope, cancellation: DeletionCancellation): Promise<OwnChangeResult>;
}

/** The event of the sessions that a change ends. */
export function revocationOf(
  identityId: IdentityId,
  origin: CallOrigin,
  at: Date,
  reason: "credential_changed" | "account_deletion" | "disowned" = "credential_changed",
): Event {
  return newEvent("session.revoked", at, origin, { identityId, data: { reason, all: true } });
}
