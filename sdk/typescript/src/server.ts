// SPDX-License-Identifier: Apache-2.0
// The doorway of @ostiary/sdk/server: guards for services, and the helper for server-rendered apps.
export { type RefusalBody, type RefusalReason, SessionRefusedError } from "./server/refusal.ts";
export type { FetchRequest, NodeRequest } from "./server/request-head.ts";
export {
  createServerOstiary,
  type NodeCookieTarget,
  type ServerOstiary,
  type ServerOstiaryOptions,
} from "./server/server-ostiary.ts";
export type { GuardOptions, GuardRules, GuardView, SignedIn } from "./server/session-checker.ts";
export {
  type FastifyReplyLike,
  type HonoContextLike,
  type HonoVariables,
  type NodeResponse,
  requireSession,
  type SessionGuard,
  sessionKey,
  sessionOf,
} from "./server/session-guard.ts";
export type { Span } from "./server/span.ts";
