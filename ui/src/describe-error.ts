import { reasonOf } from "@ostiary/sdk";
import { describeFailure, optionsIn } from "@ostiary/sdk/form";
import type { Words } from "./language/words.ts";

/** What to tell a person about a call that was refused, or that never arrived. `waitMs`: how long they are to wait. */
export function describeError(error: unknown, words: Words, waitMs?: number): string {
  if (reasonOf(error) === undefined) {
    // fetch says that it reached nobody with a TypeError, which Connect wraps.
    if (isOffline(error)) return words.cannotReach;
    if (isUnanswered(error)) return words.meanwhile.tooSlow;
  }
  const options = optionsIn(words, words.locale);
  return waitMs === undefined ? describeFailure(error, options) : describeFailure(error, options, waitMs);
}

/** What a page can offer to somebody whose call was refused. */
export type Way =
  | "signIn"
  /** With a fresh flow, without what was refused. */
  | "startAgain"
  /** The same once more. */
  | "tryAgain"
  /** To the account, or the login. */
  | "goOn"
  /** The server then answers with a page of its own, which helps. */
  | "reload";

/** What leads on from an error, the likeliest first. There is always one. */
export function waysOn(error: unknown): readonly [Way, ...Way[]] {
  const reason = reasonOf(error) ?? "";
  if (reason.startsWith("SESSION_")) return ["signIn"];
  return ways.get(reason) ?? ["tryAgain"];
}

const ways: ReadonlyMap<string, readonly [Way, ...Way[]]> = new Map([
  ["LINK_INVALID", ["startAgain", "goOn"]],
  ["RETURN_TO_NOT_ALLOWED", ["startAgain"]],
  ["FLOW_NOT_FOUND", ["startAgain"]],
  ["FLOW_CLIENT_MISMATCH", ["startAgain"]],
  ["FLOW_IDENTITY_MISMATCH", ["startAgain"]],
  ["FLOW_COMPLETED", ["goOn", "startAgain"]],
  ["OAUTH2_CHALLENGE_INVALID", ["startAgain"]],
  ["INVITATION_INVALID", ["signIn", "startAgain"]],
  ["INVITATION_REQUIRED", ["signIn"]],
  ["REGISTRATION_DISABLED", ["signIn"]],
  ["RECOVERY_DISABLED", ["signIn"]],
  ["VERIFICATION_DISABLED", ["goOn"]],
  ["STEP_UP_IMPOSSIBLE", ["goOn"]],
  ["HEADERS_TOO_LARGE", ["reload"]],
  ["ORIGIN_NOT_ALLOWED", ["reload"]],
  ["CSRF_TOKEN_MISSING", ["reload"]],
  ["CSRF_TOKEN_INVALID", ["reload"]],
  ["PAGE_TOKEN_INVALID", ["reload"]],
] as const);

/** Whether nobody knows if the server has done what it was asked: no answer came. */
export function isAnswerLost(error: unknown): boolean {
  return reasonOf(error) === undefined && (isOffline(error) || isUnanswered(error));
}

function isOffline(error: unknown): boolean {
  return error instanceof Error && (error instanceof TypeError || error.cause instanceof TypeError);
}

/** Whether a time is over, or a proxy has answered in the place of the server: Connect's codes for that. */
function isUnanswered(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === deadlineExceeded || code === unavailable;
}

const deadlineExceeded = 4;
const unavailable = 14;
