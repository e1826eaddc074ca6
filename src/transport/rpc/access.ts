import type { ApiKey } from "../../domain/access/api-key.ts";
import { scopeAllows } from "../../domain/access/scopes.ts";
import { domainError } from "../../domain/errors.ts";
import { instantOf } from "../../domain/instant.ts";
import type { Clock } from "../../domain/ports.ts";
import type { SessionCredential } from "../../domain/session/credential.ts";
import { assertMeets } from "../../domain/session/demands.ts";
import type { AuthenticatedSession } from "../../domain/session/session.ts";
import type { Tenant, Tenants } from "../../domain/tenant/tenant.ts";
import type { Exchange } from "../net/exchange.ts";
import { assertOriginAllowed } from "../net/origin.ts";
import type { AccessRule } from "./access-rule.ts";
import { BrowserSessions, type CookieSessions } from "./browser-sessions.ts";
import type { Caller, SessionCaller } from "./call.ts";
import { type CertificateGrant, grantOf, unknownCertificate } from "./client-certificates.ts";
import { forwardingScope } from "./forwarded-client.ts";

/** Finds the session of a credential. Implemented by domain/session/sessions.ts. */
export interface SessionAuthenticator extends CookieSessions {
  /** Throws a SESSION_ reason if the credential is not that of an active session. */
  authenticate(tenant: Tenant, credential: SessionCredential): Promise<AuthenticatedSession>;
}

/** Finds the API key of a secret. Implemented by domain/access/api-keys.ts. */
export interface ApiKeyAuthenticator {
  /** Throws an API_KEY_ reason if the text is not the secret of an active key. */
  authenticate(text: string): Promise<{ readonly tenant: Tenant; readonly apiKey: ApiKey }>;
}

/** Who is let through, and for which tenant. */
export interface Admission {
  readonly tenant: Tenant;
  readonly caller: Caller;
  /**
   * Authenticates the caller's session, where the method's rule lets it look at one. Throws a SESSION_ reason if there
   * is none.
   */
  readonly session?: () => Promise<SessionCaller>;
  /** The session cookies of the call; undefined where no browser calls. */
  readonly browser?: BrowserSessions;
}

/** Authenticates and authorizes calls. */
export interface Access {
  /** The tenant whose pages and cookies a request concerns, before anything else is known of it. */
  tenantOf(exchange: Exchange): Tenant;
  /**
   * Lets a call through, or throws what is missing. `method` is its full name, for the error. Session cookies that do not
   * count are removed by `setCookies`, the Set-Cookie headers of the answer.
   */
  admit(exchange: Exchange, rule: AccessRule, method: string, setCookies?: string[]): Promise<Admission>;
  /**
   * The API key with which a server says for whom it calls, beside the credential of the call itself. Throws an API_KEY_ reason
   * unless the text is a live key of the tenant with the scope.
   */
  forwardingKey(exchange: Exchange, text: string): Promise<ApiKey>;
}

/** What access is decided with. */
interface AccessDependencies {
  readonly sessions: SessionAuthenticator;
  readonly apiKeys: ApiKeyAuthenticator;
  readonly tenants: Tenants;
  /** Read at each call, so that a reloaded configuration counts at once. */
  readonly certificates: () => readonly CertificateGrant[];
  readonly clock: Clock;
}

const anonymous: Caller = { kind: "anonymous" };

/** Makes the one place that decides who may call what. */
export function createAccess(dependencies: AccessDependencies): Access {
  const { tenants } = dependencies;
  const tenantOf = (exchange: Exchange) => tenants.byHost(exchange.host);
  return {
    tenantOf,
    async forwardingKey(exchange, text) {
      const { tenant, apiKey } = await dependencies.apiKeys.authenticate(text);
      // Security rule: a key counts for the users of its own tenant.
      if (tenant.id !== tenantOf(exchange).id) throw domainError("API_KEY_UNKNOWN", {});
      assertScope(apiKey.scopes, forwardingScope);
      return apiKey;
    },
    async admit(exchange, rule, method, setCookies = []) {
      switch (rule.kind) {
        // Nothing is authenticated here: a stale cookie or token must not break a call that needs none.
        case "anyone":
        case "flow": {
          const tenant = tenantOf(exchange);
          const browser = new BrowserSessions(dependencies.sessions, tenant, exchange, setCookies);
          if (!rule.withSession) return { tenant, caller: anonymous, browser };
          const session = () => callerOf(dependencies.sessions, exchange, tenant, browser);
          return { tenant, caller: anonymous, session, browser };
        }
        case "session": {
          const tenant = tenantOf(exchange);
          const browser = new BrowserSessions(dependencies.sessions, tenant, exchange, setCookies);
          const caller = await callerOf(dependencies.sessions, exchange, tenant, browser);
          assertMeets(caller, rule.demands, { tenant, now: dependencies.clock.now() });
          return { tenant, caller, browser };
        }
        case "api_key":
          return admitApiKey(dependencies, exchange, rule.scope);
        // Security rule: default deny. A method that does not say who may call it can be called by nobody.
        case "undeclared":
          throw domainError("ACCESS_UNDECLARED", { method });
        default: {
          const unreachable: never = rule;
          return unreachable;
        }
      }
    },
  };
}

async function callerOf(
  sessions: SessionAuthenticator,
  exchange: Exchange,
  tenant: Tenant,
  browser: BrowserSessions,
): Promise<SessionCaller> {
  const bearer = bearerOf(exchange);
  // A bearer token wins over a cookie: whoever sends one means it, and no page can make a browser send one.
  if (bearer.kind === "malformed")
    throw domainError("SESSION_TOKEN_MALFORMED", {}, { message: bearer.message });
  if (bearer.kind === "token") {
    const found = await sessions.authenticate(tenant, { kind: "session", text: bearer.text });
    return { kind: "session", ...found, credential: "bearer" };
  }

  if (!browser.isShown) throw domainError("SESSION_CREDENTIAL_MISSING", {});
  // Security rule: a browser attaches cookies to whatever page asks, so the origin is checked before the cookie.
  assertOriginAllowed(exchange, tenant.settings.allowedOrigins);
  const { live, otherIdentity } = await browser.authenticate();
  const { session, identity, value } = live;
  return { kind: "session", session, identity, credential: "cookie", cookie: { value, otherIdentity } };
}

async function admitApiKey(
  { apiKeys, tenants, certificates, clock }: AccessDependencies,
  exchange: Exchange,
  scope: string,
): Promise<Admission> {
  const bearer = bearerOf(exchange);
  if (bearer.kind === "malformed") throw domainError("API_KEY_MALFORMED", {}, { message: bearer.message });
  if (bearer.kind === "token") {
    const { tenant, apiKey } = await apiKeys.authenticate(bearer.text);
    assertScope(apiKey.scopes, scope);
    return { tenant, caller: { kind: "api_key", apiKey } };
  }

  const { certificate, certificateProblem } = exchange.peer;
  if (certificateProblem !== undefined) throw unknownCertificate(certificateProblem);
  if (certificate === undefined) throw domainError("API_KEY_MISSING", {});
  // The handshake's check may be hours old on a connection that stays open.
  const now = clock.now();
  // Asked for what must hold: of an invalid date neither "before" nor "after" is true.
  if (!(now >= certificate.validFromDate)) throw unknownCertificate("CERT_NOT_YET_VALID");
  if (!(now <= certificate.validToDate)) throw unknownCertificate("CERT_HAS_EXPIRED");
  const { name, scopes } = grantOf(certificate, certificates());
  const expiresAt = instantOf(certificate.validToDate);
  assertScope(scopes, scope);
  return { tenant: tenants.byHost(undefined), caller: { kind: "certificate", name, scopes, expiresAt } };
}

function assertScope(granted: readonly string[], scope: string): void {
  if (!scopeAllows(granted, scope)) throw domainError("API_KEY_SCOPE_MISSING", { scope });
}

/** What an Authorization header holds. */
type Bearer =
  | { readonly kind: "absent" }
  | { readonly kind: "token"; readonly text: string }
  | { readonly kind: "malformed"; readonly message: string };

/** What the Authorization header of a call holds. */
export function bearerOf(exchange: Exchange): Bearer {
  const header = exchange.header("authorization");
  if (header === undefined) return { kind: "absent" };
  // Node keeps the first of several; a proxy in front may have checked another one.
  if (exchange.headerCount("authorization") > 1) {
    return { kind: "malformed", message: "The Authorization header was sent more than once." };
  }
  // RFC 9110, section 11.1: the scheme is case-insensitive. Another scheme is meant for someone else.
  if (!/^bearer(?: |$)/i.test(header)) return { kind: "absent" };
  const text = header.slice("bearer".length).trim();
  if (text === "" || /\s/.test(text)) {
    return { kind: "malformed", message: "The Authorization header has no single token after `Bearer`." };
  }
  return { kind: "token", text };
}
