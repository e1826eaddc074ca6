import { domainError } from "../../domain/errors.ts";
import type { ShownCredential } from "../../domain/forward-auth/forward-auth.ts";
import { mostSessionCookies } from "../../domain/session/shown-cookies.ts";
import type { Tenant } from "../../domain/tenant/tenant.ts";
import type { Exchange } from "../net/exchange.ts";
import { shownSessionCookies } from "../net/session-cookies.ts";
import { bearerOf } from "./access.ts";

/** Headers of a request, which may be another one than the call's own. */
export type HeaderSource = Pick<Exchange, "header" | "headerCount">;

/**
 * The session credential that headers show: a bearer token wins over cookies, as everywhere. Throws SESSION_TOKEN_MALFORMED or
 * SESSION_COOKIE_AMBIGUOUS where none can be read.
 */
export function shownCredential(headers: HeaderSource, tenant: Tenant): ShownCredential {
  const bearer = bearerOf(headers);
  if (bearer.kind === "malformed")
    throw domainError("SESSION_TOKEN_MALFORMED", {}, { message: bearer.message });
  if (bearer.kind === "token") return { kind: "session", text: bearer.text };
  const { own } = shownSessionCookies(headers.header("cookie"), tenant, mostSessionCookies);
  // Security rule (SR-COOKIE-1): with more values than are looked up, none is.
  if (own.length > mostSessionCookies) throw domainError("SESSION_COOKIE_AMBIGUOUS", {});
  return own.length === 0 ? undefined : { kind: "session_cookies", values: own };
}

/**
 * Whether a person waits for a page: browsers say so (Fetch Metadata), and older ones and other programs by what they accept. A form that was sent is
 * no such request: what it held would be lost on the way.
 */
export function isNavigation(method: string, headers: Pick<HeaderSource, "header">): boolean {
  if (method !== "GET" && method !== "HEAD") return false;
  const mode = headers.header("sec-fetch-mode");
  return mode === undefined ? /\btext\/html\b/.test(headers.header("accept") ?? "") : mode === "navigate";
}

/** The header by which an application learns who it is: a signed token, and nothing that a client could write as well. */
export const tokenHeader = "ostiary-session-token";
