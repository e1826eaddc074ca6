/** What a login request of the OAuth2 server comes to, by the session that the browser has. */
import type { LoginDenial, OAuth2LoginRequest } from "../../oauth2/oauth2-server.ts";
import type { Session } from "../../session/session.ts";

/** What comes of a login request. */
export type RequestDecision =
  /** The session is enough. */
  | { readonly kind: "accept" }
  /** Somebody signs in. */
  | { readonly kind: "sign_in" }
  /** The holder of the session shows again who they are, from the start, to this level if one is asked for. */
  | { readonly kind: "refresh" }
  /** The holder of the session shows a second factor. */
  | { readonly kind: "step_up" }
  /** A form is needed, and none may be shown. */
  | { readonly kind: "deny"; readonly error: LoginDenial };

/**
 * Decides about a login request. `shown`: the session that the browser has.
 *
 * Security rule (SR-OAUTH-3): what the OAuth2 server remembers (`skip`) is worth nothing without a session here that is still active and
 * of the same account.
 */
export function decide(
  request: Pick<OAuth2LoginRequest, "subject" | "prompts" | "maxAgeMs" | "level">,
  shown: Pick<Session, "identityId" | "authenticatedAt" | "assuranceLevel"> | undefined,
  now: Date,
): RequestDecision {
  const { subject, prompts, maxAgeMs, level } = request;
  const isSilent = prompts.includes("none");
  const isOwn = shown !== undefined && (subject === undefined || shown.identityId === subject);
  if (!isOwn) return isSilent ? { kind: "deny", error: "login_required" } : { kind: "sign_in" };
  // OpenID Connect Core 1.0, section 3.1.2.1: with `none` there is no other value.
  if (!isSilent && prompts.includes("select_account")) return { kind: "sign_in" };
  if (prompts.includes("login") || isTooOld(shown, maxAgeMs, now)) {
    return isSilent ? { kind: "deny", error: "login_required" } : { kind: "refresh" };
  }
  if (level === "aal2" && shown.assuranceLevel !== "aal2") {
    return isSilent ? { kind: "deny", error: "interaction_required" } : { kind: "step_up" };
  }
  return { kind: "accept" };
}

/** Whether the holder of a session has shown who they are longer ago than a request allows. */
export function isTooOld(
  { authenticatedAt }: Pick<Session, "authenticatedAt">,
  maxAgeMs: number | undefined,
  now: Date,
): boolean {
  return maxAgeMs !== undefined && now.getTime() - authenticatedAt.getTime() > maxAgeMs;
}
