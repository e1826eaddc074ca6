import type { ResponseHeaders } from "./exchange.ts";

/**
 * The headers of every answer. Answers hold secrets and personal data, so nothing may keep them; they are data, so
 * no browser may guess that they are a page, frame them, or send their address on.
 */
export function baseHeaders(requestId: string, https: boolean): ResponseHeaders {
  const headers: ResponseHeaders = {
    "x-request-id": requestId,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  };
  // Where https is promised by `public_url` or used on the wire, browsers shall not try anything else for a year.
  if (https) headers["strict-transport-security"] = "max-age=31536000";
  return headers;
}
