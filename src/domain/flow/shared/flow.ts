import type { CallOrigin } from "../../event/event.ts";
import type { Form } from "../../form/form.ts";
import type { Rejection } from "../../form/rejection.ts";
import type { OwnAddress } from "../../identity/addresses.ts";
import type { AddressKind, Credential, Identity } from "../../identity/identity.ts";
import type { RequiredAction } from "../../identity/required-actions.ts";
import type { IdentityId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { ChallengeKind, CredentialKind, FlowClient, FlowKind, MethodKind } from "../../kinds.ts";
import type { Authentication, Challenge } from "../../method/method.ts";
import type { OAuth2Client } from "../../oauth2/oauth2-server.ts";
import type { Secret } from "../../secret.ts";
import type { SessionCredential } from "../../session/credential.ts";
import type {
  AssuranceLevel,
  AuthenticatedSession,
  AuthenticationPurpose,
  NewSession,
  Session,
} from "../../session/session.ts";
import type { Tenant, TermsDocument } from "../../tenant/tenant.ts";
import type { LimitedClientIp } from "../../throttle/subjects.ts";
import type { KeptAnswer } from "./flow-answers.ts";

/** Whether a flow can still be submitted. */
export type FlowState = "active" | "completed";

/** A flow as it is stored; its id is a token, of which only the digest is. */
export interface FlowRecord<State extends AnyState = AnyState, Purpose extends object = object> {
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
  readonly data: FlowData<State, Purpose>;
  /** Browser flows only: the outcome of the last submit, sealed, until the next step is taken. */
  readonly kept?: string | undefined;
  /** The answer to the last submit that had a request id, sealed. */
  readonly answer?: string | undefined;
}

/** Where a flow stands, with all that it remembers there. Each kind has a union of its own, in its state.ts. */
export interface AnyState {
  readonly at: string;
}

/** What a flow remembers. Kept as JSON; times are ISO 8601, digests base64url. */
export interface FlowData<State extends AnyState = AnyState, Purpose extends object = object> {
  /** The language of the messages that the flow sends. */
  readonly language?: string;
  /** Data of the client for mail templates. */
  readonly clientData?: JsonObject;
  /** The request ids of the last steps, as digests. */
  readonly requests?: readonly string[];
  /** To whom codes and links were sent lately, in whichever step. */
  readonly sent?: readonly SentBefore[];
  /** The login request of the OAuth2 server that the flow was begun for. It stays the same as long as the flow lasts. */
  readonly oauth2?: OAuth2Origin | undefined;
  /** What the flow was begun for. It stays the same as long as the flow lasts. */
  readonly purpose: Purpose;
  readonly state: State;
}

/** A message with a code or link that a flow has sent. */
export interface SentBefore {
  readonly kind: ChallengeKind;
  /** As it is counted: by what was typed, where something was. */
  readonly to: string;
  readonly at: string;
}

/** The login request of the OAuth2 server that a flow was begun for, and what its answer needs. */
export interface OAuth2Origin {
  readonly challenge: string;
  /** Where the browser can begin the request again; checked to be at the OAuth2 server. */
  readonly requestUrl: string;
  readonly client: OAuth2Client;
  /** The only account that the OAuth2 server takes. Undefined: it takes any. */
  readonly subject?: string | undefined;
  /** The least assurance level that it asks for. */
  readonly level?: AssuranceLevel | undefined;
  /** The longest time since the person last showed who they are. */
  readonly maxAgeMs?: number | undefined;
  /** Whether they show who they are anew, whatever they have shown before. Default: they need not. */
  readonly isAnew?: boolean | undefined;
}

/** A first proof that was given. */
export interface FirstFactor extends Authentication {
  readonly purpose: AuthenticationPurpose;
  readonly completedAt: string;
  /** One of these is wanted beside it; none if it is enough. */
  readonly methods: readonly MethodKind[];
  /** What these methods noted of the account's credentials. */
  readonly notes?: Readonly<Partial<Record<MethodKind, JsonObject>>>;
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
  /** The login request of the OAuth2 server that it was begun for. */
  readonly oauth2: OAuth2Origin | undefined;
  /** Settings, if the account is shown: the etag of the traits that the form was drawn from. */
  readonly traitsEtag: string | undefined;
}

/** The account that a flow changes, as its owner knows it. */
export interface FlowAccount {
  readonly identityId: IdentityId;
  readonly displayName: string;
}

/** What a form for a code or link shows. */
export interface SentFacts {
  readonly sentTo: string;
  readonly expiresAt: Date;
  readonly resendAt: Date;
  readonly codeLength: number;
  readonly longCodeLength: number;
}

/** Where a flow stands, for hand-written forms. */
export type FlowStage =
  /** `offers`: methods that find out by themselves who signs in. */
  | { readonly kind: "enter_identifier"; readonly offers: readonly MethodOffer[] }
  /** `offers`: methods that fill it in. */
  | { readonly kind: "fill_profile"; readonly offers: readonly MethodOffer[] }
  | {
      readonly kind: "choose_method";
      readonly offers: readonly MethodOffer[];
      /** Whether a first proof was given, and one of these is wanted beside it. */
      readonly secondFactor?: boolean;
    }
  | ({ readonly kind: "enter_code" } & SentFacts)
  | ({ readonly kind: "link_sent" } & SentFacts)
  | { readonly kind: "confirm_link"; readonly address: string }
  | { readonly kind: "choose_address"; readonly offers: readonly MethodOffer[] }
  | { readonly kind: "claim_account"; readonly address: string }
  | { readonly kind: "on_hold"; readonly until: Date }
  | { readonly kind: "stop_recovery"; readonly address: string; readonly until: Date }
  | {
      readonly kind: "change_settings";
      readonly offers: readonly SettingsOffer[];
      /** What the owner signs in with, oldest first. */
      readonly credentials: readonly Credential[];
      /** What the owner is asked to do, oldest first. */
      readonly requiredActions: readonly RequiredAction[];
      /** Those of the account, then those that a change has which waits. */
      readonly addresses: readonly OwnAddress[];
    }
  /** Undefined: it was removed meanwhile. */
  | { readonly kind: "manage_credential"; readonly credential: Credential | undefined }
  | { readonly kind: "set_new_secret"; readonly offers: readonly MethodOffer[] }
  /** `action`: undefined once all is done. */
  | {
      readonly kind: "required_action";
      readonly action?: RequiredAction;
      /** What can be set up, where that is asked for. */
      readonly offers: readonly SettingsOffer[];
      /** The address to verify, masked. */
      readonly masked?: string | undefined;
      /** The document to accept. */
      readonly terms?: TermsDocument | undefined;
    }
  /** `offer`: what the method says to forms that are written by hand. */
  | { readonly kind: "create_passkey"; readonly offer: JsonObject }
  | { readonly kind: "hand_over" };

/** One method on offer. */
export interface MethodOffer {
  readonly kind: MethodKind;
  /** For codes and links: the addresses to choose from, if there is a choice. */
  readonly addresses?: readonly OfferedAddress[];
  /** What its method says to forms that are written by hand. */
  readonly facts?: JsonObject | undefined;
}

/** A part of a settings flow. */
export type SettingsOffer =
  | { readonly kind: "profile" }
  | { readonly kind: CredentialKind; readonly facts?: JsonObject | undefined }
  /** `purgeAt`: when the account will be deleted, if that is scheduled. */
  | { readonly kind: "deletion"; readonly purgeAt: Date | undefined };

/** What came of a submit. */
export type FlowOutcome =
  | { readonly kind: "next_step"; readonly flow: Flow }
  /** The browser goes on at this address, and comes back to the flow. */
  | { readonly kind: "redirect"; readonly url: string; readonly flow: Flow }
  | { readonly kind: "rejected"; readonly rejection: Rejection; readonly flow: Flow }
  | LoginComesFirst
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

/** The flow that its holder asked for, or a fresh flow in its place if it has expired. */
export type FlowFound =
  | { readonly kind: "found"; readonly flow: Flow }
  | { readonly kind: "replaced"; readonly replacement: CreatedFlow };

/** A flow as it was read, with its identity if it has one. */
export interface ReadFlow {
  readonly flow: FlowRecord;
  readonly identity: Identity | undefined;
  /** The credentials that the identity has, oldest first. */
  readonly credentials: readonly Credential[];
}

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
  /** Whether a change of the settings waits for this login. Their page goes on with it. Default: none does. */
  readonly isForSettings?: boolean;
  /** A verification that waits, after a registration. */
  readonly verification?: Flow | undefined;
  /** Settings in which a passkey can be made, after a login. */
  readonly settings?: Flow | undefined;
  /** The login that tells the OAuth2 server again, where it could not be told. */
  readonly handOver?: CreatedFlow | undefined;
  /** Whether what the OAuth2 server asked for is done, or left to `handOver`. */
  readonly isHandedOver?: boolean;
  /** What the client keeps to be known by: a native client's device token, or the value of a browser's cookie. */
  readonly device: Secret | undefined;
}

/** The flow is over, and something comes before its session: `login` goes on with it. */
export interface SessionWaits {
  readonly kind: "session_waits";
  readonly login: CreatedFlow;
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
  /** Aborts when nobody waits for the answer any more: the caller went away, or the deadline has passed. */
  readonly signal: AbortSignal;
  /** The address that limits count the call for; undefined where it is not known. */
  readonly limitedClientIp: LimitedClientIp | undefined;
  /**
   * The session that the call shows as clients of this kind do, unread: a native client by its Authorization header, a browser
   * by its cookie. Undefined if it shows none.
   */
  shownSession(client: FlowClient): SessionCredential | undefined;
  /** The value of the browser cookie, if one was sent. */
  readonly browserToken: string | undefined;
  /** The id of the provider that the browser signed in with last, as it says itself. */
  readonly lastProvider: string | undefined;
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
