// SPDX-License-Identifier: Apache-2.0
import type { RequestHead } from "./request-head.ts";

/** What a request shows to say whose it is. */
export type Credential =
  | { readonly kind: "bearer" | "cookie"; readonly text: string }
  /** There is a credential, but no session token can look like it. */
  | { readonly kind: "malformed" }
  /** There is none. `ignoredCookie` names a session cookie that does not count here. */
  | { readonly kind: "missing"; readonly ignoredCookie: string | undefined };

/** The names of Ostiary's session cookie: a browser takes the first two from https pages only. */
const prefixedNames = ["__Host-ostiary_session", "__Secure-ostiary_session"];
const plainName = "ostiary_session";

/** The longest token that the contract takes. */
const longestToken = 512;

/**
 * The credential of a request. A bearer token wins over a cookie, and a broken one does not fall back to it.
 *
 * Security: the cookie without a prefix counts on loopback hosts over http only, unless `cookieNames` lists it. On
 * a real site any sibling host could set it and so sign its visitors in as somebody else. Headers that name another
 * host, or https, show such a site behind a proxy; a proxy that hides both needs `cookieNames`.
 */
export function credentialOf(head: RequestHead, cookieNames: readonly string[] | undefined): Credential {
  const authorization = head.header("authorization");
  if (authorization !== undefined && /^bearer(\s|$)/i.test(authorization)) {
    return tokenOf("bearer", authorization.slice("bearer".length).trim());
  }
  const cookies = parseCookies(head.header("cookie"));
  const plainCounts = !head.https && hostsOf(head).every(isLoopback);
  const names = cookieNames ?? (plainCounts ? [...prefixedNames, plainName] : prefixedNames);
  for (const name of names) {
    const [value, ...others] = new Set(cookies.get(name));
    // Security: which of two different ones came first was up to whoever planted the other, so neither counts.
    if (value !== undefined) return others.length === 0 ? tokenOf("cookie", value) : { kind: "malformed" };
  }
  return { kind: "missing", ignoredCookie: [plainName, ...prefixedNames].find((name) => cookies.has(name)) };
}

/**
 * The cookies of a Cookie header, as they were sent: a name may have several values.
 *
 * Security: only the space and the tab of RFC 6265 are taken off a name. `trim` takes off more, for example U+00A0, and
 * a browser lets any page of a sibling host set "\u00a0__Host-ostiary_session", which has no prefix to it.
 */
export function parseCookies(header: string | undefined): Map<string, string[]> {
  const cookies = new Map<string, string[]>();
  for (const pair of header?.split(";") ?? []) {
    const at = pair.indexOf("=");
    if (at < 1) continue;
    const name = withoutBlanks(pair.slice(0, at));
    const value = withoutBlanks(pair.slice(at + 1));
    cookies.set(name, [...(cookies.get(name) ?? []), value]);
  }
  return cookies;
}

function tokenOf(kind: "bearer" | "cookie", text: string): Credential {
  const possible = text.length <= longestToken && /^[\x21-\x7e]+$/.test(text);
  return possible ? { kind, text } : { kind: "malformed" };
}

/** By hand: an expression that looks for blanks at the end takes quadratic time for blanks elsewhere. */
function withoutBlanks(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text.charAt(start))) start += 1;
  while (end > start && isBlank(text.charAt(end - 1))) end -= 1;
  return text.slice(start, end);
}

function isBlank(character: string): boolean {
  return character === " " || character === "\t";
}

/** Every host that the request is said to be for: a proxy may have put its own name for the app into Host. */
function hostsOf(head: RequestHead): readonly string[] {
  const forwarded = head.header("x-forwarded-host")?.split(",") ?? [];
  const origin = head.header("origin")?.replace(/^https?:\/\//, "");
  return [head.host, ...forwarded.map(withoutBlanks), ...(origin === undefined ? [] : [origin])];
}

function isLoopback(host: string): boolean {
  if (!URL.canParse(`http://${host}`)) return false;
  return /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/.test(new URL(`http://${host}`).hostname);
}
