// SPDX-License-Identifier: Apache-2.0
import { cookieValues, ownCookieNames } from "./cookies.ts";

/** Ostiary looks at four values of a name. It must see that there were more. */
const mostValues = 5;

/**
 * Ostiary's cookies during one request of a user: those that the browser sent, changed by those that Ostiary set
 * since. So a call after a login within the same request has the new session already.
 */
export class CookieJar {
  readonly #cookies: Map<string, readonly string[]>;
  readonly #headers = new Map<string, string>();
  readonly #ownNames: readonly string[];

  /**
   * From the Cookie header of the user's request; the cookies of others are left out. `cookieName` is the server's
   * `session.cookie.name`, which its other cookies are named after.
   */
  constructor(header: string | undefined, cookieName: string) {
    this.#ownNames = ownCookieNames(cookieName);
    this.#cookies = new Map(cookieValues(header, this.#ownNames, mostValues));
  }

  /** The Cookie header to send; undefined if there is nothing to send. */
  get header(): string | undefined {
    if (this.#cookies.size === 0) return undefined;
    // Several values of one name go on as they came: Ostiary decides which of them counts.
    return [...this.#cookies]
      .flatMap(([name, values]) => values.map((value) => `${name}=${value}`))
      .join("; ");
  }

  /** The Set-Cookie headers for the browser. Of several that set one cookie only the last is kept. */
  get setCookies(): readonly string[] {
    return [...this.#headers.values()];
  }

  /** Takes in the Set-Cookie headers of a response. */
  accept(headers: Headers): void {
    for (const header of headers.getSetCookie()) {
      const [pair = "", ...attributes] = header.split(";").map((part) => part.trim());
      const at = pair.indexOf("=");
      const name = pair.slice(0, at).trim();
      if (at < 1 || !this.#ownNames.includes(name)) continue;
      // With another domain or path it is another cookie to the browser.
      const scope = attributes.filter((attribute) => /^(domain|path)=/i.test(attribute)).sort();
      this.#headers.set([name, ...scope].join(";").toLowerCase(), header);
      if (isGone(attributes)) this.#cookies.delete(name);
      else this.#cookies.set(name, [pair.slice(at + 1).trim()]);
    }
  }
}

function isGone(attributes: readonly string[]): boolean {
  const maxAge = attributes.find((attribute) => /^max-age=/i.test(attribute));
  // Max-Age has precedence over Expires: RFC 6265, section 5.3, step 3.
  if (maxAge !== undefined) return Number(maxAge.slice("max-age=".length)) <= 0;
  const expires = attributes.find((attribute) => /^expires=/i.test(attribute));
  return expires !== undefined && Date.parse(expires.slice("expires=".length)) <= Date.now();
}
