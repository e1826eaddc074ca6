import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  PasswordRule,
  RejectionReason as ProtoRejectionReason,
  type RejectedSchema,
} from "../../../../gen/ostiary/flow/v1/outcome_pb.js";
import type { Rejection, RejectionReason } from "../../../domain/form/rejection.ts";

const reasons: Record<RejectionReason, ProtoRejectionReason> = {
  FORM_INCOMPLETE: ProtoRejectionReason.FORM_INCOMPLETE,
  CREDENTIALS_INVALID: ProtoRejectionReason.CREDENTIALS_INVALID,
  IDENTITY_NOT_FOUND: ProtoRejectionReason.IDENTITY_NOT_FOUND,
  TRAITS_INVALID: ProtoRejectionReason.TRAITS_INVALID,
  IDENTIFIER_TAKEN: ProtoRejectionReason.IDENTIFIER_TAKEN,
  PASSWORD_REJECTED: ProtoRejectionReason.PASSWORD_REJECTED,
  CODE_INVALID: ProtoRejectionReason.CODE_INVALID,
  CODE_MALFORMED: ProtoRejectionReason.CODE_MALFORMED,
  CODE_TRIES_EXCEEDED: ProtoRejectionReason.CODE_TRIES_EXCEEDED,
  LINK_INVALID: ProtoRejectionReason.LINK_INVALID,
  RESEND_TOO_EARLY: ProtoRejectionReason.RESEND_TOO_EARLY,
  INVITATION_INVALID: ProtoRejectionReason.INVITATION_INVALID,
  CLAIM_ENDED: ProtoRejectionReason.CLAIM_ENDED,
  TRAITS_CHANGED: ProtoRejectionReason.TRAITS_CHANGED,
  LAST_WAY_IN: ProtoRejectionReason.LAST_WAY_IN,
  LAST_SECOND_FACTOR: ProtoRejectionReason.LAST_SECOND_FACTOR,
  CREDENTIAL_GONE: ProtoRejectionReason.CREDENTIAL_GONE,
  CREDENTIAL_TAKEN: ProtoRejectionReason.CREDENTIAL_TAKEN,
  PASSKEY_INVALID: ProtoRejectionReason.PASSKEY_INVALID,
  CREDENTIALS_TOO_MANY: ProtoRejectionReason.CREDENTIALS_TOO_MANY,
  SMS_UNAVAILABLE: ProtoRejectionReason.SMS_UNAVAILABLE,
  SECOND_FACTOR_SAME_KIND: ProtoRejectionReason.SECOND_FACTOR_SAME_KIND,
  OAUTH2_SERVER_UNAVAILABLE: ProtoRejectionReason.OAUTH2_SERVER_UNAVAILABLE,
  PROVIDER_UNAVAILABLE: ProtoRejectionReason.PROVIDER_UNAVAILABLE,
  PROVIDER_DENIED: ProtoRejectionReason.PROVIDER_DENIED,
  PROVIDER_ANSWER_INVALID: ProtoRejectionReason.PROVIDER_ANSWER_INVALID,
  NOT_LINKED: ProtoRejectionReason.NOT_LINKED,
  OTHER_ACCOUNT: ProtoRejectionReason.OTHER_ACCOUNT,
  ADDRESS_BOUNCED: ProtoRejectionReason.ADDRESS_BOUNCED,
};
const passwordRules: Record<NonNullable<Rejection["passwordRule"]>, PasswordRule> = {
  too_short: PasswordRule.TOO_SHORT,
  too_long: PasswordRule.TOO_LONG,
  common: PasswordRule.COMMON,
  too_similar: PasswordRule.TOO_SIMILAR,
  breached: PasswordRule.BREACHED,
  unchanged: PasswordRule.UNCHANGED,
};

/** Why a submit was not accepted. */
export function toRejected(rejection: Rejection): MessageInitShape<typeof RejectedSchema> {
  return { reason: reasons[rejection.reason], detail: toDetail(rejection) };
}

function toDetail({
  passwordRule,
  unknownPasskey,
}: Rejection): MessageInitShape<typeof RejectedSchema>["detail"] {
  if (passwordRule !== undefined) return { case: "password", value: { rule: passwordRules[passwordRule] } };
  if (unknownPasskey !== undefined) return { case: "passkey", value: { unknown: unknownPasskey } };
  return { case: undefined };
}
