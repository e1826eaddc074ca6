import type { ResponseHeaders } from "./exchange.ts";

/** The headers that are about one connection of HTTP/1.1 and must not be sent over HTTP/2 (RFC 9113, section 8.2.2). */
export const connectionHeaders = [
  ...["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade", "http2-settings", "te"],
] as const;

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
