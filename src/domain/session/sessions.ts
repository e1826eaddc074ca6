import { domainError } from "../errors.ts";
import { type CallOrigin, newEvent } from "../event/event.ts";
import { type IdentityId, newId, type SessionId } from "../ids.ts";
import { instantOf, never } from "../instant.ts";
import { type PageAnswer, type PageAsk, type PageTokens, readPage } from "../paging/page-tokens.ts";
import type { Clock, Tokens } from "../ports.ts";
import type { Secret } from "../secret.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { UseRecorder } from "../use-recorder.ts";
import type { SessionCredential } from "./credential.ts";
import { extendedExpiry, idleSince, sessionEnd } from "./lifetime.ts";
import type {
  AssuranceLevel,
  AuthenticatedSession,
  AuthenticationMethod,
  NewSession,
  Session,
} from "./session.ts";
import type { SessionFilter, SessionStore } from "./store.ts";

/** What a caller of CheckSession demands of a session. */
export interface SessionDemands {
  readonly assuranceLevel: AssuranceLevel | undefined;
  readonly maxAuthenticationAgeMs: number | undefined;
}

interface SessionsDependencies {
  readonly store: SessionStore;
  readonly tokens: Tokens;
  readonly pageTokens: PageTokens;
  readonly uses: UseRecorder<SessionId>;
  readonly clock: Clock;
}

/** The rules of sessions: who has one, what it is worth, and how it ends. */
export class Sessions {
  readonly #store: SessionStore;
  readonly #tokens: Tokens;
  readonly #pageTokens: PageTokens;
  readonly #uses: UseRecorder<SessionId>;
  readonly #clock: Clock;

  constructor(dependencies: SessionsDependencies) {
    this.#store = dependencies.store;
    this.#tokens = dependencies.tokens;
    this.#pageTokens = dependencies.pageTokens;
    this.#uses = dependencies.uses;
    this.#clock = dependencies.clock;
  }

  /** The active session of a token or cookie value. Throws a SESSION_ reason otherwise. One round trip. */
  async authenticate(tenant: Tenant, credential: SessionCredential): Promise<AuthenticatedSession> {
    const parsed = this.#tokens.parse(credential.kind, credential.text);
    // A token of one kind is never accepted as another (ASVS V9.2.2), and the answer names both.
    if (parsed.kind === "other_kind") {
      throw domainError("SESSION_TOKEN_KIND_MISMATCH", { expected: credential.kind, actual: parsed.actual });
    }
    if (parsed.kind === "malformed") throw domainError("SESSION_TOKEN_MALFORMED", {});
    if (parsed.tenantName !== tenant.name) throw domainError("SESSION_TOKEN_UNKNOWN", {});
    const found = await this.#store.findByTokenDigest({ tenantId: tenant.id }, parsed.digest);
    if (found === undefined) throw domainError("SESSION_TOKEN_UNKNOWN", {});
    const end = sessionEnd(found.session, tenant.settings.session, this.#clock.now());
    if (end !== undefined) throw domainError(end, {});
    // Deactivation revokes sessions; this holds as well where a session was written at the same moment.
    if (found.identity.state !== "active") throw domainError("SESSION_REVOKED", {});
    this.#uses.note(tenant.id, found.session.id, found.session.lastUsedAt);
    return found;
  }

  /** As `authenticate`, with demands on how strongly and how lately the holder has signed in. */
  async check(
    tenant: Tenant,
    credential: SessionCredential,
    demands: SessionDemands,
  ): Promise<AuthenticatedSession> {
    const found = await this.authenticate(tenant, credential);
    const { assuranceLevel: actual, authenticatedAt } = found.session;
    if (demands.assuranceLevel === "aal2" && actual !== "aal2") {
      throw domainError("SESSION_ASSURANCE_TOO_LOW", { required: demands.assuranceLevel, actual });
    }
    const maxAgeMs = demands.maxAuthenticationAgeMs;
    if (maxAgeMs !== undefined && this.#clock.now().getTime() - authenticatedAt.getTime() > maxAgeMs) {
      throw domainError("SESSION_AUTHENTICATION_TOO_OLD", { max_age_seconds: String(maxAgeMs / 1000) });
    }
    return found;
  }

  /** The caller's own active sessions, newest first. */
  async listOwn(tenant: Tenant, identityId: IdentityId, page: PageAsk): Promise<PageAnswer<Session>> {
    return this.list(tenant, { identityId, active: true }, page, 250);
  }

  /** Sessions, newest first. */
  async list(
    tenant: Tenant,
    filter: Pick<SessionFilter, "identityId" | "active">,
    page: PageAsk,
    maxPageSize = 500,
  ): Promise<PageAnswer<Session>> {
    const now = this.#clock.now();
    const filters = { identityId: filter.identityId ?? null, active: filter.active ?? null };
    const since = idleSince(tenant.settings.session, now);
    const list = { tenantId: tenant.id, name: "sessions", filters };
    return readPage(this.#pageTokens, list, page, maxPageSize, (request) =>
      this.#store.list({ tenantId: tenant.id }, { ...filter, now, idleSince: since }, request),
    );
  }

  /** The session with this id, ended or not. Throws SESSION_NOT_FOUND. */
  async get(tenant: Tenant, id: SessionId): Promise<Session> {
    const session = await this.#store.find({ tenantId: tenant.id }, id);
    if (session === undefined) throw domainError("SESSION_NOT_FOUND", {});
    return session;
  }

  /** Ends a session; with an owner, only theirs: someone else's is answered as an unknown one. */
  async revoke(
    tenant: Tenant,
    origin: CallOrigin,
    id: SessionId,
    owner: IdentityId | undefined,
    reason: "revoked" | "logout" = "revoked",
  ): Promise<void> {
    const at = this.#clock.now();
    const event = newEvent("session.revoked", at, origin, {
      sessionId: id,
      identityId: owner,
      data: { reason },
    });
    const found = await this.#store.revoke({ tenantId: tenant.id }, id, { at, owner, event });
    if (!found) throw domainError("SESSION_NOT_FOUND", {});
  }

  /** Ends all sessions of an identity but one; says how many ended. */
  async revokeAll(
    tenant: Tenant,
    origin: CallOrigin,
    identityId: IdentityId,
    except: SessionId | undefined,
  ): Promise<number> {
    const at = this.#clock.now();
    const event = newEvent("session.revoked", at, origin, {
      identityId,
      data: { reason: "revoked", all: true, except: except ?? null },
    });
    return this.#store.revokeAll({ tenantId: tenant.id }, identityId, { at, except, event });
  }

  /** Moves the end of an active session; see extendedExpiry. Throws SESSION_NOT_FOUND if it has ended. */
  async extend(tenant: Tenant, origin: CallOrigin, session: Session): Promise<Session> {
    const at = this.#clock.now();
    const settings = tenant.settings.session;
    if (sessionEnd(session, settings, at) !== undefined) throw domainError("SESSION_NOT_FOUND", {});
    const expiresAt = extendedExpiry(session, settings, at);
    if (expiresAt.getTime() === session.expiresAt.getTime()) return session;
    const event = newEvent("session.extended", at, origin, {
      identityId: session.identityId,
      sessionId: session.id,
    });
    const extended = await this.#store.extend({ tenantId: tenant.id }, session.id, { at, expiresAt, event });
    if (extended === undefined) throw domainError("SESSION_NOT_FOUND", {});
    return extended;
  }
}

/** Makes the session of a successful login or registration, with a new secret each time (ASVS V7.2.4). */
export function newSession(
  tokens: Tokens,
  tenant: Tenant,
  identityId: IdentityId,
  login: {
    readonly client: "browser" | "native";
    /** What was shown, oldest first; not empty. */
    readonly methods: readonly AuthenticationMethod[];
    readonly origin: CallOrigin;
    readonly at: Date;
  },
): { readonly session: NewSession; readonly token: Secret } {
  const { at, methods, origin } = login;
  const issued = tokens.issue(login.client === "browser" ? "session_cookie" : "session", tenant.name);
  const { lifetimeMs, maxLifetimeMs } = tenant.settings.session;
  const session: NewSession = {
    id: newId<SessionId>(at),
    identityId,
    createdAt: at,
    updatedAt: at,
    assuranceLevel: methods.some((method) => method.assuranceLevel === "aal2") ? "aal2" : "aal1",
    authenticationMethods: methods,
    authenticatedAt: at,
    expiresAt: instantOf(new Date(at.getTime() + Math.min(lifetimeMs, maxLifetimeMs))),
    lastUsedAt: at,
    revokedAt: never,
    device: { ipAddress: origin.ipAddress, userAgent: origin.userAgent },
    tokenDigest: issued.digest,
  };
  return { session, token: issued.token };
}
