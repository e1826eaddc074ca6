import type { FormProblems } from "./form.ts";

/** Why a submit was not accepted. The set equals `ostiary.flow.v1.RejectionReason`; the conversion holds the two together. */
export type RejectionReason =
  | "FORM_INCOMPLETE"
  | "CREDENTIALS_INVALID"
  | "IDENTITY_NOT_FOUND"
  | "TRAITS_INVALID"
  | "IDENTIFIER_TAKEN"
  | "PASSWORD_REJECTED"
  | "CODE_INVALID"
  | "CODE_MALFORMED"
  | "CODE_TRIES_EXCEEDED"
  | "LINK_INVALID"
  | "RESEND_TOO_EARLY"
  | "INVITATION_INVALID"
  | "CLAIM_ENDED"
  | "TRAITS_CHANGED"
  | "LAST_WAY_IN"
  | "LAST_SECOND_FACTOR"
  | "CREDENTIAL_GONE"
  | "CREDENTIAL_TAKEN"
  | "PASSKEY_INVALID"
  | "CREDENTIALS_TOO_MANY"
  | "SMS_UNAVAILABLE"
  | "SECOND_FACTOR_SAME_KIND"
  | "PROVIDER_UNAVAILABLE"
  | "PROVIDER_DENIED"
  | "PROVIDER_ANSWER_INVALID"
  | "NOT_LINKED"
  | "OTHER_ACCOUNT"
  | "OAUTH2_SERVER_UNAVAILABLE"
  | "ADDRESS_BOUNCED";

/** The rule that a new password breaks. */
export type PasswordRule = "too_short" | "too_long" | "common" | "too_similar" | "breached" | "unchanged";

/** The reason of a rejection, with details for programs. */
export interface Rejection {
  readonly reason: RejectionReason;
  /** For PASSWORD_REJECTED: the rule that the password breaks. */
  readonly passwordRule?: PasswordRule | undefined;
  /** For PASSKEY_INVALID: a passkey that no account has. */
  readonly unknownPasskey?: UnknownPasskey | undefined;
}

/** A passkey that no account has, as browsers are told of it. */
export interface UnknownPasskey {
  readonly rpId: string;
  readonly credentialId: string;
}

/** A step that was not accepted. */
export interface StepRejected extends Rejection {
  readonly kind: "rejected";
  readonly problems: FormProblems;
}
