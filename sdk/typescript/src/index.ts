// SPDX-License-Identifier: Apache-2.0
// The doorway of @ostiary/sdk: clients, errors and forms. Guards and helpers for servers are in ./server, the
// generated types in ./v1/….
export { createOstiaryAdmin, type OstiaryAdmin, type OstiaryAdminOptions } from "./admin.ts";
export { createOstiary, type Ostiary, type OstiaryOptions } from "./client.ts";
export {
  type ErrorReasonName,
  type FieldViolation,
  type FieldViolationReasonName,
  fieldViolationsOf,
  isErrorReason,
  metadataOf,
  reasonOf,
  remedyOf,
  retryAfterOf,
  userMessageOf,
} from "./errors.ts";
export { type FormValues, formDataToValues } from "./form-data.ts";
export { textOf } from "./form-value.ts";
export { type IssueTokensOptions, issueTokens } from "./issue-tokens.ts";
export type { NumberedMessage } from "./numbered-message.ts";
export type { IdentityIds, SendMessageResult, SendMessages, SendMessagesOptions } from "./send-messages.ts";
export {
  type ByIdToken,
  type InBrowser,
  providersOf,
  type SignInWithOptions,
  signInWith,
} from "./sign-in-with.ts";
export { stepUp } from "./step-up.ts";
export { type SubmitOptions, type SubmitOutcome, submit } from "./submit.ts";
export { getTenantProfile } from "./tenant-profile.ts";
export type { Reach, ReachByAddress, ReachByTransport, TokenSource } from "./transport.ts";
