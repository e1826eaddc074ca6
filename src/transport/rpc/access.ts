import { SessionService } from "../../../gen/ostiary/session/v1/session_service_pb.js";
import type { ApiKey } from "../../domain/access/api-key.ts";
import { scopeAllows } from "../../domain/access/scopes.ts";
import { domainError } from "../../domain/errors.ts";
import type { EventActor } from "../../domain/event/event.ts";
import type { Identity } from "../../domain/identity/identity.ts";
import { type Instant, instantOf } from "../../domain/instant.ts";
import type { Clock } from "../../domain/ports.ts";
import type { SessionCredential } from "../../domain/session/credential.ts";
import { assertMeets, type Demand } from "../../domain/session/demands.ts";
import type { Session } from "../../domain/session/session.ts";
import type { Reading } from "../../domain/session/session-cache.ts";
import {
  bounded,
  type ReadingWish,
  type ReadSession,
  strongly,
} from "../../domain/session/session-reader.ts";
import type { Tenant, Tenants } from "../../domain/tenant/tenant.ts";
import type { Exchange } from "../net/exchange.ts";
import { assertOriginAllowed } from "../net/origin.ts";
import { dateProblemOf } from "../net/peers.ts";
import type { AccessRule } from "./access-rule.ts";
import { BrowserSessions, type CookieSessions } from "./browser-sessions.ts";
import { type CertificateGrant, grantOf, unknownCertificate } from "./client-certificates.ts";
import { forwardingScope } from "./forwarded-client.ts";

/** Who makes a call, once it is authenticated. */
export type Caller =
  | { readonly kind: "anonymous" }
  | SessionCaller
  | { readonly kind: "api_key"; readonly apiKey: ApiKey }
  | {
      readonly kind: "certificate";
      readonly name: string;
      readonly scopes: readonly string[];
      /** When the certificate ends; what its holder makes does not outlive it. */
      readonly expiresAt: Instant;
    };

/** Somebody who is signed in. */
export type SessionCaller = {
  readonly kind: "session";
  readonly session: Session;
  readonly identity: Identity;
  /** How fresh what is known of the session is. */
  readonly reading: Reading;
} & (
  | { readonly credential: "bearer" }
  /** What a cookie authenticates must come from an allowed origin. */
  | {
      readonly credential: "cookie";
      /** The value that counts, and whether another one was of a session of another identity. */
      readonly cookie: { readonly value: string; readonly otherIdentity: boolean };
    }
);

/** The caller before anything is authenticated. */
export const anonymous: Caller = { kind: "anonymous" };

/** Names of a caller. */
export interface CallerNames {
  /** In events. */
  readonly actor: EventActor;
  /** In the log: the id of the identity or key, the name of the certificate. */
  readonly id: string | undefined;
  /** In the keys of idempotency: another session of the same identity is another caller. */
  readonly key: string;
}

/** Names of a caller in events, in the log and in the keys of idempotency. */
export function namesOf(caller: Caller): CallerNames {
  switch (caller.kind) {
    case "anonymous":
      return { actor: caller, id: undefined, key: "anonymous" };
    case "session": {
      const { id } = caller.identity;
      return { actor: { kind: "identity", identityId: id }, id, key: `session:${caller.session.id}` };
    }
    case "api_key": {
      const { id } = caller.apiKey;
      return { actor: { kind: "api_key", apiKeyId: id }, id, key: `api_key:${id}` };
    }
    case "certificate": {
      const { name } = caller;
      return { actor: { kind: "certificate", name }, id: name, key: `certificate:${name}` };
    }
    default: {
      const unreachable: never = caller;
      return unreachable;
    }
  }
}

/** Finds the session of a credential. Implemented by domain/session/sessions.ts. */
export interface SessionAuthenticator extends CookieSessions {
  /** Throws a SESSION_ reason if the credential is not that of an active session. */
  authenticate(tenant: Tenant, credential: SessionCredential, wish?: ReadingWish): Promise<ReadSession>;
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
  /** Authenticates the caller of a method that only sessions may call once more. Throws a SESSION_ reason if it has ended. */
  readonly again?: (wish: ReadingWish) => Promise<SessionCaller>;
  /** The session cookies of the call, made when they are asked for; undefined where no browser calls. */
  readonly browser?: () => BrowserSessions;
}

/** Authenticates and authorizes calls. */
export interface Access {
  /** The tenant whose pages and cookies a request concerns, before anything else is known of it. */
  tenantOf(exchange: Exchange): Tenant;
  /**
   * Lets a call through, or throws what is missing. `method` is its full name, for the error. Session cookies that do not
   * count are removed by `setCookies`, the Set-Cookie headers of the answer. Where nothing is looked up the answer is there at once.
   */
  admit(
    exchange: Exchange,
    rule: AccessRule,
    method: string,
    setCookies?: string[],
  ): Admission | Promise<Admission>;
  /** Who the headers show, whatever the method asks for. Throws a SESSION_ or API_KEY_ reason if they show nothing valid. */
  identify(exchange: Exchange): Promise<Caller>;
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

/**
 * The methods for sessions whose caller may be known from memory: they show what is known of the session, and change nothing. All others
 * read the database, so that nothing is changed in the name of a session that has ended, wherever it did.
 */
const readsBounded: ReadonlySet<string> = new Set([
  `${SessionService.typeName}/${SessionService.method.getCurrentSession.name}`,
]);

/** Makes the one place that decides who may call what. */
export function createAccess(deps: AccessDependencies): Access {
  const { tenants } = deps;
  const tenantOf = (exchange: Exchange) => tenants.byHost(exchange.host);
  const browserOf = (tenant: Tenant, exchange: Exchange, setCookies: string[]) =>
    new BrowserSessions(deps.sessions, tenant, exchange, setCookies);
  return {
    tenantOf,
    async identify(exchange) {
      if (credentialKindOf(exchange) === "api_key") return (await apiKeyOf(deps, exchange)).caller;
      const tenant = tenantOf(exchange);
      // What is stale is not removed for a call that did not need it.
      const browser = () => browserOf(tenant, exchange, []);
      return callerOf(deps.sessions, exchange, tenant, browser, bounded);
    },
    async forwardingKey(exchange, text) {
      const { tenant, apiKey } = await deps.apiKeys.authenticate(text);
      // Security rule (SR-ACCESS-5): a key counts for the users of its own tenant.
      if (tenant.tenantId !== tenantOf(exchange).tenantId) throw domainError("API_KEY_UNKNOWN", {});
      assertScope(apiKey.scopes, forwardingScope);
      return apiKey;
    },
    admit(exchange, rule, method, setCookies = []) {
      switch (rule.kind) {
        // Nothing is authenticated here: a stale cookie or token must not break a call that needs none.
        case "anyone":
        case "flow":
          return new OpenAdmission(deps.sessions, exchange, tenantOf(exchange), rule.withSession, setCookies);
        case "session":
          return admitSession(
            deps,
            exchange,
            rule.demands,
            setCookies,
            readsBounded.has(method) ? bounded : strongly,
          );
        case "api_key":
          return admitApiKey(deps, exchange, rule.scope);
        // Security rule (SR-ACCESS-1): default deny. A method that does not say who may call it can be called by nobody.
        case "undeclared":
          return Promise.reject(domainError("ACCESS_UNDECLARED", { method }));
        default: {
          const unreachable: never = rule;
          return unreachable;
        }
      }
    },
  };
}

/** The admission of a call that shows nothing, or nothing that was looked at yet: what it may ask for is made when it asks. */
class OpenAdmission implements Admission {
  readonly tenant: Tenant;
  readonly caller = anonymous;
  readonly #sessions: SessionAuthenticator;
  readonly #exchange: Exchange;
  readonly #withSession: boolean;
  readonly #setCookies: string[];
  #browser: BrowserSessions | undefined;

  constructor(
    sessions: SessionAuthenticator,
    exchange: Exchange,
    tenant: Tenant,
    withSession: boolean,
    setCookies: string[],
  ) {
    this.tenant = tenant;
    this.#sessions = sessions;
    this.#exchange = exchange;
    this.#withSession = withSession;
    this.#setCookies = setCookies;
  }

  get session(): Admission["session"] {
    if (!this.#withSession) return undefined;
    return () => callerOf(this.#sessions, this.#exchange, this.tenant, () => this.browser(), strongly);
  }

  browser(): BrowserSessions {
    this.#browser ??= new BrowserSessions(this.#sessions, this.tenant, this.#exchange, this.#setCookies);
    return this.#browser;
  }
}

async function admitSession(
  { sessions, tenants, clock }: AccessDependencies,
  exchange: Exchange,
  demands: readonly Demand[],
  setCookies: string[],
  wish: ReadingWish,
): Promise<Admission> {
  const tenant = tenants.byHost(exchange.host);
  const open = new OpenAdmission(sessions, exchange, tenant, true, setCookies);
  const browser = () => open.browser();
  const caller = await callerOf(sessions, exchange, tenant, browser, wish);
  assertMeets(caller, demands, { tenant, now: clock.now() });
  const again = (wanted: ReadingWish) => {
    const anew = new BrowserSessions(sessions, tenant, exchange, setCookies);
    return callerOf(sessions, exchange, tenant, () => anew, wanted);
  };
  return { tenant, caller, browser, again };
}

async function callerOf(
  sessions: SessionAuthenticator,
  exchange: Exchange,
  tenant: Tenant,
  browserOf: () => BrowserSessions,
  wish: ReadingWish,
): Promise<SessionCaller> {
  const bearer = bearerOf(exchange);
  // A bearer token wins over a cookie: its sender means it, and no page can make a browser send one.
  if (bearer.kind === "malformed")
    throw domainError("SESSION_TOKEN_MALFORMED", {}, { message: bearer.message });
  if (bearer.kind === "token") {
    const found = await sessions.authenticate(tenant, { kind: "session", text: bearer.text }, wish);
    return { kind: "session", ...found, credential: "bearer" };
  }

  const browser = browserOf();
  if (!browser.isShown) throw domainError("SESSION_CREDENTIAL_MISSING", {});
  // Security rule (SR-ORIGIN-1): a browser attaches cookies to whatever page asks, so the origin is checked before the cookie.
  assertOriginAllowed(exchange, tenant.settings.allowedOrigins);
  const { live, otherIdentity } = await browser.authenticate(wish);
  const { session, identity, reading, value } = live;
  return {
    kind: "session",
    ...{ session, identity, reading },
    credential: "cookie",
    cookie: { value, otherIdentity },
  };
}

async function admitApiKey(deps: AccessDependencies, exchange: Exchange, scope: string): Promise<Admission> {
  const { tenant, caller, scopes } = await apiKeyOf(deps, exchange);
  assertScope(scopes, scope);
  return { tenant, caller };
}

/** The API key or certificate of a request, and what it may do. */
async function apiKeyOf(
  { apiKeys, tenants, certificates, clock }: AccessDependencies,
  exchange: Exchange,
): Promise<{ readonly tenant: Tenant; readonly caller: Caller; readonly scopes: readonly string[] }> {
  const bearer = bearerOf(exchange);
  if (bearer.kind === "malformed") throw domainError("API_KEY_MALFORMED", {}, { message: bearer.message });
  if (bearer.kind === "token") {
    const { tenant, apiKey } = await apiKeys.authenticate(bearer.text);
    return { tenant, caller: { kind: "api_key", apiKey }, scopes: apiKey.scopes };
  }

  const { certificate, certificateProblem } = exchange.peer;
  if (certificateProblem !== undefined) throw unknownCertificate(certificateProblem);
  if (certificate === undefined) throw domainError("API_KEY_MISSING", {});
  const dateProblem = dateProblemOf(certificate, clock.now());
  if (dateProblem !== undefined) throw unknownCertificate(dateProblem);
  const { name, scopes } = grantOf(certificate, certificates());
  const expiresAt = instantOf(certificate.validToDate);
  return {
    tenant: tenants.byHost(undefined),
    caller: { kind: "certificate", name, scopes, expiresAt },
    scopes,
  };
}

function assertScope(granted: readonly string[], scope: string): void {
  if (!scopeAllows(granted, scope)) throw domainError("API_KEY_SCOPE_MISSING", { scope });
}

const apiKeyPrefix = "ost_key_";

/** The kind of credential that the headers of a request, or its connection, show; a session where they show none. */
export function credentialKindOf(exchange: Exchange): "session" | "api_key" {
  const bearer = bearerOf(exchange);
  if (bearer.kind === "token") return bearer.text.startsWith(apiKeyPrefix) ? "api_key" : "session";
  return exchange.peer.certificate === undefined ? "session" : "api_key";
}

/** What an Authorization header holds. */
export type Bearer =
  | { readonly kind: "absent" }
  | { readonly kind: "token"; readonly text: string }
  | { readonly kind: "malformed"; readonly message: string };

const absent: Bearer = { kind: "absent" };

/** What the Authorization header of a request holds. */
export function bearerOf(exchange: Pick<Exchange, "header" | "headerCount">): Bearer {
  const header = exchange.header("authorization");
  if (header === undefined) return absent;
  // Node keeps the first of several; a proxy in front may have checked another one.
  if (exchange.headerCount("authorization") > 1) {
    return { kind: "malformed", message: "The Authorization header was sent more than once." };
  }
  // RFC 9110, section 11.1: the scheme is case-insensitive. Another scheme is meant for someone else.
  if (!/^bearer(?: |$)/i.test(header)) return absent;
  const text = header.slice("bearer".length).trim();
  if (text === "" || /\s/.test(text)) {
    return { kind: "malformed", message: "The Authorization header has no single token after `Bearer`." };
  }
  return { kind: "token", text };
}
