// SPDX-License-Identifier: Apache-2.0
import { cookieValues, sessionCookieNames } from "./cookies.ts";
import type { RequestHead } from "./request-head.ts";

/** What a request shows to say whose it is. */
export type Credential =
  | { readonly kind: "bearer"; readonly text: string }
  /** The session cookies as `name=value`, at most four: Ostiary decides which of them counts. */
  | { readonly kind: "cookie"; readonly pairs: readonly string[] }
  /** There is a credential, but no session token can look like it. */
  | { readonly kind: "malformed" }
  /** There are more cookies than Ostiary looks at. */
  | { readonly kind: "ambiguous" }
  /** There is none. `ignoredCookie` names a session cookie that does not count here. */
  | { readonly kind: "missing"; readonly ignoredCookie: string | undefined };

/** Which cookies count. */
export interface CookieRules {
  /** The server's `session.cookie.name`. */
  readonly cookieName: string;
  /** Whether the cookie without a prefix counts on every host. Undefined: in development alone. */
  readonly allowInsecureCookies: boolean | undefined;
}

/** The longest token that the contract takes. */
const longestToken = 512;
/** How many values the contract takes. */
const mostValues = 4;

/**
 * The credential of a request. A bearer token wins over a cookie, and a broken one does not fall back to it.
 *
 * Security: which cookie counts is decided by Ostiary, since it knows what it sets. All values go there with their names.
 * With more than four only that of `__Host-` does, which no other host can set.
 *
 * Security: the cookie without a prefix, which any sibling host could set, goes along only if the request was made on
 * this machine for this machine, unless `allowInsecureCookies` says otherwise. Ostiary itself takes it only where its own
 * `public_url` is http.
 */
export function credentialOf(head: RequestHead, rules: CookieRules): Credential {
  const authorization = head.header("authorization");
  if (authorization !== undefined && /^bearer(\s|$)/i.test(authorization)) {
    const text = authorization.slice("bearer".length).trim();
    return canBeToken(text) ? { kind: "bearer", text } : { kind: "malformed" };
  }
  const { host, domain, plain } = sessionCookieNames(rules.cookieName);
  const cookies = cookieValues(head.header("cookie"), [host, domain, plain], mostValues + 1);
  const names = (rules.allowInsecureCookies ?? isLocal(head)) ? [host, domain, plain] : [host, domain];
  const shown = names.filter((name) => cookies.has(name));
  if (shown.length === 0) {
    return { kind: "missing", ignoredCookie: cookies.has(plain) ? plain : undefined };
  }
  const pairsOf = (name: string) =>
    (cookies.get(name) ?? []).map((value) => ({ value, pair: `${name}=${value}` }));
  const all = shown.flatMap(pairsOf);
  const few = all.length > mostValues ? pairsOf(host) : all;
  if (few.length === 0 || few.length > mostValues) return { kind: "ambiguous" };
  // What cannot be a token is no session's, and the contract does not take it.
  const pairs = few.filter(({ value }) => canBeToken(value)).map(({ pair }) => pair);
  return pairs.length === 0 ? { kind: "malformed" } : { kind: "cookie", pairs };
}

function canBeToken(text: string): boolean {
  return text.length <= longestToken && /^[\x21-\x7e]+$/.test(text);
}

/**
 * Whether a request was made by a browser on this machine, as far as its headers tell: no proxy has passed it on, and
 * neither the host nor the page that it comes from is another machine's.
 */
function isLocal(head: RequestHead): boolean {
  if (head.https || head.forwarded) return false;
  const pages = [head.header("origin"), head.header("referer")].filter((page) => page !== undefined);
  return isLoopback(head.host) && pages.every((page) => isLoopback(hostOf(page)));
}

/** The host of an Origin or Referer; of what is none, such as `null`, a text that is no host. */
function hostOf(page: string): string {
  return URL.canParse(page) ? new URL(page).host : "";
}

function isLoopback(host: string): boolean {
  if (!URL.canParse(`http://${host}`)) return false;
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(`http://${host}`).hostname);
}
