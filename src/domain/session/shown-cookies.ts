import { type DomainError, domainError } from "../errors.ts";
import type { IdentityId } from "../ids.ts";
import type { ReadSession } from "./session-reader.ts";

/** The most distinct values of the session cookie that are looked up. With more, none is. */
export const mostSessionCookies = 4;

/** A value of the session cookie, looked up. */
export type ShownCookie =
  | ({ readonly kind: "live"; readonly value: string } & ReadSession)
  | {
      readonly kind: "ended";
      readonly identityId: IdentityId;
      readonly error: DomainError;
      /** Whether it was ended a moment ago, see `mayBeReplaced`. */
      readonly justNow: boolean;
    }
  /** A well-formed value of no session that is known here: perhaps one of another deployment. */
  | { readonly kind: "unknown"; readonly error: DomainError }
  | { readonly kind: "malformed"; readonly error: DomainError };

/** The session of a browser, and what the values beside it were. */
export interface BelievedCookie {
  readonly kind: "believed";
  readonly live: Extract<ShownCookie, { kind: "live" }>;
  /** Whether one of the others was of a session of another identity. */
  readonly otherIdentity: boolean;
}

/**
 * Which of the values that a browser shows counts.
 *
 * Security rule (SR-COOKIE-1): exactly one must be of a live session. A page of a sibling host can plant values (cookie tossing), so of
 * two live ones none is believed: one of them may be that of an attacker's own account.
 */
export function believe(
  shown: readonly ShownCookie[],
): BelievedCookie | { readonly kind: "refused"; readonly error: DomainError } {
  const [live, second] = shown.filter((cookie) => cookie.kind === "live");
  if (second !== undefined) return { kind: "refused", error: domainError("SESSION_COOKIE_AMBIGUOUS", {}) };
  if (live === undefined) return { kind: "refused", error: whyNone(shown) };
  const otherIdentity = shown.some(
    (cookie) => cookie.kind === "ended" && cookie.identityId !== live.identity.id,
  );
  return { kind: "believed", live, otherIdentity };
}

/** Whether a browser keeps the cookie of these values: one of them may be another deployment's, which lives there. */
export function mayBeOfOthers(shown: readonly ShownCookie[]): boolean {
  return shown.some(({ kind }) => kind === "unknown");
}

/** For how long calls may be under way that were sent before a session ended. */
export const replacedWithinMs = 30_000;

/**
 * Whether the browser may have another cookie by now. A login ends the session of the cookie that it replaces, and a call that the browser
 * had sent before may be answered after it: the cookie that such an answer removed would be the new one.
 */
export function mayBeReplaced(shown: readonly ShownCookie[]): boolean {
  return shown.some((cookie) => cookie.kind === "ended" && cookie.justNow);
}

/** The error for several values: that of an ended session first, since it was one of ours. */
function whyNone(shown: readonly ShownCookie[]): DomainError {
  const errors = (["ended", "unknown", "malformed"] as const).flatMap((kind) =>
    shown.flatMap((cookie) => (cookie.kind === kind ? [cookie.error] : [])),
  );
  return errors[0] ?? domainError("SESSION_CREDENTIAL_MISSING", {});
}
