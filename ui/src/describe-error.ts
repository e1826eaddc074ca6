import { reasonOf, retryAfterOf, userMessageOf } from "@ostiary/sdk";
import { fillIn, translator } from "@ostiary/sdk/form";
import type { Words } from "./language/words.ts";

/** What to tell a person about a call that was refused, or that never arrived. */
export function describeError(error: unknown, words: Words): string {
  // fetch says that it reached nobody with a TypeError, which Connect wraps.
  if (reasonOf(error) === undefined && isOffline(error)) return words.cannotReach;
  const message = userMessageOf(error);
  const text = message === undefined ? words.unknownError : translator(words.messages)(message);
  const retryAfterMs = retryAfterOf(error);
  if (retryAfterMs === undefined) return text;
  const again = fillIn(words.tryAgainIn, { time: describeSpan(retryAfterMs, words.tag) });
  return `${text} ${again}`;
}

function isOffline(error: unknown): boolean {
  return error instanceof Error && (error instanceof TypeError || error.cause instanceof TypeError);
}

function describeSpan(milliseconds: number, tag: string): string {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  const [count, unit] = seconds < 90 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  return new Intl.NumberFormat(tag, { style: "unit", unit, unitDisplay: "long" }).format(count);
}
