/**
 * The reasons that a call can fail for, as data: what each says and what can be done about it. The set equals
 * `ostiary.error.v1.ErrorReason`; test/structure holds the two together.
 */

/** What is known of a reason before it happens. */
interface ErrorText {
  /** The sentence sent with it, in English. */
  readonly message: string;
  /** What the caller can do about it; empty where nothing can be done. */
  readonly remedy: string;
  /** The metadata keys that every error of this reason carries. */
  readonly metadata: readonly string[];
}

const texts = {
  INTERNAL: {
    message: "Something failed that should not have; the log has it under the request id.",
    remedy: "Try again; if it stays, report the request id to the operator.",
    metadata: ["request_id"],
  },
  REQUEST_MALFORMED: {
    message: "The request could not be read: broken JSON or Protobuf, an unknown field, a wrong type.",
    remedy: "Send the message as the contract describes it.",
    metadata: [],
  },
  REQUEST_INVALID: {
    message: "Fields of the request break the limits of the contract; BadRequest names them.",
    remedy: "Correct the fields that the BadRequest detail names.",
    metadata: [],
  },
  REQUEST_TOO_LARGE: {
    message: "The request is larger than the server reads.",
    remedy: "Send less at once.",
    metadata: ["limit_bytes"],
  },
  REQUEST_TIMEOUT: {
    message: "The caller's deadline passed before the answer was ready.",
    remedy: "Try again with a longer deadline.",
    metadata: [],
  },
  REQUEST_CANCELED: {
    message: "The caller went away.",
    remedy: "",
    metadata: [],
  },
  METHOD_UNKNOWN: {
    message: "This listener has no such method.",
    remedy: "Check the name, and whether the method is served by the other listener.",
    metadata: ["method"],
  },
  PAGE_TOKEN_INVALID: {
    message: "The page token is not one of this list with these filters.",
    remedy: "List again from the first page.",
    metadata: [],
  },
  REQUEST_ID_REUSED: {
    message: "The request id was used before, with another request.",
    remedy: "Use a new request id for a new request.",
    metadata: ["request_id"],
  },
  DATABASE_UNAVAILABLE: {
    message: "The database cannot be reached. Nothing was changed, unless the answer to a commit was lost.",
    remedy: "Try again after the delay that RetryInfo names.",
    metadata: [],
  },
  SERVER_OVERLOADED: {
    message: "Too many passwords are waiting to be hashed.",
    remedy: "Try again after the delay that RetryInfo names.",
    metadata: [],
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
  },
  FLOW_NOT_FOUND: {
    message: "There is no such flow.",
    remedy: "Create a new flow.",
    metadata: [],
  },
  FLOW_COMPLETED: {
    message: "The flow has already done what it was for.",
    remedy: "Create a new flow. If the answer was lost, the session may exist already: log in.",
    metadata: [],
  },
  FLOW_CLIENT_MISMATCH: {
    message: "A browser flow was used without the cookie that it is bound to.",
    remedy:
      "Browser flow: send the cookie that was set when the flow was created (a server-rendered app forwards its user's cookies), or create a flow with CLIENT_KIND_NATIVE. Native flow: call it from the app; a page creates flows with CLIENT_KIND_BROWSER, and the origin of an app's web view belongs in server.native_origins.",
    metadata: ["missing"],
  },
  CSRF_TOKEN_MISSING: {
    message: "A browser flow was submitted without its form token.",
    remedy: "Send the flow's csrfToken with the submit.",
    metadata: [],
  },
  CSRF_TOKEN_INVALID: {
    message: "The form token is not the one of this flow and browser.",
    remedy: "Get the flow again and send its csrfToken.",
    metadata: [],
  },
  RETURN_TO_NOT_ALLOWED: {
    message: "The address to return to is not on the list.",
    remedy: "Add the exact address to tenant_defaults.allowed_return_urls.",
    metadata: ["return_to"],
  },
  REGISTRATION_DISABLED: {
    message: "Registration is switched off.",
    remedy: "Ask the operator for an account, or set tenant_defaults.flows.registration.enabled.",
    metadata: [],
  },
  CREDENTIALS_INVALID: {
    message: "The identifier or the secret is wrong, or the identity cannot sign in.",
    remedy: "Check both and try again.",
    metadata: [],
  },
  TRAITS_INVALID: {
    message: "The traits do not follow the identity schema; BadRequest names the fields.",
    remedy: "Correct the fields that the BadRequest detail names.",
    metadata: [],
  },
  PASSWORD_REJECTED: {
    message: "The password breaks a rule of the password policy.",
    remedy: "Choose a password that keeps the rule.",
    metadata: ["rule"],
  },
  PASSWORD_HASH_UNSUPPORTED: {
    message: "The password hash is of an unknown format, or too expensive to verify.",
    remedy: "Use argon2, bcrypt, scrypt or PBKDF2 in one of the documented forms.",
    metadata: [],
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
    metadata: [],
  },
  CREDENTIAL_NOT_FOUND: {
    message: "The identity has no such credential.",
    remedy: "",
    metadata: ["kind"],
  },
  SCHEMA_NOT_FOUND: {
    message: "There is no such identity schema.",
    remedy: "Use one of the schemas of tenant_defaults.identity.schemas.",
    metadata: ["schema_id"],
  },
  ETAG_MISMATCH: {
    message: "The identity was changed since it was read.",
    remedy: "Read it again, make the change again, and use the new etag.",
    metadata: [],
  },
  SESSION_CREDENTIAL_MISSING: {
    message: "The call has neither a bearer token nor a session cookie.",
    remedy: "Send `Authorization: Bearer ost_ses_\u2026`, or the session cookie.",
    metadata: [],
  },
  SESSION_TOKEN_MALFORMED: {
    message: "What was sent is not a session token: its form or checksum is wrong.",
    remedy: "Send the token exactly as it was issued.",
    metadata: [],
  },
  SESSION_TOKEN_KIND_MISMATCH: {
    message: "A token of another kind was sent in place of a session token.",
    remedy: "Send a token of the kind that is expected.",
    metadata: ["expected", "actual"],
  },
  SESSION_TOKEN_UNKNOWN: {
    message: "There is no session with this token.",
    remedy: "Log in again.",
    metadata: [],
  },
  SESSION_EXPIRED: {
    message: "The session has reached its end, or was not used for too long.",
    remedy: "Log in again.",
    metadata: [],
  },
  SESSION_REVOKED: {
    message: "The session was ended early.",
    remedy: "Log in again.",
    metadata: [],
  },
  SESSION_ASSURANCE_TOO_LOW: {
    message: "The session's assurance level is below the one demanded.",
    remedy: "Sign in with a second factor.",
    metadata: ["required", "actual"],
  },
  SESSION_AUTHENTICATION_TOO_OLD: {
    message: "The holder proved who they are too long ago.",
    remedy: "Log in again.",
    metadata: ["max_age_seconds"],
  },
  SESSION_NOT_FOUND: {
    message: "There is no such session, or it is someone else's.",
    remedy: "",
    metadata: [],
  },
  API_KEY_MISSING: {
    message: "The call has neither an API key nor a client certificate.",
    remedy: "Send `Authorization: Bearer ost_key_\u2026`.",
    metadata: [],
  },
  API_KEY_MALFORMED: {
    message: "What was sent is not an API key: its form or checksum is wrong.",
    remedy: "Send the key exactly as it was issued.",
    metadata: [],
  },
  API_KEY_KIND_MISMATCH: {
    message: "A token of another kind was sent in place of an API key.",
    remedy: "Send an API key, `ost_key_\u2026`.",
    metadata: ["expected", "actual"],
  },
  API_KEY_UNKNOWN: {
    message: "There is no such API key.",
    remedy: "Use a key that ApiKeyService made.",
    metadata: [],
  },
  API_KEY_EXPIRED: {
    message: "The API key has reached its end.",
    remedy: "Make a new key.",
    metadata: [],
  },
  API_KEY_REVOKED: {
    message: "The API key was revoked.",
    remedy: "Make a new key.",
    metadata: [],
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
    metadata: ["expire_time"],
  },
  API_KEY_NOT_FOUND: {
    message: "There is no such API key.",
    remedy: "",
    metadata: [],
  },
  FORM_INCOMPLETE: {
    message: "A required field of the form is empty.",
    remedy: "Fill in the fields that carry a message.",
    metadata: [],
  },
  BREACH_CHECK_UNAVAILABLE: {
    message: "Whether the password is known from breaches cannot be told at the moment.",
    remedy:
      "Try again after the delay that RetryInfo names. The operator finds the cause in the log, and decides in tenant_defaults.password.breach_check.when_unavailable.",
    metadata: [],
  },
  CODE_INVALID: {
    message: "The code is wrong, has expired, was used, or another one was sent since.",
    remedy: "Enter the newest code, or have another one sent.",
    metadata: [],
  },
  CODE_TRIES_EXCEEDED: {
    message: "Too many wrong codes were entered.",
    remedy: "Have another code sent.",
    metadata: [],
  },
  LINK_INVALID: {
    message:
      "The link is wrong, has expired, was used, is for something else, or another one was sent since.",
    remedy: "Begin again, and have another link sent.",
    metadata: [],
  },
  RESEND_TOO_EARLY: {
    message: "Another code or link was asked for too soon after the last one.",
    remedy: "Wait until the time that the flow's step names.",
    metadata: [],
  },
  FLOW_CHANGED: {
    message: "Another submit changed the flow at the same moment.",
    remedy: "Get the flow again and go on with the step that it is at.",
    metadata: [],
  },
  VERIFICATION_DISABLED: {
    message: "Verification is switched off.",
    remedy: "Ask the operator to verify the address, or set tenant_defaults.flows.verification.enabled.",
    metadata: [],
  },
  RECOVERY_DISABLED: {
    message: "Recovery is switched off.",
    remedy: "Ask the operator for help, or set tenant_defaults.flows.recovery.enabled.",
    metadata: [],
  },
  STEP_NOT_OFFERED: {
    message: "The step is not one that the flow waits for.",
    remedy: "Submit one of the steps whose buttons are in the flow's form.",
    metadata: ["step"],
  },
  MESSAGE_NOT_FOUND: {
    message: "There is no such message, or it was removed after its retention.",
    remedy: "",
    metadata: [],
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
    metadata: [],
  },
  ADDRESS_NOT_USABLE: {
    message: "The identity has no such address, or none that the message can go to.",
    remedy:
      "A recovery goes to a verified recovery address, a verification to an address that is not verified yet. Without one make a link with CreateRecoveryLink.",
    metadata: [],
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
    metadata: [],
  },
  RATE_LIMITED: {
    message: "There were too many attempts; the metadata says what was counted.",
    remedy:
      "Try again after the delay that RetryInfo names. A known device has limits of its own: send its cookie or device_token.",
    metadata: ["scope"],
  },
  INVITATION_REQUIRED: {
    message: "Only people with an invitation can register.",
    remedy:
      "Begin again with the invitation_token of an invitation, or switch tenant_defaults.flows.registration.invitation_required off.",
    metadata: [],
  },
  INVITATION_INVALID: {
    message: "The invitation is wrong, has expired, was used or revoked.",
    remedy: "Ask whoever sent it for another one.",
    metadata: [],
  },
  INVITATION_NOT_FOUND: {
    message:
      "There is no such invitation, or it was removed after its retention or with the identity that it made.",
    remedy: "",
    metadata: [],
  },
  INVITATION_NOT_PENDING: {
    message: "Somebody registered with the invitation, so it can no longer be revoked.",
    remedy: "Deactivate or delete the identity that the invitation names.",
    metadata: ["state"],
  },
  SERVER_STOPPING: {
    message: "The server is stopping and ends its streams.",
    remedy: "Begin the stream again, with what was not answered yet.",
    metadata: [],
  },
  STREAM_IDLE: {
    message: "The stream waited too long for its client to send or to read.",
    remedy: "End a stream once all is sent, read its answers as they come, and begin another one for more.",
    metadata: [],
  },
  HEADERS_TOO_LARGE: {
    message: "The headers of the request are larger than the server reads.",
    remedy: "Send fewer and shorter headers. In a browser it is the cookies: delete those of the site.",
    metadata: ["limit_bytes", "limit_fields"],
  },
  FLOW_IDENTITY_MISMATCH: {
    message: "The flow is of another account than the session of this browser.",
    remedy: "Create a new flow, and fill in nothing that was typed for the other account.",
    metadata: [],
  },
  CLAIM_ENDED: {
    message: "Whose account it is can no longer be answered, and nothing was changed.",
    remedy: "Submit `back`, and begin again with the address.",
    metadata: [],
  },
  SESSION_COOKIE_AMBIGUOUS: {
    message: "The browser sent several session cookies, of which none can be believed.",
    remedy: "Log in again; the answer removes the cookies from the browser.",
    metadata: [],
  },
  CODE_MALFORMED: {
    message:
      "What was entered can be no code: it has another length or other characters. No try was counted.",
    remedy: "Enter the digits of the code, as many as the message says.",
    metadata: [],
  },
  FEATURE_OFF: {
    message:
      "The request asks for something that this server does not do: it is switched off, or not served yet.",
    remedy: "Leave the field that the metadata names empty, or switch on what it needs.",
    metadata: ["field"],
  },
  STEP_UP_IMPOSSIBLE: {
    message: "No way to sign in here, or none that this account has, can show what the login was asked for.",
    remedy: "Ask for less, or have the account set up what is missing first.",
    metadata: ["demand"],
  },
} as const satisfies Record<string, ErrorText>;

/** The name of a reason, as `google.rpc.ErrorInfo.reason` carries it. Permanent. */
export type ErrorReason = keyof typeof texts;

/** All reasons, in the order of the contract. */
export const errorReasons = Object.keys(texts) as ErrorReason[];

/** What is known of each reason before it happens. */
export const errorTexts: Readonly<Record<ErrorReason, ErrorText>> = texts;

/** The metadata that an error of a reason must carry. */
export type ErrorMetadata<R extends ErrorReason> = Readonly<
  Record<(typeof texts)[R]["metadata"][number], string>
>;

/** One field that is wrong, by its JSON path in the request: `traits.email`. */
export interface FieldViolation {
  readonly field: string;
  readonly description: string;
  /** The rule that it breaks, for machines: `string.max_len`, `required`. */
  readonly reason?: string;
}

/** What a DomainError may carry besides its metadata. */
export interface DomainErrorOptions {
  readonly violations?: readonly FieldViolation[];
  /** When to try again. */
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

/** Makes the error of a reason; its metadata is demanded by the type. */
export function domainError<R extends ErrorReason>(
  reason: R,
  metadata: ErrorMetadata<R>,
  options?: DomainErrorOptions,
): DomainError {
  return new DomainError(reason, metadata, options);
}
