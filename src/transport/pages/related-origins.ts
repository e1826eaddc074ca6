import type { HttpHandler } from "../net/exchange.ts";
import { respondJson } from "./json.ts";

/**
 * The path where browsers ask which pages of other domains may call for the passkeys of this one (WebAuthn level 3, section
 * 5.11); none where no page may.
 */
export function relatedOriginsRoutes(origins: readonly string[]): ReadonlyMap<string, HttpHandler> {
  if (origins.length === 0) return new Map();
  return new Map<string, HttpHandler>([
    ["/.well-known/webauthn", (exchange, headers) => respondJson(exchange, headers, 200, { origins })],
  ]);
}
