/**
 * The reasons that a call can fail for, as data: what each says and what can be done about it. The set equals
 * `ostiary.error.v1.ErrorReason`; test/structure holds the two together.
 */

import type { FieldViolation } from "./field-violation.ts";

/** Texts of a reason. */
interface ErrorText {
  /** The sentence sent with it, in English. */
  readonly message: string;
  /** Advice for the caller; empty where nothing can be done. */
  readonly remedy: string;
  /** The metadata keys that every error of this reason carries. Default: none. */
  readonly metadata?: readonly string[];
  /** The sentence for a person who meets the error; missing if only programs meet it, or only their developers can help. */
  readonly user?: UserSentence;
}

/**
 * A sentence for people with its permanent number, of the same table as those of user-message/user-messages.ts. `{request_id}` stands
 * for the metadata `requestId`.
 */
export interface UserSentence {
  readonly id: number;
  readonly text: string;
}

const texts = {
  INTERNAL: {
    message: "Something failed that should not have; the log has it under the request id.",
    remedy: "Try again; if it stays, report the request id to the operator.",
    metadata: ["requestId"],
    user: {
      id: 9000500,
      text: "Something went wrong on our side. Try again. If it keeps happening, give us this number: {request_id}.",
    },
  },
  REQUEST_MALFORMED: {
    message: "The request could not be read: broken JSON or Protobuf, an unknown field, a wrong type.",
    remedy: "Send the message as the contract describes it.",
  },
  REQUEST_INVALID: {
    message: "Fields of the request break the limits of the contract; BadRequest names them.",
    remedy: "Correct the fields that the BadRequest detail names.",
    user: {
      id: 9000501,
      text: "Something you entered can't be sent, perhaps because it's too long. Check it and try again.",
    },
  },
  REQUEST_TOO_LARGE: {
    message: "The request is larger than the server reads.",
    remedy: "Send less at once.",
    metadata: ["limitBytes"],
    user: { id: 9000502, text: "That's too much to send at once. Enter less and try again." },
  },
  REQUEST_TIMEOUT: {
    message: "The caller's deadline passed before the answer was ready.",
    remedy: "Try again with a longer deadline.",
    user: { id: 9000503, text: "That took too long. Try again in a moment." },
  },
  REQUEST_CANCELED: {
    message: "The caller went away.",
    remedy: "",
  },
  METHOD_UNKNOWN: {
    message: "This listener has no such method.",
    remedy: "Check the name, and whether the method is served by the other listener.",
    metadata: ["method"],
  },
  PAGE_TOKEN_INVALID: {
    message: "The page token is not one of this list with these filters.",
    remedy: "List again from the first page.",
    user: { id: 9000504, text: "This list has changed. Reload the page." },
  },
  REQUEST_ID_REUSED: {
    message: "The request id was used before, with another request.",
    remedy: "Use a new request id for a new request.",
    metadata: ["requestId"],
  },
  DATABASE_UNAVAILABLE: {
    message:
      "The database cannot be used at the moment. Nothing was changed, unless the answer to a commit was lost.",
    remedy: "Try again after the delay that RetryInfo names.",
    user: { id: 9000505, text: "This isn't working at the moment." },
  },
  SERVER_OVERLOADED: {
    message: "The server has as much under way as it may: requests, streams, or passwords to hash.",
    remedy: "Try again after the delay that RetryInfo names.",
    user: { id: 9000506, text: "We're a bit busy right now." },
  },
  ACCESS_UNDECLARED: {
    message: "The method declares no access rule, so nobody may call it.",
    remedy: "",
    metadata: ["method"],
  },
  ORIGIN_NOT_ALLOWED: {
    message: "The request comes from a web page whose origin is not allowed.",
    remedy: "Add the page's origin to tenant_defaults.allowed_origins.",
    metadata: ["origin"],
    user: {
      id: 9000507,
      text: "This page was opened at the wrong address. Open it from the link you were given.",
    },
  },
  FLOW_NOT_FOUND: {
    message: "There is no such flow.",
    remedy: "Create a new flow.",
    user: { id: 9000508, text: "There's nothing to continue here. Start again." },
  },
  FLOW_COMPLETED: {
    message: "The flow has already done what it was for.",
    remedy:
      "Create a new flow. If the answer was lost, send the same request with its request_id again; without one, log in.",
    user: { id: 9000509, text: "This has already been done. Continue, or start again." },
  },
  FLOW_CLIENT_MISMATCH: {
    message: "A browser flow was used without the cookie that it is bound to.",
    remedy:
      "Browser flow: send the cookie that was set when the flow was created (a server-rendered app forwards its user's cookies), or create a flow with CLIENT_KIND_NATIVE. Native flow: call it from the app; a page creates flows with CLIENT_KIND_BROWSER, and the origin of an app's web view belongs in server.native_origins.",
    metadata: ["missing"],
    user: {
      id: 9000510,
      text: "This was started in another browser or app. Continue there, or start again here.",
    },
  },
  CSRF_TOKEN_MISSING: {
    message: "A browser flow was submitted without its form token.",
    remedy: "Send the flow's csrfToken with the submit.",
    user: { id: 9000511, text: "This page is out of date. Reload it." },
  },
  CSRF_TOKEN_INVALID: {
    message: "The form token is not the one of this flow and browser.",
    remedy: "Get the flow again and send its csrfToken.",
    user: { id: 9000511, text: "This page is out of date. Reload it." },
  },
  RETURN_TO_NOT_ALLOWED: {
    message: "The URL to return to is not on the list.",
    remedy: "Add the exact URL to tenant_defaults.allowed_return_urls.",
    metadata: ["returnTo"],
    user: { id: 9000512, text: "This app isn't set up to return to that address." },
  },
  REGISTRATION_DISABLED: {
    message: "Registration is switched off.",
    remedy:
      "Ask the operator for an account, or set tenant_defaults.flows.registration.mode to open or invitation.",
    user: { id: 9000513, text: "Sign-up is currently closed." },
  },
  TRAITS_INVALID: {
    message: "The traits do not follow the identity schema; BadRequest names the fields.",
    remedy: "Correct the fields that the BadRequest detail names.",
  },
  PASSWORD_REJECTED: {
    message: "The password breaks a rule of the password policy.",
    remedy: "Choose a password that keeps the rule.",
    metadata: ["rule"],
  },
  PASSWORD_HASH_UNSUPPORTED: {
    message: "The password hash is of an unknown format, or too expensive to verify.",
    remedy: "Use argon2, bcrypt, scrypt or PBKDF2 in one of the documented forms.",
  },
  IDENTIFIER_TAKEN: {
    message: "Another identity has this identifier.",
    remedy: "Use another identifier, or look up the identity that has it.",
    metadata: ["field"],
  },
  EXTERNAL_ID_TAKEN: {
    message: "Another identity has this external id.",
    remedy: "Use another external id, or look up the identity that has it.",
    metadata: ["field"],
  },
  IDENTITY_NOT_FOUND: {
    message: "There is no such identity.",
    remedy: "",
  },
  CREDENTIAL_NOT_FOUND: {
    message: "The identity has no such credential.",
    remedy: "ListCredentials says which ones it has.",
    metadata: ["credentialId"],
  },
  SCHEMA_NOT_FOUND: {
    message: "There is no such identity schema.",
    remedy: "Use one of the schemas of tenant_defaults.identity.schemas.",
    metadata: ["schemaId"],
  },
  ETAG_MISMATCH: {
    message: "The identity was changed since it was read.",
    remedy: "Read it again, make the change again, and use the new etag.",
  },
  SESSION_CREDENTIAL_MISSING: {
    message: "The call has neither a bearer token nor a session cookie.",
    remedy: "Send `Authorization: Bearer ost_ses_\u2026`, or the session cookie.",
    user: { id: 9000514, text: "You're not signed in. Sign in to continue." },
  },
  SESSION_TOKEN_MALFORMED: {
    message: "The text is not a session token: its form or checksum is wrong.",
    remedy: "Send the token exactly as it was issued.",
    user: { id: 9000514, text: "You're not signed in. Sign in to continue." },
  },
  SESSION_TOKEN_KIND_MISMATCH: {
    message: "A token of another kind was sent in place of a session token.",
    remedy: "Send a token of the kind that is expected.",
    metadata: ["expected", "actual"],
    user: { id: 9000514, text: "You're not signed in. Sign in to continue." },
  },
  SESSION_TOKEN_UNKNOWN: {
    message: "There is no session with this token.",
    remedy: "Log in again.",
    user: { id: 9000514, text: "You're not signed in. Sign in to continue." },
  },
  SESSION_EXPIRED: {
    message: "The session has reached its end, or was not used for too long.",
    remedy: "Log in again.",
    user: {
      id: 9000515,
      text: "You were signed out because you'd been signed in for a long time, or away for a while. Sign in again.",
    },
  },
  SESSION_REVOKED: {
    message: "The session was ended early.",
    remedy: "Log in again.",
    user: { id: 9000516, text: "You were signed out. Sign in again." },
  },
  SESSION_ASSURANCE_TOO_LOW: {
    message: "The session's assurance level is below the one demanded.",
    remedy: "Sign in with a second factor.",
    metadata: ["required", "actual"],
    user: { id: 9000517, text: "This needs a second factor. Sign in with one to continue." },
  },
  SESSION_AUTHENTICATION_TOO_OLD: {
    message: "The holder proved who they are too long ago.",
    remedy: "Log in again.",
    metadata: ["maxAgeSeconds"],
    user: { id: 9000518, text: "Sign in again to confirm it's you." },
  },
  SESSION_NOT_FOUND: {
    message: "There is no such session, or it is someone else's.",
    remedy: "",
    user: { id: 9000519, text: "This session has already ended." },
  },
  API_KEY_MISSING: {
    message: "The call has neither an API key nor a client certificate.",
    remedy: "Send `Authorization: Bearer ost_key_\u2026`.",
  },
  API_KEY_MALFORMED: {
    message: "The text is not an API key: its form or checksum is wrong.",
    remedy: "Send the key exactly as it was issued.",
  },
  API_KEY_KIND_MISMATCH: {
    message: "A token of another kind was sent in place of an API key.",
    remedy: "Send an API key, `ost_key_\u2026`.",
    metadata: ["expected", "actual"],
  },
  API_KEY_UNKNOWN: {
    message: "There is no such API key.",
    remedy: "Use a key that ApiKeyService made.",
  },
  API_KEY_EXPIRED: {
    message: "The API key has reached its end.",
    remedy: "Make a new key.",
  },
  API_KEY_REVOKED: {
    message: "The API key was revoked.",
    remedy: "Make a new key.",
  },
  CLIENT_CERTIFICATE_UNKNOWN: {
    message: "The client certificate does not count: it is not trusted, or mapped to no scopes.",
    remedy:
      "Map it in access.client_certificates if the problem is UNMAPPED; else use a valid one for clients, signed by an authority of server.admin.client_ca_file.",
    metadata: ["problem"],
  },
  API_KEY_SCOPE_MISSING: {
    message: "The API key or certificate lacks the scope that the method needs.",
    remedy: "Use a key with this scope.",
    metadata: ["scope"],
  },
  API_KEY_SCOPE_EXCEEDED: {
    message: "A key can only make and revoke keys of its own scopes or fewer.",
    remedy: "Ask for fewer scopes, or use a key that has this one.",
    metadata: ["scope"],
  },
  API_KEY_EXPIRY_EXCEEDED: {
    message: "A key cannot make keys that outlive it.",
    remedy: "Ask for an earlier end.",
    metadata: ["expireTime"],
  },
  API_KEY_NOT_FOUND: {
    message: "There is no such API key.",
    remedy: "",
  },
  BREACH_CHECK_UNAVAILABLE: {
    message: "Whether the password is known from breaches cannot be told at the moment.",
    remedy:
      "Try again after the delay that RetryInfo names. The operator finds the cause in the log, and decides in tenant_defaults.password.breach_check.when_unavailable.",
    user: {
      id: 9000520,
      text: "Passwords can't be checked at the moment, so you can't set one. Try again later.",
    },
  },
  LINK_INVALID: {
    message:
      "The link is wrong, has expired, was used, is for something else, or another one was sent since.",
    remedy: "Begin again, and have another link sent.",
    user: { id: 9000521, text: "This link has expired or was already used. Request a new one." },
  },
  FLOW_CHANGED: {
    message: "Another submit changed the flow at the same moment.",
    remedy: "Get the flow again and go on from the stage that it is at.",
    user: {
      id: 9000522,
      text: "This was changed in another window at the same time. Check how it looks now and try again.",
    },
  },
  VERIFICATION_DISABLED: {
    message: "Verification is switched off.",
    remedy: "Ask the operator to verify the address, or set tenant_defaults.flows.verification.enabled.",
    user: { id: 9000523, text: "Addresses can't be verified here at the moment." },
  },
  RECOVERY_DISABLED: {
    message: "Recovery is switched off.",
    remedy: "Ask the operator for help, or set tenant_defaults.flows.recovery.enabled.",
    user: { id: 9000524, text: "Accounts can't be recovered here at the moment." },
  },
  STEP_NOT_OFFERED: {
    message: "The step is not one that the flow waits for.",
    remedy: "Submit one of the steps whose buttons are in the flow's form.",
    metadata: ["step"],
    user: {
      id: 9000525,
      text: "That isn't possible right now. Choose one of the options on this page.",
    },
  },
  MESSAGE_NOT_FOUND: {
    message: "There is no such message, or it was removed after its retention.",
    remedy: "",
  },
  MESSAGE_NOT_RETRYABLE: {
    message: "Only a message that has failed, and whose code or link is still good, can be sent again.",
    remedy: "Let the person ask for a new code or link, or wait for the attempt under way.",
    metadata: ["state"],
  },
  MESSAGE_NOT_READDRESSABLE: {
    message: "A code or link proves an address, so it is never sent to another one.",
    remedy: "Correct the address of the identity and let the person ask for a new code or link.",
    metadata: ["template"],
  },
  IDENTITY_INACTIVE: {
    message: "The identity is inactive.",
    remedy: "Activate it first.",
  },
  ADDRESS_NOT_USABLE: {
    message: "The identity has no such address, or none that the message can go to.",
    remedy:
      "A recovery goes to a verified recovery address, a verification to an address that is not verified yet. Without one make a link with CreateRecoveryLink. GetIdentity says which addresses there are.",
  },
  UI_URL_MISSING: {
    message: "No page is configured that a link could lead to.",
    remedy: "Set the ui_url of this kind of flow in tenant_defaults.flows.",
    metadata: ["flow"],
  },
  LINKS_DISABLED: {
    message: "Links in messages are switched off.",
    remedy:
      "Set tenant_defaults.link.enabled, or let the person begin the flow, which sends a code. A link to hand over is made by CreateRecoveryLink.",
  },
  RATE_LIMITED: {
    message: "There were too many attempts; the metadata says what was counted.",
    remedy:
      "Try again after the delay that RetryInfo names. A known device has limits of its own: send its cookie or device_token.",
    metadata: ["scope"],
    user: { id: 9000526, text: "Too many attempts." },
  },
  INVITATION_REQUIRED: {
    message: "Only people with an invitation can register.",
    remedy:
      "Begin again with the invitation_token of an invitation, or set tenant_defaults.flows.registration.mode to open.",
    user: {
      id: 9000527,
      text: "You need an invitation to create an account here. Open the link in your invitation, or ask for one.",
    },
  },
  INVITATION_INVALID: {
    message: "The invitation is wrong, has expired, was used or revoked.",
    remedy: "Ask the sender for another one.",
    user: {
      id: 9000528,
      text: "This invitation is no longer valid: it was used or withdrawn, or has expired. Ask for a new one.",
    },
  },
  INVITATION_NOT_FOUND: {
    message:
      "There is no such invitation, or it was removed after its retention or with the identity that it made.",
    remedy: "",
  },
  INVITATION_NOT_PENDING: {
    message: "Somebody registered with the invitation, so it can no longer be revoked.",
    remedy: "Deactivate or delete the identity that the invitation names.",
    metadata: ["state"],
  },
  SERVER_STOPPING: {
    message: "The server is stopping and ends its streams.",
    remedy: "Begin the stream again, with what was not answered yet.",
  },
  STREAM_IDLE: {
    message: "The stream waited too long for its client to send or to read.",
    remedy: "End a stream once all is sent, read its answers as they come, and begin another one for more.",
  },
  HEADERS_TOO_LARGE: {
    message: "The headers of the request are larger than the server reads.",
    remedy: "Send fewer and shorter headers. In a browser it is the cookies: delete those of the site.",
    metadata: ["limitBytes", "limitFields"],
    user: {
      id: 9000529,
      text: "Your browser is sending too many cookies. Delete the cookies for this site and try again.",
    },
  },
  FLOW_IDENTITY_MISMATCH: {
    message: "The flow is of another account than the session of this browser.",
    remedy: "Create a new flow, and fill in nothing that was typed for the other account.",
    user: { id: 9000530, text: "Someone else has signed in here in the meantime. Start again." },
  },
  SESSION_COOKIE_AMBIGUOUS: {
    message: "The browser sent several session cookies, of which none can be believed.",
    remedy: "Log in again; the answer removes the cookies from the browser.",
    user: {
      id: 9000531,
      text: "This browser had several sessions at once, so we removed them and signed you out. Sign in again.",
    },
  },
  FEATURE_OFF: {
    message:
      "The request asks for something that this server does not do: it is switched off, or not served yet.",
    remedy: "Leave the field that the metadata names empty, or switch on what it needs.",
    metadata: ["field"],
  },
  SESSION_METHOD_INSUFFICIENT: {
    message: "None of the proofs of the session has the property that is demanded.",
    remedy: "Log in with a method that has it, for example a passkey, where the server offers one.",
    metadata: ["property"],
    user: {
      id: 9000532,
      text: "This needs a stronger way to sign in, such as a passkey. Sign in with one to continue.",
    },
  },
  SESSION_ADDRESS_UNVERIFIED: {
    message: "The identity has no verified address of the kind that is demanded.",
    remedy: "Verify an address of it, and try again; the session stays.",
    metadata: ["kind"],
    user: {
      id: 9000533,
      text: "This needs a verified address. Verify one of yours and try again.",
    },
  },
  SESSION_ACTIONS_PENDING: {
    message: "Something that the identity was asked to do is not done yet.",
    remedy: "Log in again, and do what is asked.",
    user: { id: 9000534, text: "There's something to do first. Sign in again to see what it is." },
  },
  STEP_UP_IMPOSSIBLE: {
    message: "No way to sign in here, or none that this account has, can show what the login was asked for.",
    remedy: "Ask for less, or have the account set up what is missing first.",
    metadata: ["demand"],
    user: { id: 9000401, text: "This needs a way to sign in that isn't set up here." },
  },
  CREDENTIAL_TAKEN: {
    message:
      "A passkey, or an account at a provider, of the request is there already, of this identity or of another one.",
    remedy: "Leave it out, or delete the one that is there.",
    metadata: ["credentialId"],
  },
  CREDENTIALS_TOO_MANY: {
    message: "The identity would have more credentials of a kind than it may.",
    remedy: "Delete some of them first.",
    metadata: ["kind", "limit"],
  },
  PROVIDER_NOT_FOUND: {
    message: "There is no such provider.",
    remedy: "Use the id of one of tenant_defaults.oidc.providers.",
    metadata: ["providerId"],
  },
  PROVIDER_TOKENS_NOT_KEPT: {
    message: "The provider's tokens are not kept for this credential.",
    remedy: "Set keep_tokens of the provider. They are kept from the owner's next login there on.",
  },
  PROVIDER_TOKENS_EXPIRED: {
    message: "The provider's tokens have expired, and the provider does not renew them.",
    remedy:
      "Have the owner sign in at the provider again. Most give tokens that can be renewed only for a scope such as offline_access.",
  },
  PROVIDER_UNAVAILABLE: {
    message: "The provider cannot be reached at the moment.",
    remedy: "Try again after the delay that RetryInfo names. The log names the cause.",
    metadata: ["providerId"],
  },
  OAUTH2_CHALLENGE_INVALID: {
    message: "The OAuth2 server has no login or logout request of this challenge that can still be answered.",
    remedy: "Begin again at the application that asked for it.",
    metadata: ["problem"],
    user: {
      id: 9000540,
      text: "This request was already answered, or is too old. Go back to the app you came from and start again there.",
    },
  },
  OAUTH2_SERVER_UNAVAILABLE: {
    message:
      "The OAuth2 server did not answer in time, or not as it should. Its challenge can be used again.",
    remedy: "Try again after the delay that RetryInfo names. The log says what is wrong.",
    user: {
      id: 9000541,
      text: "The server that sent you here can't be reached at the moment. Try again later.",
    },
  },
  ADDRESS_MARK_NOT_FOUND: {
    message: "Nothing is known of this address: no mail came back from it, and nobody complained.",
    remedy: "",
  },
  ARRIVAL_REPORT_REFUSED: {
    message: "The report of mail was not sent by who it names, or cannot be read.",
    remedy: "Compare password, key or topic in tenant_defaults.courier.reports with those at the provider.",
  },
  POSITION_NOT_INCLUDED: {
    message: "The answer would not include the position that the request asks for.",
    remedy:
      "Ask without atLeast. Its position is of another log, for example of the time before a backup was restored, or was never given out.",
    metadata: ["epoch", "sequence"],
  },
  STREAM_READER_TOO_SLOW: {
    message: "The client reads the stream more slowly than there is something to tell, so it was given up.",
    remedy: "Read faster, and open the stream again after the last position that you have handled.",
    metadata: ["limitBytes"],
  },
} as const satisfies Record<string, ErrorText>;

/** The name of a reason, as `google.rpc.ErrorInfo.reason` carries it. Permanent. */
export type ErrorReason = keyof typeof texts;

/** All reasons, in the order of the contract. */
export const errorReasons = Object.keys(texts) as ErrorReason[];

/** Texts of each reason. */
export const errorTexts = Object.fromEntries(
  Object.entries(texts).map(([reason, text]) => [reason, { metadata: [], ...text }]),
) as unknown as Readonly<Record<ErrorReason, ErrorText & { readonly metadata: readonly string[] }>>;

/** The metadata that an error of a reason must carry. */
export type ErrorMetadata<R extends ErrorReason> = Readonly<
  Record<
    (typeof texts)[R] extends { readonly metadata: readonly (infer Key extends string)[] } ? Key : never,
    string
  >
>;

/** Options of a DomainError besides its metadata. */
export interface DomainErrorOptions {
  readonly violations?: readonly FieldViolation[];
  /** Pause until the next attempt. */
  readonly retryAfterMs?: number;
  /** Replaces the reason's own sentence where there is more to say. Never holds a secret. */
  readonly message?: string;
  /** For the log; never sent. */
  readonly cause?: unknown;
}

/**
 * A call that was wrong or not allowed. What a person filled in wrongly is not an error but an outcome. Made by
 * `domainError`, which demands the metadata of the reason.
 */
export class DomainError extends Error {
  override readonly name = "DomainError";
  readonly reason: ErrorReason;
  readonly metadata: Readonly<Record<string, string>>;
  readonly violations: readonly FieldViolation[];
  readonly retryAfterMs: number | undefined;

  constructor(
    reason: ErrorReason,
    metadata: Readonly<Record<string, string>>,
    options: DomainErrorOptions = {},
  ) {
    super(options.message ?? errorTexts[reason].message, { cause: options.cause });
    this.reason = reason;
    this.metadata = metadata;
    this.violations = options.violations ?? [];
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** REQUEST_INVALID with what is wrong with single fields. */
export function invalid(...violations: readonly FieldViolation[]): DomainError {
  return domainError("REQUEST_INVALID", {}, { violations });
}

/** Makes the error of a reason; its metadata is demanded by the type. */
export function domainError<R extends ErrorReason>(
  reason: R,
  metadata: ErrorMetadata<R>,
  options?: DomainErrorOptions,
): DomainError {
  return new DomainError(reason, metadata, options);
}
