import type { SealedMessage } from "../courier/outbox.ts";
import type { Event } from "../event/event.ts";
import type { CredentialId, IdentityId, RequiredActionId } from "../ids.ts";
import type { JsonValue } from "../json.ts";
import type { CredentialKind } from "../kinds.ts";
import type { Page, PageRequest, TenantScope } from "../ports.ts";
import type {
  Credential,
  CredentialSecret,
  CredentialWithSecret,
  Identity,
  IdentityState,
  NewCredential,
  VerifiableAddress,
} from "./identity.ts";
import type { RequiredAction } from "./required-actions.ts";

/** Which identities to list; all that are given must hold. */
export interface IdentityFilter {
  readonly identifierPrefix?: string | undefined;
  readonly state?: IdentityState | undefined;
  readonly schemaId?: string | undefined;
  readonly traits?: readonly { readonly path: readonly string[]; readonly value: JsonValue }[] | undefined;
}

/** Parts of each identity of a page that are read. */
export interface IdentityTake {
  /** Whether traits and metadata are read; otherwise they are empty. */
  readonly documents: boolean;
}

/** An address of an identity whose verification an operator changes. */
export interface VerificationChange {
  readonly address: Pick<VerifiableAddress, "kind" | "value">;
  /** Undefined: the address is no longer verified. */
  readonly verifiedAt: Date | undefined;
  /** What the account was asked to do, and is done by it. Default: nothing. */
  readonly doneActions?: readonly RequiredActionId[];
  readonly at: Date;
  readonly messages: readonly SealedMessage[];
  readonly events: readonly Event[];
  /** Sessions and flows that end with the verification. */
  readonly end: PendingEnd | undefined;
}

/** What operators ask of an identity from now on. */
export interface ActionsChange {
  readonly actions: readonly RequiredAction[];
  readonly endSessions: boolean;
  readonly at: Date;
  readonly events: readonly Event[];
  /** Written if sessions ended. */
  readonly revocationEvent: Event;
}

/** Effects of a change of a secret or address by an operator: what ends, and the notices. */
export interface PendingEnd {
  readonly at: Date;
  readonly endsSessions: boolean;
  readonly messages: readonly SealedMessage[];
  /** Written if sessions ended. */
  readonly revocationEvent: Event;
}

/**
 * Identities, their identifiers, addresses and credentials. Implemented in src/storage/identity-store.ts. Writes
 * with their events are one transaction each; given a Transaction, they join it.
 */
export interface IdentityStore {
  /**
   * Stores a new identity. Throws IDENTIFIER_TAKEN (metadata field: `traits.` and the identifier's path),
   * EXTERNAL_ID_TAKEN (field: `external_id`) or CREDENTIAL_TAKEN, and then stores nothing.
   */
  create(
    scope: TenantScope,
    identity: Identity,
    credentials: readonly NewCredential[],
    events: readonly Event[],
  ): Promise<void>;
  /** Undefined if there is none. */
  find(scope: TenantScope, id: IdentityId): Promise<Identity | undefined>;
  /** By a normalised identifier; undefined if there is none. */
  findByIdentifier(scope: TenantScope, identifier: string): Promise<Identity | undefined>;
  /** Undefined if there is none. */
  findByExternalId(scope: TenantScope, externalId: string): Promise<Identity | undefined>;
  /** Identities, newest first. */
  list(
    scope: TenantScope,
    filter: IdentityFilter,
    page: PageRequest,
    take: IdentityTake,
  ): Promise<Page<Identity>>;
  /**
   * Replaces an identity's fields, identifiers and addresses if its revision is still `expectedRevision`; the new
   * revision is that of `identity`. False if it was changed or deleted meanwhile. With `end` what is on its way ends as
   * in `endPending`. Throws as `create`.
   */
  update(
    scope: TenantScope,
    identity: Identity,
    expectedRevision: number,
    events: readonly Event[],
    end?: PendingEnd,
  ): Promise<boolean>;
  /**
   * Sets the state. Inactive: also ends all sessions and the open flows bound to the identity. The events are
   * written only if the state was another one. Returns the identity as it is now, undefined if there is none.
   */
  setState(
    scope: TenantScope,
    id: IdentityId,
    state: IdentityState,
    at: Date,
    events: readonly Event[],
  ): Promise<Identity | undefined>;
  /**
   * Replaces what operators ask of an identity, and ends its sessions if that is asked for. Returns the identity as it is now,
   * undefined if there is none.
   */
  setRequiredActions(
    scope: TenantScope,
    id: IdentityId,
    change: ActionsChange,
  ): Promise<Identity | undefined>;
  /**
   * Asks an identity for an action, unless one of its kind is asked for as soon, or the credential has none of these secrets any
   * more.
   */
  addRequiredAction(
    scope: TenantScope,
    id: IdentityId,
    addition: {
      readonly action: RequiredAction;
      readonly credential: { readonly id: CredentialId; readonly secrets: readonly string[] };
      readonly at: Date;
      readonly events: readonly Event[];
    },
  ): Promise<void>;
  /** Verifies an address, or takes that back. False if the identity has no such address, or nothing changes. */
  setVerification(scope: TenantScope, id: IdentityId, change: VerificationChange): Promise<boolean>;
  /** Takes a scheduled deletion back. False if none is scheduled, and then nothing is written. */
  cancelDeletion(
    scope: TenantScope,
    id: IdentityId,
    cancellation: {
      readonly at: Date;
      readonly messages: readonly SealedMessage[];
      readonly events: readonly Event[];
    },
  ): Promise<boolean>;
  /** Removes the identity and everything of it but its events; the jobs take what is personal out of these. False if there is none. */
  delete(scope: TenantScope, id: IdentityId, events: readonly Event[]): Promise<boolean>;
  /** All credentials of an identity, oldest first, without secrets. */
  credentialsOf(scope: TenantScope, id: IdentityId): Promise<readonly Credential[]>;
  /** The credentials of an identity, newest first, without secrets; empty also if there is no such identity. */
  listCredentials(scope: TenantScope, id: IdentityId, page: PageRequest): Promise<Page<Credential>>;
  /** The secret of the credential of a kind; undefined if there is none. */
  findSecret(scope: TenantScope, id: IdentityId, kind: CredentialKind): Promise<string | undefined>;
  /** All credentials of a kind, oldest first, with their secrets. */
  secretsOf(
    scope: TenantScope,
    id: IdentityId,
    kind: CredentialKind,
  ): Promise<readonly CredentialWithSecret[]>;
  /** Sets or replaces a credential and forgets the known devices. Undefined if there is no such identity. */
  setCredential(
    scope: TenantScope,
    id: IdentityId,
    credential: NewCredential,
    at: Date,
    events: readonly Event[],
  ): Promise<Credential | undefined>;
  /**
   * Adds credentials, in their order, and forgets the known devices. One without a key replaces the one of its kind. Logins ask
   * for all credentials of a kind once they ask for one. Empty if there is no such identity. Throws CREDENTIAL_TAKEN, and then
   * stores nothing.
   */
  importCredentials(
    scope: TenantScope,
    id: IdentityId,
    credentials: readonly NewCredential[],
    at: Date,
    events: readonly Event[],
  ): Promise<readonly Credential[]>;
  /** Replaces a secret by another form of the same one. False, and nothing is changed, unless it is still `previous`. No event. */
  replaceSecret(
    scope: TenantScope,
    id: IdentityId,
    previous: Pick<NewCredential, "kind" | "secret">,
    secret: CredentialSecret,
    at: Date,
  ): Promise<boolean>;
  /** Closes the open flows of an identity, ends its sessions if that is asked for, and sends messages. */
  endPending(scope: TenantScope, id: IdentityId, end: PendingEnd): Promise<void>;
  /** A credential of an identity, without its secret; undefined if there is none. */
  findCredential(
    scope: TenantScope,
    id: IdentityId,
    credentialId: CredentialId,
  ): Promise<Credential | undefined>;
  /** Removes a credential and forgets the known devices. False if there is none. */
  deleteCredential(
    scope: TenantScope,
    id: IdentityId,
    credentialId: CredentialId,
    events: readonly Event[],
  ): Promise<boolean>;
}
