import type { SealedMessage } from "../../courier/outbox.ts";
import type { Event } from "../../event/event.ts";
import type { NormalisedIdentifier } from "../../identifier/normalise.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { AddressKind, Credential, Identity, NewCredential } from "../../identity/identity.ts";
import type { RecoveryOwner } from "../../identity/recovery-addresses.ts";
import type { RequiredAction } from "../../identity/required-actions.ts";
import type { IdentityId, InvitationId, RequiredActionId, SessionId } from "../../ids.ts";
import type { CredentialKind, FlowKind } from "../../kinds.ts";
import type { Challenge, LoginCandidate, LoginProved } from "../../method/method.ts";
import type { TenantScope } from "../../ports.ts";
import type { IdleSince } from "../../session/lifetime.ts";
import type { NewSession } from "../../session/session.ts";
import type { ThrottleCompletion } from "../../throttle/store.ts";
import type { FlowData, FlowRecord } from "./flow.ts";

/** What a login needs to be tried. */
export interface FoundForLogin {
  readonly flow: FlowRecord | undefined;
  readonly candidate: LoginCandidate | undefined;
}

/** The credential that a step is about. */
export interface AskedCredential {
  readonly kind: CredentialKind;
  /** Undefined: the only one of its kind that the candidate has. */
  readonly lookupKey?: string | undefined;
}

/** A flow as it was read: what is written to it is written only while it is still the same. */
export interface HeldRevision {
  readonly digest: Uint8Array;
  readonly revision: number;
}

/** What a step that leaves more to do writes. */
export interface FlowAdvance {
  /** Another flow whose challenge was used for it, which is over then. */
  readonly consumes?: HeldRevision | undefined;
  readonly data: FlowData;
  readonly challenge: Challenge | undefined;
  /** Whose flow it is from now on, where that is known. */
  readonly identityId: IdentityId | undefined;
  readonly messages: readonly SealedMessage[];
  readonly events: readonly Event[];
  /** Another flow, which is stored together with it. */
  readonly begins?: FlowRecord | undefined;
}

/** What is written when the recoveries of an identity are stopped. */
export interface RecoveryStop {
  /** The flow that the step was taken in, and the one that waits. Empty: an operator stops them. */
  readonly held: readonly HeldRevision[];
  readonly identityId: IdentityId;
  /** Whether those end as well that operators began. */
  readonly endsOperators: boolean;
  readonly at: Date;
  /** Sent, and recorded, if a recovery waited. */
  readonly messages: readonly SealedMessage[];
  readonly events: readonly Event[];
}

/** What a login writes whose proofs were all right. */
interface LoginShown {
  /** The flow, and the one that holds the challenge where that is another one. */
  readonly held: readonly HeldRevision[];
  readonly candidate: LoginCandidate;
  /** What was proven: the credential that was read, if one was asked for, or a verified address. */
  readonly proof:
    | { readonly kind: "credential" }
    | { readonly kind: "address"; readonly target: ContactAddress };
  /** Replaces the credential's secret. */
  readonly replacement: LoginProved["replacement"];
  readonly messages: readonly SealedMessage[];
  readonly at: Date;
  readonly events: readonly Event[];
  /** What the identity is asked to do from now on. Default: nothing more. */
  readonly added?: readonly RequiredAction[];
  /** What it was asked to do, and has done. Default: nothing. */
  readonly doneActions?: readonly RequiredActionId[];
}

/** What a login writes that ends with a session. */
export interface LoginEnded extends LoginShown {
  readonly goesOn?: undefined;
  readonly session: NewSession;
  /** The session that ends because this one takes its place. */
  readonly replaces: SessionId | undefined;
  /** How many sessions may be active afterwards; the least recently used ones are ended. */
  readonly maxSessions: number;
  /** Sessions not used since then do not count as active. */
  readonly idleSince: IdleSince | undefined;
  /** Written once for each session that was ended to make room, with that session's id. */
  readonly evictionEvent: Event;
  /** Undefined: nothing was counted, and no device is remembered. */
  readonly throttle?: ThrottleCompletion | undefined;
  /** The flow in which the login offers to make a passkey. */
  readonly settingsFlow?: FlowRecord | undefined;
  /** Stored with the account that signs in. Default: none is. */
  readonly linked?: NewCredential | undefined;
}

/** What a login writes that has something to do before its session: the flow goes on with this data. */
interface LoginGoesOn extends LoginShown {
  readonly goesOn: FlowData;
}

/** What a successful login writes. */
export type LoginCompletion = LoginEnded | LoginGoesOn;

/** What a successful registration writes. */
export interface RegistrationCompletion {
  readonly held: readonly HeldRevision[];
  readonly identity: Identity;
  readonly credential: NewCredential | undefined;
  /** Used by this registration; undefined: it needs none. */
  readonly invitationId?: InvitationId | undefined;
  /** Undefined: something comes before it. */
  readonly session: NewSession | undefined;
  readonly at: Date;
  readonly events: readonly Event[];
  /** Undefined: nothing was counted, and no device is remembered. */
  readonly throttle?: ThrottleCompletion | undefined;
}

/** What a successful verification writes. */
export interface VerificationCompletion {
  readonly held: readonly HeldRevision[];
  readonly target: ContactAddress & { readonly identityId: IdentityId };
  /** The session that the proof is given in, if it is given in one. It counts only while it is an active one of the identity. */
  readonly within: SessionId | undefined;
  /** Whether it counts in no other way, not even in a claimed account. */
  readonly onlyWithin: boolean;
  /** What the account was asked to do, and is done by it. Default: nothing. */
  readonly doneActions?: readonly RequiredActionId[];
  readonly at: Date;
  readonly events: readonly Event[];
}

/** What is written when somebody says that the account of their address was set up by another person. */
export interface DisowningCompletion {
  readonly held: readonly HeldRevision[];
  /** As it is then: with the proven address alone, verified. */
  readonly identity: Identity;
  readonly expectedRevision: number;
  readonly target: ContactAddress & { readonly identityId: IdentityId };
  /** The flow in which the new secret is set. */
  readonly settingsFlow: FlowRecord;
  readonly at: Date;
  readonly messages: readonly SealedMessage[];
  readonly events: readonly Event[];
  /** Written if sessions ended. */
  readonly revocationEvent: Event;
}

/** What a successful recovery writes. */
export interface RecoveryCompletion {
  readonly held: readonly HeldRevision[];
  readonly identityId: IdentityId;
  /** The flow in which the new secret is set. */
  readonly settingsFlow: FlowRecord;
  /** Only where the session comes at once. */
  readonly session: NewSession | undefined;
  /** The revision in which nothing was found that comes before the session. Undefined: any. */
  readonly expectedRevision?: number | undefined;
  /** The device that becomes known with that session. */
  readonly throttle?: ThrottleCompletion | undefined;
  readonly at: Date;
  readonly messages: readonly SealedMessage[];
  readonly events: readonly Event[];
}

/** What is written when an operator begins a flow. */
export interface OperatorStart {
  /** Holds the link. */
  readonly flow: FlowRecord;
  readonly identityId: IdentityId;
  /** Only what an operator began for this address ends. Undefined: all that one began of this kind. */
  readonly address: string | undefined;
  readonly messages: readonly SealedMessage[];
  readonly events: readonly Event[];
}

/** Whether a completion was written; `flow_taken` if one of the flows is no longer as it was read. */
export type Completion = "completed" | "flow_taken";

/**
 * Flows, and the hot writes that complete them. Implemented in src/storage/flow-store.ts; each method is one
 * statement, and so one round trip, unless it says otherwise.
 */
export interface FlowStore {
  /** Stores a new flow, and what it sends. */
  create(scope: TenantScope, flow: FlowRecord, messages?: readonly SealedMessage[]): Promise<void>;
  /** Stores a new flow unless there is one with its digest; returns whether it was stored. */
  createOnce(scope: TenantScope, flow: FlowRecord): Promise<boolean>;
  /**
   * Stores a flow that an operator begins for an identity, and what it sends; ends the flows of its kind that an operator
   * began before. False if the identity is gone or inactive; then nothing is written. Two statements in a transaction.
   */
  beginByOperator(scope: TenantScope, start: OperatorStart): Promise<boolean>;
  /** The flow of this kind with this digest, whatever its state; undefined if there is none. */
  find(scope: TenantScope, kind: FlowKind, digest: Uint8Array): Promise<FlowRecord | undefined>;
  /** The flow that waits for this link; undefined if there is none. */
  findByLink(scope: TenantScope, kind: FlowKind, linkDigest: Uint8Array): Promise<FlowRecord | undefined>;
  /**
   * A flow with the identity that it belongs to and its credentials, read at the same moment. If no kind is given,
   * a flow of any kind is found.
   */
  findWithIdentity(
    scope: TenantScope,
    kind: FlowKind | undefined,
    digest: Uint8Array,
  ): Promise<{
    readonly flow: FlowRecord | undefined;
    readonly identity: Identity | undefined;
    readonly credentials: readonly Credential[];
  }>;
  /**
   * A login flow and the candidate, read at the same moment: by the identifier that the flow remembers, else the identity
   * that the flow belongs to or whose credential is asked for by its key, else by the normalised identifier that is given.
   * With the credential that is asked for, if it is the candidate's.
   */
  findForLogin(
    scope: TenantScope,
    digest: Uint8Array,
    identifier: string | undefined,
    asked: AskedCredential | undefined,
  ): Promise<FoundForLogin>;
  /**
   * The same as `findForLogin`, for a flow of any kind. For flows other than logins the candidate is the identity of the flow.
   */
  findForForm(
    scope: TenantScope,
    digest: Uint8Array,
    identifier: string | undefined,
    asked: AskedCredential | undefined,
  ): Promise<FoundForLogin>;
  /**
   * Who has a credential, by its key, or is an identity: as a candidate of a login, with that credential. Undefined if there is
   * nobody.
   */
  findCandidate(
    scope: TenantScope,
    asked:
      | { readonly kind: CredentialKind; readonly lookupKey: string }
      | { readonly identityId: IdentityId },
  ): Promise<LoginCandidate | undefined>;
  /**
   * Who has an address, as one that can be verified: the identity that signs in with it before others, and nobody
   * where several have it that do not.
   */
  findByAddress(scope: TenantScope, kind: AddressKind, value: string): Promise<Identity | undefined>;
  /**
   * Who gets back in by what was typed: the identity that has it as a verified recovery address (of several the one that
   * signs in with it, and nobody if none does), else the one that signs in with it, else the only unclaimed one that has it as
   * a recovery address.
   */
  findForRecovery(scope: TenantScope, typed: NormalisedIdentifier): Promise<RecoveryOwner | undefined>;
  /** Moves a flow on, or changes nothing: false if it is no longer as it was read. */
  advance(scope: TenantScope, held: HeldRevision, advance: FlowAdvance): Promise<boolean>;
  /**
   * Keeps the outcome of a submit that took no step, if the flow is still as it was read, and records events in any case.
   * Without `kept` it only records events.
   */
  keepOutcome(
    scope: TenantScope,
    held: HeldRevision,
    kept: string | undefined,
    events: readonly Event[],
  ): Promise<void>;
  /** Keeps the answer to a submit with a request id. */
  keepAnswer(scope: TenantScope, digest: Uint8Array, answer: string): Promise<void>;
  /**
   * Counts a try against the code of a flow, before anything is compared; undefined if the flow has none that can
   * be tried: it is over, the code expired, or was tried as often as it may be.
   */
  countAttempt(
    scope: TenantScope,
    digest: Uint8Array,
    now: Date,
    limit: number,
  ): Promise<
    | {
        readonly challenge: Challenge;
        readonly revision: number;
        /** Whether mail has come back from the address that it was sent to. */
        readonly isMarked: boolean;
      }
    | undefined
  >;
  /**
   * Completes a login, or moves it on to what is to be done before the session, or changes nothing: `flow_taken` if the flow is no
   * longer active, `candidate_changed` if the identity was deactivated or changed, its credential replaced, or another login completed since the
   * candidate was read, `credential_taken` if another identity has the one to be linked. Callers read again and try again; that is what keeps the session limit exact when many
   * log in at once.
   */
  completeLogin(
    scope: TenantScope,
    completion: LoginCompletion,
  ): Promise<Completion | "candidate_changed" | "credential_taken">;
  /**
   * Completes a registration, or changes nothing: `flow_taken` if the flow is no longer active, `invitation_gone` if the
   * invitation was used or revoked or has expired, `identifier_taken` if another identity has one of the identifiers.
   */
  completeRegistration(
    scope: TenantScope,
    completion: RegistrationCompletion,
  ): Promise<Completion | "invitation_gone" | "identifier_taken">;
  /**
   * Marks an address as verified, or changes nothing: `address_gone` if the identity no longer has it, `unclaimed` if it is an
   * unclaimed account, or the proof counts only within a session, and it is given outside of one.
   */
  completeVerification(
    scope: TenantScope,
    completion: VerificationCompletion,
  ): Promise<Completion | "address_gone" | "unclaimed">;
  /**
   * Ends all sessions, credentials, flows and known devices of an unclaimed account, takes a scheduled deletion back, writes
   * its traits and addresses, and begins the settings flow. Or changes nothing; `identity_changed` if it is not as it was
   * read, or is claimed by now.
   */
  completeDisowning(
    scope: TenantScope,
    completion: DisowningCompletion,
  ): Promise<Completion | "identity_changed">;
  /**
   * Completes a recovery: begins the settings flow. Or changes nothing. `identity_changed` if the identity cannot sign in, or has
   * another revision than the expected one.
   */
  completeRecovery(
    scope: TenantScope,
    completion: RecoveryCompletion,
  ): Promise<Completion | "identity_changed">;
  /** The recovery by an address that waits, or has waited, the one that was begun first; undefined if there is none. */
  findHeldRecovery(scope: TenantScope, target: ContactAddress, now: Date): Promise<FlowRecord | undefined>;
  /**
   * Ends the recoveries of an identity that are under way. `none_waited`: none of them waited, so nobody is told.
   * `flow_taken`: one of `held` is no longer as it was read, or the identity is gone, and nothing is done.
   */
  stopRecoveries(scope: TenantScope, stop: RecoveryStop): Promise<Completion | "none_waited">;
  /** Which of these normalised identifiers are taken. */
  takenIdentifiers(scope: TenantScope, identifiers: readonly string[]): Promise<readonly string[]>;
}
