import { reasonOf } from "@ostiary/sdk";
import { describeFailure, optionsIn } from "@ostiary/sdk/form";
import type { Words } from "./language/words.ts";

/** What to tell a person about a call that was refused, or that never arrived. */
export function describeError(error: unknown, words: Words): string {
  // fetch says that it reached nobody with a TypeError, which Connect wraps.
  if (reasonOf(error) === undefined && isOffline(error)) return words.cannotReach;
  return describeFailure(error, optionsIn(words, words.locale));
}

function isOffline(error: unknown): boolean {
  return error instanceof Error && (error instanceof TypeError || error.cause instanceof TypeError);
}
