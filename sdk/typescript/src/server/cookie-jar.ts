// SPDX-License-Identifier: Apache-2.0
import { parseCookies } from "./credential.ts";

/** The cookies that are Ostiary's, and so all of a user's cookies that Ostiary has any business with. */
const ownName = /^(?:__Host-|__Secure-)?ostiary_/;

/**
 * Ostiary's cookies during one request of a user: those that the browser sent, changed by those that Ostiary set
 * since. So a call after a login within the same request has the new session already.
 */
export class CookieJar {
  readonly #cookies: Map<string, readonly string[]>;
  readonly #headers = new Map<string, string>();

  /** From the Cookie header of the user's request; the cookies of others are left out. */
  constructor(header: string | undefined) {
    this.#cookies = new Map([...parseCookies(header)].filter(([name]) => ownName.test(name)));
  }

  /** The Cookie header to send; undefined if there is nothing to send. */
  get header(): string | undefined {
    if (this.#cookies.size === 0) return undefined;
    // Several values of one name go on as they came: Ostiary refuses them, and must see that there were several.
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
      if (at < 1 || !ownName.test(name)) continue;
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
