// SPDX-License-Identifier: Apache-2.0
// The doorway of @ostiary/sdk/server: guards for services, and the helper for server-rendered apps.
export { type AccessGuard, requireAccess } from "./server/access-guard.ts";
export type { Applied, CookieTarget, NodeCookieTarget } from "./server/add-cookies.ts";
export type {
  AccessGuardOptions,
  CheckRules,
  GuardOptions,
  GuardReach,
  GuardRules,
  GuardView,
} from "./server/guard-options.ts";
export { type NodeResponse, withValidHost } from "./server/node-answer.ts";
export { type RefusalBody, type RefusalReason, SessionRefusedError } from "./server/refusal.ts";
export type { FetchRequest, NodeRequest } from "./server/request-head.ts";
export {
  createServerOstiary,
  type ServerOstiary,
  type ServerOstiaryOptions,
  type UserNodeRequest,
  type UserRequest,
} from "./server/server-ostiary.ts";
export type { SignedIn } from "./server/session-checker.ts";
export {
  type FastifyReplyLike,
  type HonoContextLike,
  type HonoVariables,
  requireSession,
  type SessionCarrier,
  type SessionGuard,
  sessionKey,
  sessionOf,
} from "./server/session-guard.ts";
export type { Span } from "./server/span.ts";
export {
  createSessionVerifier,
  type SessionVerifier,
  type SessionVerifierOptions,
} from "./server/verifier/session-verifier.ts";
