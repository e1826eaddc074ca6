import { cors } from "@connectrpc/connect";
import type { TenantSettings } from "../../domain/tenant/tenant.ts";
import type { Exchange, ResponseHeaders } from "./exchange.ts";

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
