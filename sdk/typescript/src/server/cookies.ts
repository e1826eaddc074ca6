// SPDX-License-Identifier: Apache-2.0

/** The name of Ostiary's session cookie without its prefix, unless the server's `session.cookie.name` is another. */
const defaultCookieName = "ostiary_session";

/** A Cookie header beyond this is not looked at: node:http takes 16 KiB of headers, Ostiary 32 KiB. */
const longestHeader = 32 * 1024;

/** Checks the option `cookieName`, and gives its default. Throws a TypeError for what the server would not take. */
export function cookieNameOf(option: string | undefined): string {
  const name = option ?? defaultCookieName;
  if (typeof name === "string" && /^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name)) return name;
  throw new TypeError(
    `cookieName must be the server's session.cookie.name, without __Host- or __Secure-: ${String(name)}`,
  );
}

/** The names of the session cookie: of one host, of a domain, and over http. */
export function sessionCookieNames(cookieName: string) {
  return { host: `__Host-${cookieName}`, domain: `__Secure-${cookieName}`, plain: cookieName };
}

/**
 * All cookies that are Ostiary's: of the session, of the browser that flows are bound to, of known devices, and of the provider that
 * was used last.
 */
export function ownCookieNames(cookieName: string): readonly string[] {
  const base = cookieName.replace(/_session$/, "");
  return [cookieName, `${base}_browser`, `${base}_device`, `${base}_provider`].flatMap((name) =>
    Object.values(sessionCookieNames(name)),
  );
}

/**
 * The distinct values of some cookies of a Cookie header, in their order, at most `most` of each name. Nothing of a header
 * of more than 32 KiB.
 *
 * Security: the header is a stranger's, and is read before any credential is. So it is read once, from its start to its
 * end; only the wanted names are kept, and few values of them.
 *
 * Security: only the space and the tab of RFC 6265 are taken off a name. `trim` takes off more, for example U+00A0, and
 * a browser lets any page of a sibling host set "\u00a0__Host-ostiary_session", which has no prefix to it.
 */
export function cookieValues(
  header: string | undefined,
  names: readonly string[],
  most: number,
): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, string[]>();
  if (header === undefined || header.length > longestHeader) return found;
  if (!names.some((name) => header.includes(name))) return found;
  for (const pair of header.split(";")) {
    const equals = pair.indexOf("=");
    const name = equals < 0 ? "" : withoutBlanks(pair.slice(0, equals));
    if (!names.includes(name)) continue;
    const value = withoutBlanks(pair.slice(equals + 1));
    const values = found.get(name) ?? [];
    if (values.length < most && !values.includes(value)) found.set(name, [...values, value]);
  }
  return found;
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
