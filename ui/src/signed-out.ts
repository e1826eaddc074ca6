import { reasonOf, userMessageOf } from "@ostiary/sdk";
import { redirect, sessionsRemoved } from "./navigation.ts";

/** Whether a call was refused because nobody is signed in, or not any more. */
export function isSignedOut(error: unknown): boolean {
  return reasonOf(error)?.startsWith("SESSION_") ?? false;
}

/**
 * To the login of somebody whose call was refused so. Why is only said where signing in again could seem in vain, and to those who were
 * `interrupted`.
 */
export function goToLogin(error: unknown, { interrupted = false } = {}): void {
  const removed = userMessageOf(error)?.id === sessionsRemoved;
  if (removed) redirect("login", undefined, { signedOutBy: sessionsRemoved });
  else redirect("login", undefined, interrupted ? { interrupted } : {});
}
