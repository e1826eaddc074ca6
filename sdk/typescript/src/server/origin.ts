// SPDX-License-Identifier: Apache-2.0
import type { RequestHead } from "./request-head.ts";

/**
 * Whether a request that a cookie authenticates comes from a page that may make it. Browsers send cookies with
 * requests that any page has started, so what changes something must come from the same origin or a listed one.
 *
 * As in Go's http.CrossOriginProtection: methods without effects pass; `Sec-Fetch-Site`, which no page can forge,
 * decides where there is one; else `Origin` must name the host that the request was sent to. A request with neither
 * was not made by a current browser, so no page has started it. A WebSocket begins with a GET that does have
 * effects, and is not held by CORS, so it is checked as well.
 */
export function comesFromAllowedOrigin(head: RequestHead, allowedOrigins: ReadonlySet<string>): boolean {
  return isSafe(head) || isStartedByAllowedPage(head, allowedOrigins);
}

/** The same for a request that changes something, whatever its method. */
export function isStartedByAllowedPage(head: RequestHead, allowedOrigins: ReadonlySet<string>): boolean {
  const origin = head.header("origin");
  if (origin !== undefined && allowedOrigins.has(origin)) return true;
  const site = head.header("sec-fetch-site");
  if (site !== undefined) return site === "same-origin" || site === "none";
  return origin === undefined || sameHost(origin, head.host);
}

/** The origins as browsers write them. Throws a TypeError for anything that is not an origin alone. */
export function originSet(origins: readonly string[]): ReadonlySet<string> {
  if (!Array.isArray(origins)) throw new TypeError("allowedOrigins must be a list of origins");
  for (const origin of origins) {
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new TypeError(`allowedOrigins: "${origin}" is not an origin such as "https://app.example.com"`);
    }
  }
  return new Set(origins);
}

function isSafe(head: RequestHead): boolean {
  return /^(GET|HEAD|OPTIONS)$/i.test(head.method) && !/\bwebsocket\b/i.test(head.header("upgrade") ?? "");
}

function sameHost(origin: string, host: string): boolean {
  // Not "null", which is every sandboxed frame and every page from a file.
  if (host === "" || !URL.canParse(origin)) return false;
  const { protocol, host: originHost } = new URL(origin);
  // Parsed with the origin's scheme, so that a default port that is written out makes no difference.
  return (
    originHost !== "" &&
    URL.canParse(`${protocol}//${host}`) &&
    new URL(`${protocol}//${host}`).host === originHost
  );
}
