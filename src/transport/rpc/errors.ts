import { Code, ConnectError } from "@connectrpc/connect";
import { codeToString } from "@connectrpc/connect/protocol-connect";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  RetryInfoSchema,
} from "../../../gen/google/rpc/error_details_pb.js";
import { RemedySchema, UserMessageSchema } from "../../../gen/ostiary/error/v1/error_detail_pb.js";
import { DomainError, type ErrorReason, errorTexts, type UserSentence } from "../../domain/errors.ts";
import type { FieldViolation } from "../../domain/field-violation.ts";

/** The domain of google.rpc.ErrorInfo in every error of the server. */
const errorDomain = "ostiary";

/** The code of each reason: what a caller sees who knows nothing of reasons. TypeScript fails if one is missing. */
const reasonCodes: Readonly<Record<ErrorReason, Code>> = {
  INTERNAL: Code.Internal,
  REQUEST_MALFORMED: Code.InvalidArgument,
  REQUEST_INVALID: Code.InvalidArgument,
  REQUEST_TOO_LARGE: Code.ResourceExhausted,
  REQUEST_TIMEOUT: Code.DeadlineExceeded,
  REQUEST_CANCELED: Code.Canceled,
  METHOD_UNKNOWN: Code.Unimplemented,
  PAGE_TOKEN_INVALID: Code.InvalidArgument,
  REQUEST_ID_REUSED: Code.FailedPrecondition,
  DATABASE_UNAVAILABLE: Code.Unavailable,
  SERVER_OVERLOADED: Code.ResourceExhausted,
  ACCESS_UNDECLARED: Code.PermissionDenied,
  ORIGIN_NOT_ALLOWED: Code.PermissionDenied,
  FLOW_NOT_FOUND: Code.NotFound,
  FLOW_COMPLETED: Code.FailedPrecondition,
  FLOW_CLIENT_MISMATCH: Code.FailedPrecondition,
  CSRF_TOKEN_MISSING: Code.PermissionDenied,
  CSRF_TOKEN_INVALID: Code.PermissionDenied,
  RETURN_TO_NOT_ALLOWED: Code.InvalidArgument,
  REGISTRATION_DISABLED: Code.FailedPrecondition,
  TRAITS_INVALID: Code.InvalidArgument,
  PASSWORD_REJECTED: Code.InvalidArgument,
  PASSWORD_HASH_UNSUPPORTED: Code.InvalidArgument,
  IDENTIFIER_TAKEN: Code.AlreadyExists,
  ADDRESS_MARK_NOT_FOUND: Code.NotFound,
  ARRIVAL_REPORT_REFUSED: Code.PermissionDenied,
  EXTERNAL_ID_TAKEN: Code.AlreadyExists,
  IDENTITY_NOT_FOUND: Code.NotFound,
  CREDENTIAL_NOT_FOUND: Code.NotFound,
  SCHEMA_NOT_FOUND: Code.NotFound,
  ETAG_MISMATCH: Code.Aborted,
  SESSION_CREDENTIAL_MISSING: Code.Unauthenticated,
  SESSION_TOKEN_MALFORMED: Code.Unauthenticated,
  SESSION_TOKEN_KIND_MISMATCH: Code.Unauthenticated,
  SESSION_TOKEN_UNKNOWN: Code.Unauthenticated,
  SESSION_EXPIRED: Code.Unauthenticated,
  SESSION_REVOKED: Code.Unauthenticated,
  SESSION_ASSURANCE_TOO_LOW: Code.Unauthenticated,
  SESSION_AUTHENTICATION_TOO_OLD: Code.Unauthenticated,
  SESSION_NOT_FOUND: Code.NotFound,
  API_KEY_MISSING: Code.Unauthenticated,
  API_KEY_MALFORMED: Code.Unauthenticated,
  API_KEY_KIND_MISMATCH: Code.Unauthenticated,
  API_KEY_UNKNOWN: Code.Unauthenticated,
  API_KEY_EXPIRED: Code.Unauthenticated,
  API_KEY_REVOKED: Code.Unauthenticated,
  CLIENT_CERTIFICATE_UNKNOWN: Code.Unauthenticated,
  API_KEY_SCOPE_MISSING: Code.PermissionDenied,
  API_KEY_SCOPE_EXCEEDED: Code.PermissionDenied,
  API_KEY_EXPIRY_EXCEEDED: Code.PermissionDenied,
  API_KEY_NOT_FOUND: Code.NotFound,
  BREACH_CHECK_UNAVAILABLE: Code.Unavailable,
  LINK_INVALID: Code.InvalidArgument,
  FLOW_CHANGED: Code.Aborted,
  VERIFICATION_DISABLED: Code.FailedPrecondition,
  RECOVERY_DISABLED: Code.FailedPrecondition,
  STEP_NOT_OFFERED: Code.FailedPrecondition,
  MESSAGE_NOT_FOUND: Code.NotFound,
  MESSAGE_NOT_RETRYABLE: Code.FailedPrecondition,
  MESSAGE_NOT_READDRESSABLE: Code.FailedPrecondition,
  IDENTITY_INACTIVE: Code.FailedPrecondition,
  ADDRESS_NOT_USABLE: Code.FailedPrecondition,
  UI_URL_MISSING: Code.FailedPrecondition,
  LINKS_DISABLED: Code.FailedPrecondition,
  RATE_LIMITED: Code.ResourceExhausted,
  INVITATION_REQUIRED: Code.FailedPrecondition,
  INVITATION_INVALID: Code.InvalidArgument,
  INVITATION_NOT_FOUND: Code.NotFound,
  INVITATION_NOT_PENDING: Code.FailedPrecondition,
  SERVER_STOPPING: Code.Unavailable,
  STREAM_IDLE: Code.DeadlineExceeded,
  STREAM_READER_TOO_SLOW: Code.ResourceExhausted,
  HEADERS_TOO_LARGE: Code.ResourceExhausted,
  FLOW_IDENTITY_MISMATCH: Code.FailedPrecondition,
  SESSION_COOKIE_AMBIGUOUS: Code.Unauthenticated,
  FEATURE_OFF: Code.FailedPrecondition,
  POSITION_NOT_INCLUDED: Code.FailedPrecondition,
  SESSION_METHOD_INSUFFICIENT: Code.Unauthenticated,
  SESSION_ADDRESS_UNVERIFIED: Code.Unauthenticated,
  SESSION_ACTIONS_PENDING: Code.Unauthenticated,
  STEP_UP_IMPOSSIBLE: Code.FailedPrecondition,
  CREDENTIAL_TAKEN: Code.AlreadyExists,
  CREDENTIALS_TOO_MANY: Code.FailedPrecondition,
  PROVIDER_NOT_FOUND: Code.NotFound,
  PROVIDER_TOKENS_NOT_KEPT: Code.FailedPrecondition,
  PROVIDER_TOKENS_EXPIRED: Code.FailedPrecondition,
  PROVIDER_UNAVAILABLE: Code.Unavailable,
  OAUTH2_CHALLENGE_INVALID: Code.FailedPrecondition,
  OAUTH2_SERVER_UNAVAILABLE: Code.Unavailable,
  TOKEN_AUDIENCE_NOT_ALLOWED: Code.InvalidArgument,
  TOKEN_TEMPLATE_UNKNOWN: Code.InvalidArgument,
  TOKEN_CLAIMS_FAILED: Code.FailedPrecondition,
  TOKEN_TOO_LARGE: Code.FailedPrecondition,
  FORWARD_AUTH_PEER_UNKNOWN: Code.PermissionDenied,
  FORWARD_AUTH_REQUEST_UNCLEAR: Code.PermissionDenied,
  FORWARD_AUTH_TARGET_AMBIGUOUS: Code.PermissionDenied,
  FORWARD_AUTH_RULE_MISSING: Code.PermissionDenied,
};

// What a client sent may come back in metadata and descriptions, and trailers have a small budget.
const maxTextLength = 512;
const maxViolations = 100;

/** When to try again where the error itself does not know. */
const defaultRetryAfterMs: Partial<Record<ErrorReason, number>> = {
  DATABASE_UNAVAILABLE: 1_000,
  SERVER_OVERLOADED: 1_000,
  BREACH_CHECK_UNAVAILABLE: 10_000,
  PROVIDER_UNAVAILABLE: 10_000,
  OAUTH2_SERVER_UNAVAILABLE: 3_000,
  RATE_LIMITED: 1_000,
  SERVER_STOPPING: 1_000,
};

/** The code that a reason is sent with. */
export function codeOf(reason: ErrorReason): Code {
  return reasonCodes[reason];
}

/**
 * The error as it is sent: code, message, and google.rpc.ErrorInfo, with BadRequest, RetryInfo, UserMessage and Remedy where
 * they apply. Any error that is not a DomainError or ConnectError becomes INTERNAL with the original as `cause`, which is for
 * the log and never sent.
 */
export function toConnectError(error: unknown, callId: string): ConnectError {
  if (error instanceof DomainError) return fromDomainError(error, codeOf(error.reason), callId);
  if (error instanceof ConnectError) return fromConnectError(error, callId);
  return fromDomainError(
    new DomainError("INTERNAL", {}, { message: "internal error", cause: error }),
    Code.Internal,
    callId,
  );
}

/** An error of a protocol's own code where the reason's usual one does not fit, such as an unknown compression. */
export function protocolError(
  code: Code,
  reason: ErrorReason,
  message: string,
  metadata: Readonly<Record<string, string>> = {},
): ConnectError {
  const error = new DomainError(reason, metadata, { message });
  return new ConnectError(message, code, undefined, detailsOf(error, ""), error);
}

/** The name of how a call ended: `ok`, or the code of its error. */
export function codeName(error: ConnectError | undefined): string {
  return error === undefined ? "ok" : codeToString(error.code);
}

/** The reason that an error carries, for the log. */
export function reasonOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema)[0]?.reason;
}

/** Which limit a refusal of RATE_LIMITED is of. */
export function limitScopeOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema)[0]?.metadata.scope;
}

/** The system of a protocol as OpenTelemetry names it. */
export function systemOf(protocol: string): "connectrpc" | "grpc" {
  return protocol === "connect" ? "connectrpc" : "grpc";
}

/**
 * The status code of a call as OpenTelemetry spells it: of gRPC as its specification does, of Connect as its JSON does. Empty where
 * a call of Connect succeeded, which has none.
 */
export function statusCodeOf(protocol: string, error: ConnectError | undefined): string {
  if (protocol === "connect") return error === undefined ? "" : codeToString(error.code);
  // gRPC has two letters L in it.
  if (error?.code === Code.Canceled) return "CANCELLED";
  return error === undefined ? "OK" : codeToString(error.code).toUpperCase();
}

/** Whole seconds for the Retry-After header; undefined if the error does not say when to try again. */
export function retryAfterSeconds(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? undefined : Number(delay.seconds) + (delay.nanos > 0 ? 1 : 0);
}

function fromDomainError(error: DomainError, code: Code, callId: string): ConnectError {
  return new ConnectError(clip(error.message), code, undefined, detailsOf(error, callId), error.cause);
}

function fromConnectError(error: ConnectError, callId: string): ConnectError {
  if (reasonOf(error) !== undefined) return error;
  const reason = reasonOfCode(error.code);
  if (reason === "INTERNAL") return toConnectError(error.cause ?? new Error(error.message), callId);
  const info = new DomainError(reason, {}, { message: error.rawMessage });
  const sent = new ConnectError(
    clip(error.rawMessage),
    error.code,
    error.metadata,
    detailsOf(info, callId),
    error.cause,
  );
  sent.details.push(...error.details);
  return sent;
}

/** The reason of an error that Connect itself raised while it read or cut off a request. */
function reasonOfCode(code: Code): ErrorReason {
  switch (code) {
    case Code.Canceled:
    case Code.Aborted:
      return "REQUEST_CANCELED";
    case Code.DeadlineExceeded:
      return "REQUEST_TIMEOUT";
    case Code.ResourceExhausted:
      return "REQUEST_TOO_LARGE";
    case Code.InvalidArgument:
      return "REQUEST_MALFORMED";
    case Code.Unimplemented:
    case Code.NotFound:
      return "METHOD_UNKNOWN";
    case Code.Unavailable:
      return "DATABASE_UNAVAILABLE";
    default:
      return "INTERNAL";
  }
}

function detailsOf(error: DomainError, callId: string): OutgoingDetails {
  const { reason, violations } = error;
  const retryAfterMs = error.retryAfterMs ?? defaultRetryAfterMs[reason];
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(error.metadata)) metadata[key] = clip(value);
  if (reason === "INTERNAL") metadata.requestId = callId;

  const details: OutgoingDetails = [
    { desc: ErrorInfoSchema, value: { reason, domain: errorDomain, metadata } },
  ];
  if (violations.length > 0) {
    const fieldViolations = violations.slice(0, maxViolations).map(toFieldViolation);
    details.push({ desc: BadRequestSchema, value: { fieldViolations } });
  }
  if (retryAfterMs !== undefined) {
    details.push({ desc: RetryInfoSchema, value: { retryDelay: toDuration(retryAfterMs) } });
  }
  const { remedy, user } = errorTexts[reason];
  if (user !== undefined) details.push({ desc: UserMessageSchema, value: toUserMessage(user, metadata) });
  if (remedy !== "") details.push({ desc: RemedySchema, value: { description: remedy } });
  return details;
}

type OutgoingDetails = NonNullable<ConstructorParameters<typeof ConnectError>[3]>;

function toFieldViolation({ field, description, reason }: FieldViolation) {
  return { field: clip(field), description: clip(description), reason };
}

function toUserMessage({ id, text }: UserSentence, metadata: Readonly<Record<string, string>>) {
  const context: Record<string, string> = {};
  const filled = text.replace(/\{(\w+)\}/g, (_, name: string) => {
    context[name] = metadata[name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase())] ?? "";
    return context[name];
  });
  return Object.keys(context).length === 0 ? { id, text } : { id, text: filled, context };
}

function toDuration(milliseconds: number) {
  const whole = Math.max(0, Math.ceil(milliseconds));
  return { seconds: BigInt(Math.floor(whole / 1000)), nanos: (whole % 1000) * 1_000_000 };
}

/**
 * Security rule (SR-INPUT-2): no half of a surrogate pair is left in the text. Neither Protobuf nor a trailer can hold one, so the error
 * could not be sent.
 */
function clip(text: string): string {
  const short = text.length <= maxTextLength ? text : `${text.slice(0, maxTextLength - 1)}\u2026`;
  return short.toWellFormed();
}
