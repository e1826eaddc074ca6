import type { Event } from "../event/event.ts";
import type { CredentialKind, Identity } from "../identity/identity.ts";
import type { PasswordRecord } from "../identity/store.ts";
import type { Scope } from "../ports.ts";
import type { NewSession } from "../session/session.ts";
import type { ThrottleCompletion } from "../throttle/store.ts";
import type { FlowKind, FlowRecord } from "./flow.ts";

/** Who might be logging in: an identity and the credential that a method asked for. */
export interface LoginCandidate {
  readonly identity: Identity;
  /** The stored secret part, for a password its hash; undefined if the identity has no such credential. */
  readonly credential: string | undefined;
  /** Names what was read; a login completes only if nothing that it rests on has changed since. */
  readonly loginSequence: number;
}

/** What a successful login writes. */
export interface LoginCompletion {
  readonly flowDigest: Uint8Array;
  readonly candidate: LoginCandidate;
  readonly credentialKind: CredentialKind;
  readonly session: NewSession;
  /** Replaces the credential's hash, where its parameters have changed. */
  readonly rehash: PasswordRecord | undefined;
  /** How many sessions may be active afterwards; the least recently used ones are ended. */
  readonly maxSessions: number;
  /** Sessions not used since then do not count as active. */
  readonly idleSince: Date | undefined;
  readonly at: Date;
  readonly events: readonly Event[];
  /** Written once for each session that was ended to make room, with that session's id. */
  readonly evictionEvent: Event;
  /** Undefined: nothing was counted, and no device is remembered. */
  readonly throttle?: ThrottleCompletion | undefined;
}

/** What a successful registration writes. */
export interface RegistrationCompletion {
  readonly flowDigest: Uint8Array;
  readonly identity: Identity;
  readonly password: PasswordRecord | undefined;
  readonly session: NewSession;
  readonly at: Date;
  readonly events: readonly Event[];
  /** Undefined: nothing was counted, and no device is remembered. */
  readonly throttle?: ThrottleCompletion | undefined;
}

/**
 * Flows, and the hot writes that complete them. Implemented in src/storage/flow-store.ts; each method is one
 * statement, and so one round trip.
 */
export interface FlowStore {
  /** Stores a new flow. */
  create(scope: Scope, flow: FlowRecord): Promise<void>;
  /** The flow of this kind with this digest, whatever its state; undefined if there is none. */
  find(scope: Scope, kind: FlowKind, digest: Uint8Array): Promise<FlowRecord | undefined>;
  /** A login flow and, by normalised identifier, the candidate with a credential, read at the same moment. */
  findForLogin(
    scope: Scope,
    digest: Uint8Array,
    identifier: string,
    credential: CredentialKind,
  ): Promise<{ readonly flow: FlowRecord | undefined; readonly candidate: LoginCandidate | undefined }>;
  /**
   * Completes a login, or changes nothing: `flow_taken` if the flow is no longer active, `candidate_changed` if
   * the identity was deactivated or changed, its credential replaced, or another login completed since the
   * candidate was read. Callers read again and try again; that is what keeps the session limit exact when many
   * log in at once.
   */
  completeLogin(
    scope: Scope,
    completion: LoginCompletion,
  ): Promise<"completed" | "flow_taken" | "candidate_changed">;
  /**
   * Completes a registration, or changes nothing: `flow_taken` if the flow is no longer active,
   * `identifier_taken` if another identity has one of the identifiers.
   */
  completeRegistration(
    scope: Scope,
    completion: RegistrationCompletion,
  ): Promise<"completed" | "flow_taken" | "identifier_taken">;
  /** Which of these normalised identifiers are taken. */
  takenIdentifiers(scope: Scope, identifiers: readonly string[]): Promise<readonly string[]>;
}
