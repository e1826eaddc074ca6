import type { CallOrigin } from "../../event/event.ts";
import type { Form } from "../../form/form.ts";
import type { Rejection } from "../../form/rejection.ts";
import type { ProofTarget } from "../../identity/addresses.ts";
import type { AddressKind, Identity } from "../../identity/identity.ts";
import type { TraitsChange } from "../../identity/merge-patch.ts";
import type { PasswordRecord } from "../../identity/store.ts";
import type { IdentityId, SessionId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient, FlowKind, MethodKind } from "../../kinds.ts";
import type { Authentication, Challenge, MethodMemory, ProofKind } from "../../method/method.ts";
import type { Secret } from "../../secret.ts";
import type { SessionCredential } from "../../session/credential.ts";
import type {
  AssuranceLevel,
  AuthenticatedSession,
  AuthenticationPurpose,
  NewSession,
  Session,
} from "../../session/session.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { LimitedAddress } from "../../throttle/subjects.ts";
import type { FlowInvitation } from "../registration/invited.ts";
import type { KeptAnswer } from "./flow-answers.ts";

/** Whether a flow can still be submitted. */
export type FlowState = "active" | "completed";

/** A flow as it is stored; its id is a token, of which only the digest is. */
export interface FlowRecord {
  /** SHA-256 of the flow's id. */
  readonly digest: Uint8Array;
  readonly kind: FlowKind;
  readonly client: FlowClient;
  readonly state: FlowState;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly returnTo: string | undefined;
  /** SHA-256 of the value of the cookie that a browser flow is bound to. */
  readonly browserDigest: Uint8Array | undefined;
  /** Whose flow it is, where that is known. */
  readonly identityId: IdentityId | undefined;
  /** Counts the steps that changed the flow: of two at the same moment one wins. */
  readonly revision: number;
  /** The secret that the flow waits for. */
  readonly challenge: Challenge | undefined;
  /** What the flow's kind and methods remember. */
  readonly data: FlowData;
  /** Browser flows only: the outcome of the last submit, sealed, until the next step is taken. */
  readonly kept?: string | undefined;
  /** The answer to the last submit that had a request id, sealed. */
  readonly answer?: string | undefined;
}

/** What a flow remembers from step to step. Kept as JSON; times are ISO 8601, digests base64url. */
export interface FlowData {
  /** The language of the messages that the flow sends. */
  readonly language?: string;
  /** Data of the client for mail templates. */
  readonly clientData?: JsonObject;
  /** The request ids of the last steps, as digests. */
  readonly requests?: readonly string[];
  /** Registration: the schema, and what was filled in so far. */
  readonly schemaId?: string;
  readonly traits?: JsonObject;
  /** Registration with the profile first: the traits were accepted, and the methods are on offer. */
  readonly profileGiven?: true;
  /** Registration: the invitation that it began with. */
  readonly invitation?: FlowInvitation;
  /** Registration: what was proven before the address: the hash of the password, if one was chosen. */
  readonly account?: { readonly password?: PasswordRecord; readonly authentication: Authentication };
  /** Login, where the identifier comes first: who signs in. */
  readonly identifier?: ChosenIdentifier;
  /** Login, recovery: what was typed before the flow went back. Fills the form in, no more. */
  readonly typed?: string;
  /** Login: the method under way, and what it remembers. */
  readonly method?: { readonly kind: MethodKind; readonly memory: MethodMemory };
  /** Login: what was shown first, while a second factor is wanted. */
  readonly firstFactor?: FirstFactor;
  /** Login: for the owner of the account that the flow belongs to, by one of these methods. They type no identifier. */
  readonly ofOwner?: { readonly methods: readonly MethodKind[] };
  /** Verification: the session in which the flow was begun. A code that is entered in this flow is entered in that session. */
  readonly session?: SessionId;
  /** Login: the session that comes of it replaces this one, whose holder proves again who they are. */
  readonly refreshes?: SessionId;
  /** Login: the least assurance level of the session that it gives. */
  readonly stepsUpTo?: AssuranceLevel;
  /**
   * Recovery, verification: begun by an operator, who had a link sent to an address of the identity, or vouches for the
   * holder of the link, so that no address is proven.
   */
  readonly operator?: "sends" | "vouches";
  /** Recovery: the addresses to choose from, of the identity that the flow belongs to. */
  readonly choice?: AddressChoice;
  /** Settings after a recovery: how the holder was recovered, and what is wanted beside that before anything changes. */
  readonly recovery?: FirstFactor;
  /** Settings: what a fresh login was asked for. */
  readonly interrupted?: SettingsChange;
  /** Settings: the traits that change once a new address among them is proven. */
  readonly profile?: TraitsChange;
  /** What the flow waits for; without it the form of its kind is shown. */
  readonly pending?: PendingStage;
}

/** A change of settings that was checked, and waits. A password is hashed by then. */
export type SettingsChange =
  | { readonly kind: "profile"; readonly change: TraitsChange }
  | { readonly kind: "password"; readonly password: PasswordRecord; readonly keepOtherSessions: boolean }
  | { readonly kind: "deletion" };

/** A first proof that was given. */
export interface FirstFactor extends Authentication {
  readonly purpose: AuthenticationPurpose;
  readonly completedAt: string;
  /** One of these is wanted beside it; none if it is enough. */
  readonly methods: readonly MethodKind[];
}

/** What a flow waits for. */
export type PendingStage =
  /** A code to be entered, or a link to be opened. */
  | {
      readonly kind: "code" | "link";
      /** As its holder is told. */
      readonly sentTo: string;
      /** Where it really went; absent where nothing was sent, which the holder must not notice. */
      readonly target?: ProofTarget;
      readonly sentAt: string;
    }
  /** The click that uses an opened link. */
  | {
      readonly kind: "confirm";
      /** The flow that holds the challenge. */
      readonly parent: string;
      /** The digest of the link that was opened; no other one of that flow is used. */
      readonly opened: string;
      /** Masked. */
      readonly sentTo: string;
      readonly target: ProofTarget;
    }
  /** The answer whose account it is, once the address was proven. */
  | {
      readonly kind: "claim";
      /** As its holder is told. */
      readonly sentTo: string;
      readonly target: ProofTarget;
      /** What the address was proven by. */
      readonly by: ProofKind;
    };

/** What somebody signs in with. */
export interface EnteredIdentifier {
  /** As it was typed, without white space around it. */
  readonly typed: string;
  /** Normalised; empty where it can be nobody's. */
  readonly value: string;
}

/** What somebody said first that they sign in with. */
export interface ChosenIdentifier extends EnteredIdentifier {
  /** What the account signs in with. Only where answers may tell; otherwise all methods are offered to everybody. */
  readonly methods?: readonly MethodKind[];
}

/** The addresses that a recovery offered to choose from. Only where answers may tell who has an account. */
export interface AddressChoice {
  /** What they were found by. */
  readonly typed: string;
  readonly addresses: readonly ProofTarget[];
  /** The id of the one to begin with. */
  readonly preferred: string;
}

/** An address to choose. */
export interface OfferedAddress {
  /** What stands for it in this flow. */
  readonly id: string;
  readonly masked: string;
  readonly kind: AddressKind;
}

/** A flow as its holder sees it. */
export interface Flow {
  /** The flow's id, a secret. */
  readonly id: Secret;
  readonly kind: FlowKind;
  readonly client: FlowClient;
  readonly state: FlowState;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly returnTo: string | undefined;
  /** Where it stands; undefined once it is completed. */
  readonly stage: FlowStage | undefined;
  readonly form: Form;
  /** Of browser flows: what a submit must carry beside the cookie. */
  readonly csrfToken: Secret | undefined;
  /** Of settings: whose account it is. Not after a recovery, which shows nothing of the account. */
  readonly account: FlowAccount | undefined;
  /** Settings, if the account is shown: the etag of the traits that the form was drawn from. */
  readonly traitsEtag: string | undefined;
}

/** The account that a flow changes, as its owner knows it. */
export interface FlowAccount {
  readonly identityId: IdentityId;
  readonly displayName: string;
}

/** Where a flow stands, for hand-written forms. */
export type FlowStage =
  | { readonly kind: "enter_identifier" }
  | { readonly kind: "fill_profile" }
  | {
      readonly kind: "choose_method";
      readonly offers: readonly MethodOffer[];
      /** Whether a first proof was given, and one of these is wanted beside it. */
      readonly secondFactor?: boolean;
    }
  | {
      readonly kind: "enter_code" | "link_sent";
      readonly sentTo: string;
      readonly expiresAt: Date;
      readonly resendAt: Date;
      readonly codeLength: number;
      readonly longCodeLength: number;
    }
  | { readonly kind: "confirm_link"; readonly address: string }
  | { readonly kind: "choose_address"; readonly offers: readonly MethodOffer[] }
  | { readonly kind: "claim_account"; readonly address: string }
  | { readonly kind: "change_settings"; readonly offers: readonly SettingsOffer[] }
  | { readonly kind: "set_new_secret"; readonly offers: readonly MethodOffer[] };

/** One method on offer. */
export interface MethodOffer {
  readonly kind: MethodKind;
  /** For codes and links: the addresses to choose from, if there is a choice. */
  readonly addresses?: readonly OfferedAddress[];
}

/** A part of a settings flow. */
export type SettingsOffer =
  | { readonly kind: "profile" | "password" }
  /** `deleteAt`: when the account will be deleted, if that is scheduled. */
  | { readonly kind: "deletion"; readonly deleteAt: Date | undefined };

/** What came of a submit. */
export type FlowOutcome<Completed> =
  | { readonly kind: "completed"; readonly completed: Completed }
  | { readonly kind: "next_step"; readonly flow: Flow }
  | { readonly kind: "rejected"; readonly rejection: Rejection; readonly flow: Flow }
  | { readonly kind: "expired"; readonly replacement: CreatedFlow }
  | AnsweredBefore;

/** The same submit was made before; this is its answer. */
export interface AnsweredBefore {
  readonly kind: "answered";
  readonly answer: KeptAnswer;
}

/** A login comes first: by `loginFlow`, then `flow` goes on with the step `resume`. */
export interface LoginComesFirst {
  readonly kind: "login_required";
  readonly loginFlow: CreatedFlow;
  readonly flow: Flow;
}

/** What came of a submit to a login. */
export type LoginOutcome =
  | FlowOutcome<FlowCompleted>
  /** The browser goes on at this address, and comes back to the flow. */
  | { readonly kind: "redirect"; readonly url: string; readonly flow: Flow };

/** The flow that its holder asked for, or a fresh flow in its place if it has expired. */
export type FlowFound =
  | { readonly kind: "found"; readonly flow: Flow }
  | { readonly kind: "replaced"; readonly replacement: CreatedFlow };

/** A flow just made, and the browser token to set as a cookie if the browser has none. */
export interface CreatedFlow {
  readonly flow: Flow;
  readonly newBrowserToken: Secret | undefined;
}

/** What a completed login or registration gives. */
export interface FlowCompleted {
  readonly session: NewSession;
  /** The session's token; for a browser flow the value of its cookie. */
  readonly token: Secret;
  readonly client: FlowClient;
  readonly identity: Identity;
  readonly returnTo: string | undefined;
  /** A verification that waits, after a registration. */
  readonly verification?: Flow | undefined;
  /** What the client keeps to be known by: a native client's device token, or the value of a browser's cookie. */
  readonly device: Secret | undefined;
}

/** The call that a flow is used in. */
export interface FlowCaller {
  readonly tenant: Tenant;
  readonly origin: CallOrigin;
  /** The languages that the caller reads, as in Accept-Language. */
  readonly languages: string | undefined;
  /**
   * The caller's session, shown as a client of that kind shows it: for a native one a cookie counts as none. Throws a
   * SESSION_ reason if there is none.
   */
  session(client: FlowClient): Promise<AuthenticatedSession>;
  /**
   * The active sessions that the browser's cookies show, under each name that this server may have set; usually one. None
   * without a cookie, which costs nothing.
   */
  browserSessions(): Promise<readonly Session[]>;
  /** The address that limits count the call for; undefined where it is not known. */
  readonly limitedAddress: LimitedAddress | undefined;
  /**
   * The session that the call shows as clients of this kind do, unread: a native client by its Authorization header, a browser
   * by its cookie. Undefined if it shows none.
   */
  shownSession(client: FlowClient): SessionCredential | undefined;
  /** The value of the browser cookie, if one was sent. */
  readonly browserToken: string | undefined;
  /**
   * The device that the call shows as clients of this kind do: a native client by its device token, a browser by its cookie.
   * Undefined if it shows none. A native flow is not moved by cookies, nor a browser flow by what a page can read and send.
   */
  shownDevice(client: FlowClient): string | undefined;
  /** Throws ORIGIN_NOT_ALLOWED if the call comes from a page that may not use cookies here. */
  assertOriginAllowed(): void;
  /** Throws FLOW_CLIENT_MISMATCH if a web page makes the call, unless it is one of a native app. */
  assertNotFromPage(): void;
}
