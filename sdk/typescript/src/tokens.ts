// SPDX-License-Identifier: Apache-2.0
// The doorway of @ostiary/sdk/tokens: for services that check signed tokens (IssueToken) by themselves, on Node and on edge runtimes. It alone
// needs jose.
export { type RefusalBody, type RefusalReason, SessionRefusedError } from "./server/refusal.ts";
export type { FetchRequest, NodeRequest } from "./server/request-head.ts";
export type { Span } from "./server/span.ts";
export {
  createTokenVerifier,
  type TokenVerifier,
  type TokenVerifierOptions,
  type VerifiedToken,
} from "./tokens/token-verifier.ts";
