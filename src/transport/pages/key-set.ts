import { createHash } from "node:crypto";
import type { JsonObject } from "../../domain/json.ts";
import { issuesTokens, type Tenant, type Tenants } from "../../domain/tenant/tenant.ts";
import { matchesEtag } from "../net/etag.ts";
import type { HttpHandler } from "../net/exchange.ts";

/** The keys that signed tokens are checked with. */
export interface PublishedKeys {
  /** How long anybody may keep them. */
  readonly maxAgeMs: number;
  published(tenant: Tenant): Promise<{ readonly keys: readonly JsonObject[] }>;
}

interface Deps {
  readonly tenants: Tenants;
  readonly signingKeys: PublishedKeys;
}

/**
 * `/.well-known/jwks.json`: the public keys of the host's tenant as a JWK Set (RFC 7517, section 5), for everybody and every page. None
 * where no tokens are issued. There is no discovery document beside it: those of OpenID Connect and OAuth 2 would name endpoints that this
 * server does not have.
 */
export function keySetRoutes({ tenants, signingKeys }: Deps): ReadonlyMap<string, HttpHandler> {
  if (!issuesTokens(tenants.byHost(undefined))) return new Map();
  return new Map<string, HttpHandler>([
    [
      "/.well-known/jwks.json",
      async (exchange, headers) => {
        // First, because what fails is answered with the headers as they are.
        const body = JSON.stringify(await signingKeys.published(tenants.byHost(exchange.host)));
        const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
        headers["cache-control"] = `public, max-age=${signingKeys.maxAgeMs / 1000}`;
        headers.etag = etag;
        // The same for every origin, and never with cookies.
        delete headers.vary;
        delete headers["access-control-allow-credentials"];
        headers["access-control-allow-origin"] = "*";
        headers["cross-origin-resource-policy"] = "cross-origin";
        if (matchesEtag(exchange.header("if-none-match"), etag)) {
          exchange.respond({ status: 304, headers });
          return;
        }
        // RFC 7517, section 8.5.2.
        headers["content-type"] = "application/jwk-set+json";
        exchange.respond({ status: 200, headers, body });
      },
    ],
  ]);
}
