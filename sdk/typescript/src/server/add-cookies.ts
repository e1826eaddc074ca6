// SPDX-License-Identifier: Apache-2.0

/** The part of node:http's `ServerResponse`, and so of Express' response, that takes cookies. */
export interface NodeCookieTarget {
  appendHeader(name: string, value: string): unknown;
  setHeader?(name: string, value: string): unknown;
  getHeader?(name: string): unknown;
  removeHeader?(name: string): unknown;
  getHeaderNames?(): readonly string[];
}

/** What cookies can be added to: `Headers`, a `Response`, or a response of node:http or Express. */
export type CookieTarget = Headers | { readonly headers: Headers } | NodeCookieTarget;

const uncached = "private, no-store";

/** What an answer is once cookies were added: a Response may have become another one. */
export type Applied<Target extends CookieTarget> = Target extends Response ? Response : Target;

/** Headers that tell some caches something else than Cache-Control tells the others (RFC 9213; Akamai, Fastly, nginx). */
const ofSomeCaches = /cdn-cache-control$|^surrogate-control$|^edge-control$|^x-accel-expires$/i;

/**
 * Adds Set-Cookie headers to an answer and gives the answer to send: the same one, or a copy of a Response whose headers
 * cannot be changed, such as `Response.redirect(…)`.
 *
 * Security rule (SR-SDK-6): an answer with somebody's cookie must be kept by no cache, which would hand their session to the next
 * one who asks. So what the answer said of caching gives way to `private, no-store`.
 */
export function addCookies(target: CookieTarget, cookies: readonly string[]): CookieTarget {
  if (cookies.length === 0) return target;
  if ("appendHeader" in target) {
    addToNode(target, cookies);
    return target;
  }
  const headers = "headers" in target ? target.headers : target;
  try {
    addToHeaders(headers, cookies);
    return target;
  } catch (error) {
    if (!(target instanceof Response)) throw error;
    const copy = new Response(target.body, target);
    addToHeaders(copy.headers, cookies);
    return copy;
  }
}

function addToHeaders(headers: Headers, cookies: readonly string[]): void {
  for (const cookie of cookies) headers.append("set-cookie", cookie);
  if (!isUncached(headers.get("cache-control") ?? "")) headers.set("cache-control", uncached);
  for (const name of [...headers.keys()]) if (ofSomeCaches.test(name)) headers.delete(name);
}

function addToNode(target: NodeCookieTarget, cookies: readonly string[]): void {
  for (const cookie of cookies) target.appendHeader("set-cookie", cookie);
  if (!isUncached([target.getHeader?.("cache-control") ?? ""].flat().join(","))) {
    // Where nothing can be replaced, the stricter of two directives counts (RFC 9111, section 4.2.1).
    if (target.setHeader === undefined) target.appendHeader("cache-control", uncached);
    else target.setHeader("cache-control", uncached);
  }
  for (const name of target.getHeaderNames?.() ?? []) {
    if (ofSomeCaches.test(name)) target.removeHeader?.(name);
  }
}

function isUncached(cacheControl: string): boolean {
  return cacheControl.split(",").some((directive) => directive.trim().toLowerCase() === "no-store");
}
