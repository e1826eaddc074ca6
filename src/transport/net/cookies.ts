import type { Tenant } from "../../domain/tenant/tenant.ts";
import { isHttps } from "./headers.ts";

const yearSeconds = 365 * 24 * 60 * 60;

/**
 * The name of the session cookie. `__Host-` where only the host of `public_url` gets it: a browser takes such a
 * cookie from that host alone, so no sibling host can plant one (RFC 6265bis, section 4.1.3). With a configured
 * domain that promise cannot be made, and it is `__Secure-`. Over http no prefix is possible.
 */
export function sessionCookieName(tenant: Tenant): string {
  const { domain, name } = tenant.settings.session.cookie;
  if (!isHttps(tenant)) return name;
  return domain === undefined ? `__Host-${name}` : `__Secure-${name}`;
}

/** The name of the cookie that binds browser flows to a browser. It is never shared with sibling hosts. */
export function browserCookieName(tenant: Tenant): string {
  return hostCookieName(tenant, "browser");
}

/** The name of the cookie by which a browser is known to those who signed in on it. Never shared with sibling hosts. */
export function deviceCookieName(tenant: Tenant): string {
  return hostCookieName(tenant, "device");
}

/** The name of the cookie that says which provider a browser signed in with last. Never shared with sibling hosts. */
export function providerCookieName(tenant: Tenant): string {
  return hostCookieName(tenant, "provider");
}

/**
 * The Set-Cookie header of the session cookie. It ends with the session, or with the browser if
 * `session.cookie.persistent` is off.
 */
export function sessionCookie(
  tenant: Tenant,
  value: string,
  { now, expiresAt }: { readonly now: Date; readonly expiresAt: Date },
): string {
  const { domain, persistent } = tenant.settings.session.cookie;
  const seconds = Math.max(0, Math.floor((expiresAt.getTime() - now.getTime()) / 1000));
  return cookie(tenant, sessionCookieName(tenant), value, domain, persistent ? seconds : undefined);
}

/** The Set-Cookie header that removes the session cookie from where this server sets it. */
export function clearSessionCookie(tenant: Tenant): string {
  return cookie(tenant, sessionCookieName(tenant), "", tenant.settings.session.cookie.domain, 0);
}

/** The Set-Cookie header of the cookie that browser flows are bound to. It lasts a year. */
export function browserCookie(tenant: Tenant, value: string): string {
  return cookie(tenant, browserCookieName(tenant), value, undefined, yearSeconds);
}

/** The Set-Cookie header of the device cookie. It lasts as long as the device is known. */
export function deviceCookie(tenant: Tenant, value: string): string {
  const seconds = Math.floor(tenant.settings.throttle.deviceLifetimeMs / 1000);
  return cookie(tenant, deviceCookieName(tenant), value, undefined, seconds);
}

/** The Set-Cookie header of the cookie that holds the id of a provider, and nothing else. It lasts a year. */
export function providerCookie(tenant: Tenant, provider: string): string {
  return cookie(tenant, providerCookieName(tenant), provider, undefined, yearSeconds);
}

/** What a request says of a cookie. */
export type CookieValue =
  | { readonly kind: "absent" }
  | { readonly kind: "value"; readonly value: string }
  /** Sent more than once with different values. */
  | { readonly kind: "ambiguous" };

const absent: CookieValue = { kind: "absent" };
const ambiguous: CookieValue = { kind: "ambiguous" };

/**
 * Finds a cookie that must have one value: any but the session's.
 *
 * Security rule (SR-COOKIE-1): a cookie that is there twice with different values is nobody's. Which of the two comes first is
 * up to an attacker who plants one from a sibling host or a longer path (cookie tossing), so neither is believed.
 */
export function findCookie(header: string | undefined, name: string): CookieValue {
  const [value, ...others] = cookieValues(header, [name], 2).get(name) ?? [];
  if (value === undefined) return absent;
  return others.length === 0 ? { kind: "value", value } : ambiguous;
}

/**
 * The distinct values of some cookies in a Cookie header, in their order, at most `most` of each. Names are compared
 * exactly; values are taken as they are, without decoding, because ours never need it. One pass over the header.
 *
 * Security rule (SR-COOKIE-4): only the space and the tab of RFC 6265 are taken off a name. `trim` takes off more, for example U+00A0,
 * and a browser lets any sibling host set "\u00a0__Host-ostiary_session", which has no prefix to it.
 */
export function cookieValues(
  header: string | undefined,
  names: readonly string[],
  most: number,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  if (header === undefined || !names.some((name) => header.includes(name))) return found;
  for (const pair of header.split(";")) {
    const equals = pair.indexOf("=");
    const name = equals < 0 ? "" : withoutBlanks(pair.slice(0, equals));
    if (!names.includes(name)) continue;
    const values = found.get(name) ?? [];
    const value = cookieText(pair.slice(equals + 1));
    if (values.length < most && !values.includes(value)) found.set(name, [...values, value]);
  }
  return found;
}

/** The value of a cookie without blanks and quotes around it (RFC 6265, section 4.1.1). */
export function cookieText(text: string): string {
  const value = withoutBlanks(text);
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}

/** A cookie of the host alone: named after the session's, `acme_session` makes `acme_browser`. */
function hostCookieName(tenant: Tenant, purpose: string): string {
  const name = `${tenant.settings.session.cookie.name.replace(/_session$/, "")}_${purpose}`;
  return isHttps(tenant) ? `__Host-${name}` : name;
}

function cookie(
  tenant: Tenant,
  name: string,
  value: string,
  domain: string | undefined,
  maxAgeSeconds: number | undefined,
): string {
  let header = `${name}=${value}; Path=/; HttpOnly; SameSite=Lax`;
  if (isHttps(tenant)) header += "; Secure";
  if (domain !== undefined) header += `; Domain=${domain}`;
  if (maxAgeSeconds !== undefined) header += `; Max-Age=${maxAgeSeconds}`;
  return header;
}

/** A Cookie header without the cookies of these names. */
export function withoutCookies(header: string, names: readonly string[]): string {
  const pairs = header.split(";").map(withoutBlanks);
  return pairs.filter((pair) => !names.includes(withoutBlanks(pair.split("=", 1)[0] ?? ""))).join("; ");
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
