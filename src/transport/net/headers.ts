import { cors } from "@connectrpc/connect";
import type { Tenant, TenantSettings } from "../../domain/tenant/tenant.ts";
import type { Exchange, ResponseHeaders } from "./exchange.ts";

/** The headers that are about one connection of HTTP/1.1 and must not be sent over HTTP/2 (RFC 9113, section 8.2.2). */
export const connectionHeaders =
  "connection keep-alive proxy-connection transfer-encoding upgrade http2-settings te".split(" ");

/**
 * The headers of every answer. Answers hold secrets and personal data, so nothing may keep them; they are data, so
 * no browser may guess that they are a page, frame them, or send their address on.
 */
export function baseHeaders(callId: string, https: boolean): ResponseHeaders {
  const headers: ResponseHeaders = {
    "x-request-id": callId,
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  };
  // Where https is promised by `public_url` or used on the wire, browsers shall not try anything else for a year.
  if (https) headers["strict-transport-security"] = "max-age=31536000";
  return headers;
}

/** Whether the tenant is reached over https. It follows from `public_url`, never from a header. */
export function isHttps(tenant: Tenant): boolean {
  return tenant.settings.publicUrl.startsWith("https:");
}

/** How large the headers of a request are. */
export interface HeaderSize {
  /** The number of fields; all Cookie fields together are one. */
  readonly fields: number;
  /** The length of all names and values, and over HTTP/1.1 of the request's target, which HTTP/2 sends as one of them. */
  readonly bytes: number;
}

/** The most header fields that a request may have. Generous: browsers send about 20, and gRPC clients with traces fewer. */
export const maxHeaderFields = 100;

/**
 * Measures headers as they came, names and values in turn. Cookies count by their bytes alone: HTTP/2 clients send one
 * field for each cookie (RFC 9113, section 8.2.3), and how many there are is up to all applications of the site.
 */
export function measureHeaders(rawHeaders: readonly string[], targetLength = 0): HeaderSize {
  const sent = rawHeaders.length / 2;
  let bytes = targetLength;
  for (const text of rawHeaders) bytes += text.length;
  // Nearly all requests have few fields, and need no closer look.
  return { fields: sent <= maxHeaderFields ? sent : sent - repeatedCookies(rawHeaders), bytes };
}

function repeatedCookies(rawHeaders: readonly string[]): number {
  let cookies = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() === "cookie") cookies++;
  }
  return Math.max(0, cookies - 1);
}

const allowedMethods = cors.allowedMethods.join(", ");
const allowedHeaders = [...cors.allowedHeaders, "Authorization", "Traceparent", "Tracestate"].join(", ");
const exposedHeaders = [...cors.exposedHeaders, "X-Request-Id", "Retry-After"].join(", ");
const preflightMaxAgeSeconds = "7200";

/**
 * Adds the CORS headers for a page of an allowed origin, so that it may call with credentials, and for one of a native app, which
 * may call without. Every other origin gets none, and the browser keeps the answer from the page. `Vary` says so to caches
 * in between either way.
 */
export function addCorsHeaders(
  exchange: Exchange,
  { allowedOrigins, nativeOrigins }: Pick<TenantSettings, "allowedOrigins" | "nativeOrigins">,
  headers: ResponseHeaders,
): void {
  headers.vary = "Origin";
  const origin = exchange.header("origin");
  if (origin === undefined || origin === "null") return;
  // The origin is echoed only after it was found in a list; credentials and a wildcard never go together.
  const withCookies = allowedOrigins.has(origin);
  if (!withCookies && !nativeOrigins.has(origin)) return;
  headers["access-control-allow-origin"] = origin;
  if (withCookies) headers["access-control-allow-credentials"] = "true";
  headers["access-control-expose-headers"] = exposedHeaders;
}

/** Whether a request asks on behalf of a page if it may call. */
export function isPreflight(exchange: Exchange): boolean {
  return exchange.method === "OPTIONS" && exchange.header("access-control-request-method") !== undefined;
}

/** Answers a preflight; `headers` have gone through `addCorsHeaders`. */
export function respondToPreflight(exchange: Exchange, headers: ResponseHeaders): void {
  headers.vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
  if (headers["access-control-allow-origin"] !== undefined) {
    headers["access-control-allow-methods"] = allowedMethods;
    headers["access-control-allow-headers"] = allowedHeaders;
    headers["access-control-max-age"] = preflightMaxAgeSeconds;
    delete headers["access-control-expose-headers"];
  }
  exchange.respond({ status: 204, headers });
}
