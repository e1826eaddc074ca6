import type { Tenant } from "../../domain/tenant/tenant.ts";

const browserCookieMaxAgeSeconds = 365 * 24 * 60 * 60;

/**
 * The name of the session cookie. `__Host-` where only the host of `public_url` gets it: a browser takes such a
 * cookie from that host alone, so no sibling host can plant one (RFC 6265bis, section 4.1.3). With a configured
 * domain that promise cannot be made, and it is `__Secure-`. Over http no prefix is possible.
 */
export function sessionCookieName(tenant: Tenant): string {
  if (!isHttps(tenant)) return "ostiary_session";
  const { domain } = tenant.settings.session.cookie;
  return domain === undefined ? "__Host-ostiary_session" : "__Secure-ostiary_session";
}

/** The name of the cookie that binds browser flows to a browser. It is never shared with sibling hosts. */
export function browserCookieName(tenant: Tenant): string {
  return isHttps(tenant) ? "__Host-ostiary_browser" : "ostiary_browser";
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

/** The Set-Cookie header that removes the session cookie. */
export function clearSessionCookie(tenant: Tenant): string {
  return cookie(tenant, sessionCookieName(tenant), "", tenant.settings.session.cookie.domain, 0);
}

/** The Set-Cookie header of the cookie that browser flows are bound to. It lasts a year. */
export function browserCookie(tenant: Tenant, value: string): string {
  return cookie(tenant, browserCookieName(tenant), value, undefined, browserCookieMaxAgeSeconds);
}

/** The name of the cookie by which a browser is known to those who signed in on it. Never shared with sibling hosts. */
export function deviceCookieName(tenant: Tenant): string {
  return isHttps(tenant) ? "__Host-ostiary_device" : "ostiary_device";
}

/** The Set-Cookie header of the device cookie. It lasts as long as the device is known. */
export function deviceCookie(tenant: Tenant, value: string): string {
  const seconds = Math.floor(tenant.settings.throttle.deviceLifetimeMs / 1000);
  return cookie(tenant, deviceCookieName(tenant), value, undefined, seconds);
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
 * Finds a cookie in a Cookie header. Names are compared exactly; values are taken as they are, without decoding,
 * because ours never need it.
 *
 * Security rule: a cookie that is there twice with different values is nobody's. Which of the two comes first is
 * up to whoever could plant one from a sibling host or a longer path (cookie tossing), so neither is believed.
 *
 * Security rule: only the space and the tab of RFC 6265 are taken off a name. `trim` takes off more, for example U+00A0,
 * and a browser lets any sibling host set "\u00a0__Host-ostiary_session", which has no prefix to it.
 */
export function findCookie(header: string | undefined, name: string): CookieValue {
  if (header === undefined || !header.includes(name)) return absent;
  let found: string | undefined;
  for (const pair of header.split(";")) {
    const equals = pair.indexOf("=");
    if (equals < 0 || withoutBlanks(pair.slice(0, equals)) !== name) continue;
    const value = unquote(withoutBlanks(pair.slice(equals + 1)));
    if (found !== undefined && found !== value) return ambiguous;
    found = value;
  }
  return found === undefined ? absent : { kind: "value", value: found };
}

/** Whether the tenant is reached over https. It follows from `public_url`, never from a header. */
export function isHttps(tenant: Tenant): boolean {
  return tenant.settings.publicUrl.startsWith("https:");
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

function unquote(value: string): string {
  return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
}
