import { hexOf } from "../bytes.ts";
import { type DomainError, domainError } from "../errors.ts";
import { type CallOrigin, newEvent } from "../event/event.ts";
import { type IdentityId, newId, type SessionId } from "../ids.ts";
import { instantOf, never } from "../instant.ts";
import type { LastUseRecorder } from "../last-use-recorder.ts";
import { type PageAnswer, type PageAsk, type PageTokens, readPage } from "../paging/page-tokens.ts";
import type { Clock, Tokens } from "../ports.ts";
import type { Secret } from "../secret.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { SessionCredential } from "./credential.ts";
import { type Demand, firstUnmet, metUntil } from "./demands.ts";
import { extendedExpiry, idleExpiry, idleSince, longestOf, type SessionEnd, sessionEnd } from "./lifetime.ts";
import type {
  AssuranceLevel,
  AuthenticatedSession,
  AuthenticationMethod,
  NewSession,
  Session,
} from "./session.ts";
import type { SessionCache } from "./session-cache.ts";
import {
  bounded,
  type ReadingWish,
  type ReadSession,
  type SessionReader,
  strongly,
} from "./session-reader.ts";
import { type BelievedCookie, believe, replacedWithinMs, type ShownCookie } from "./shown-cookies.ts";
import type { SessionFilter, SessionStore } from "./store.ts";

/** The longest time that others may keep an answer. They report meanwhile which sessions are used. */
const longestKeptMs = 600_000;

interface Deps {
  readonly store: SessionStore;
  readonly reader: SessionReader;
  readonly cache: Pick<SessionCache, "noteUse" | "isFollowed">;
  readonly tokens: Tokens;
  readonly pageTokens: PageTokens;
  readonly uses: LastUseRecorder<SessionId>;
  readonly clock: Clock;
}

/** The rules of sessions: who has one, what it is worth, and how it ends. */
export class Sessions {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * The active session of a token or cookie value. Throws a SESSION_ reason otherwise. One round trip at most; none where it may be
   * known from memory and is.
   */
  async authenticate(
    tenant: Tenant,
    credential: SessionCredential,
    wish: ReadingWish = strongly,
  ): Promise<ReadSession> {
    const parsed = this.#parse(tenant, credential.kind, credential.text);
    if (parsed.kind === "wrong") throw parsed.error;
    const { found, ...reading } = await this.#deps.reader.find(tenant, parsed.digest, wish);
    const refusal = this.#refusalOf(tenant, found);
    if (found !== undefined && refusal === undefined) {
      this.noteUse(tenant, found.session);
      return { ...found, reading };
    }
    // Nobody is refused for what was known a while ago.
    if (reading.isRecent) throw refusal;
    return this.authenticate(tenant, credential, { ...wish, consistency: "strong" });
  }

  /**
   * What the values of a browser's session cookies are, in their order; `believe` says which of them counts. At most
   * `mostSessionCookies`, which is for the caller to see to. One round trip at most, none where no value can be one of ours.
   */
  async lookAt(
    tenant: Tenant,
    values: readonly string[],
    wish: ReadingWish = strongly,
  ): Promise<readonly ShownCookie[]> {
    const parsed = values.map((value) => ({ value, ...this.#parse(tenant, "session_cookie", value) }));
    const digests = parsed.flatMap((cookie) => (cookie.kind === "digest" ? [cookie.digest] : []));
    const { found, ...reading } = await this.#deps.reader.findAll(tenant, digests, wish);
    const shown = parsed.map((cookie): ShownCookie => {
      if (cookie.kind === "wrong")
        return { kind: cookie.foreign ? "unknown" : "malformed", error: cookie.error };
      const session = found.get(hexOf(cookie.digest));
      if (session === undefined) return { kind: "unknown", error: domainError("SESSION_TOKEN_UNKNOWN", {}) };
      const end = this.#endOf(tenant, session);
      if (end === undefined) return { kind: "live", value: cookie.value, ...session, reading };
      const { revokedAt } = session.session;
      const since = this.#deps.clock.now().getTime() - replacedWithinMs;
      const justNow = revokedAt !== never && revokedAt.getTime() > since;
      return { kind: "ended", identityId: session.identity.id, error: domainError(end, {}), justNow };
    });
    // Nobody is refused for what was known a while ago.
    if (reading.isRecent || believe(shown).kind === "believed") return shown;
    return this.lookAt(tenant, values, { ...wish, consistency: "strong" });
  }

  /** The session that counts among the values of a browser's cookies. Throws a SESSION_ reason if there is none. */
  async authenticateCookies(
    tenant: Tenant,
    values: readonly string[],
    wish: ReadingWish = strongly,
  ): Promise<BelievedCookie> {
    const verdict = believe(await this.lookAt(tenant, values, wish));
    if (verdict.kind === "refused") throw verdict.error;
    this.noteUse(tenant, verdict.live.session);
    return verdict;
  }

  /** Notes that a session is used now. */
  noteUse(tenant: Tenant, session: Session): void {
    const usedAt = this.#deps.uses.note(tenant.tenantId, session.id, session.lastUsedAt);
    if (usedAt !== undefined) this.#deps.cache.noteUse(session.id, usedAt);
  }

  /** Notes uses of sessions that others have checked by answers that they keep. Returns how many there was room for. */
  noteUses(
    { tenantId }: Tenant,
    uses: readonly { readonly id: SessionId; readonly agoMs: number }[],
  ): number {
    let noted = 0;
    for (const { id, agoMs } of uses) {
      const usedAt = this.#deps.uses.note(tenantId, id, undefined, agoMs);
      if (usedAt === undefined) continue;
      noted++;
      this.#deps.cache.noteUse(id, usedAt);
    }
    return noted;
  }

  /** The same as `authenticate`, for a session that must meet every demand. */
  async check(
    tenant: Tenant,
    credential: SessionCredential | { readonly kind: "session_cookies"; readonly values: readonly string[] },
    demands: readonly Demand[],
    wish: ReadingWish = bounded,
  ): Promise<ReadSession> {
    const found =
      credential.kind === "session_cookies"
        ? (await this.authenticateCookies(tenant, credential.values, wish)).live
        : await this.authenticate(tenant, credential, wish);
    const unmet = firstUnmet(found, demands, { tenant, now: this.#deps.clock.now() });
    if (unmet === undefined) return found;
    // The address may have been verified, the action done a moment ago.
    if (found.reading.isRecent) throw unmet;
    return this.check(tenant, credential, demands, { ...wish, consistency: "strong" });
  }

  /**
   * Until when somebody who follows the event feed may keep the answer that a session counts and meets the demands: not beyond its end,
   * and not for long, so that its use is noted. Undefined: it may not be kept, since this server does not follow the feed itself.
   */
  mayBeKeptUntil(tenant: Tenant, shown: AuthenticatedSession, demands: readonly Demand[]): Date | undefined {
    if (!this.#deps.cache.isFollowed) return undefined;
    const { session } = shown;
    const soon = new Date(this.#deps.clock.now().getTime() + longestKeptMs);
    const ends = [
      soon,
      session.expiresAt,
      idleExpiry(session, tenant.settings.session) ?? soon,
      metUntil(shown, demands, tenant) ?? soon,
    ];
    return new Date(Math.min(...ends.map((end) => end.getTime())));
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
    const now = this.#deps.clock.now();
    const filters = { identityId: filter.identityId ?? null, active: filter.active ?? null };
    const since = idleSince(tenant.settings.session, now);
    const list = { tenantId: tenant.tenantId, name: "sessions", filters };
    return readPage(this.#deps.pageTokens, list, page, maxPageSize, (request) =>
      this.#deps.store.list(tenant, { ...filter, now, idleSince: since }, request),
    );
  }

  /** The session with this id, ended or not. Throws SESSION_NOT_FOUND. */
  async get(tenant: Tenant, id: SessionId): Promise<Session> {
    const session = await this.#deps.store.find(tenant, id);
    if (session === undefined) throw domainError("SESSION_NOT_FOUND", {});
    return session;
  }

  /** Ends a session, and returns it; with an owner, only theirs: someone else's is answered as an unknown one. */
  async revoke(
    tenant: Tenant,
    origin: CallOrigin,
    id: SessionId,
    owner: IdentityId | undefined,
    reason: "revoked" | "logout" | "replaced" = "revoked",
  ): Promise<Session> {
    const at = this.#deps.clock.now();
    const event = newEvent("session.revoked", at, origin, {
      sessionId: id,
      identityId: owner,
      data: { reason },
    });
    const session = await this.#deps.store.revoke(tenant, id, { at, owner, event });
    if (session === undefined) throw domainError("SESSION_NOT_FOUND", {});
    return session;
  }

  /** Ends all sessions of an identity but one; says how many ended. */
  async revokeAll(
    tenant: Tenant,
    origin: CallOrigin,
    identityId: IdentityId,
    except: SessionId | undefined,
  ): Promise<number> {
    const at = this.#deps.clock.now();
    const event = newEvent("session.revoked", at, origin, {
      identityId,
      data: { reason: "revoked", all: true, ...(except && { except }) },
    });
    return this.#deps.store.revokeAll(tenant, identityId, { at, except, event });
  }

  /** Moves the end of an active session; see extendedExpiry. Throws SESSION_NOT_FOUND if it has ended. */
  async extend(tenant: Tenant, origin: CallOrigin, session: Session): Promise<Session> {
    const at = this.#deps.clock.now();
    const settings = tenant.settings.session;
    if (sessionEnd(session, settings, at) !== undefined) throw domainError("SESSION_NOT_FOUND", {});
    const expiresAt = extendedExpiry(session, settings, at);
    if (expiresAt.getTime() === session.expiresAt.getTime()) return session;
    const event = newEvent("session.extended", at, origin, {
      identityId: session.identityId,
      sessionId: session.id,
    });
    const extended = await this.#deps.store.extend(tenant, session.id, {
      at,
      expiresAt,
      event,
    });
    if (extended === undefined) throw domainError("SESSION_NOT_FOUND", {});
    return extended;
  }

  /** The digest of a token of this tenant, or what is wrong with it; `foreign`: it is well-formed. */
  #parse(tenant: Tenant, kind: SessionCredential["kind"], text: string): ParsedCredential {
    const parsed = this.#deps.tokens.parse(kind, text);
    switch (parsed.kind) {
      // A token of one kind is never accepted as another (ASVS V9.2.2), and the answer names both.
      case "other_kind":
        return wrong(
          domainError("SESSION_TOKEN_KIND_MISMATCH", { expected: kind, actual: parsed.actual }),
          false,
        );
      case "malformed":
        return wrong(domainError("SESSION_TOKEN_MALFORMED", {}), false);
      case "valid":
        return parsed.tenantName === tenant.name
          ? { kind: "digest", digest: parsed.digest }
          : wrong(domainError("SESSION_TOKEN_UNKNOWN", {}), true);
      default:
        return parsed satisfies never;
    }
  }

  #refusalOf(tenant: Tenant, found: AuthenticatedSession | undefined): DomainError | undefined {
    if (found === undefined) return domainError("SESSION_TOKEN_UNKNOWN", {});
    const end = this.#endOf(tenant, found);
    return end && domainError(end, {});
  }

  /** Reason why a session has ended; undefined while it is live. */
  #endOf(tenant: Tenant, { session, identity }: AuthenticatedSession): SessionEnd | undefined {
    const end = sessionEnd(session, tenant.settings.session, this.#deps.clock.now());
    // Deactivation revokes sessions; this holds as well where a session was written at the same moment.
    return end ?? (identity.state === "active" ? undefined : "SESSION_REVOKED");
  }
}

type ParsedCredential =
  | { readonly kind: "digest"; readonly digest: Uint8Array }
  | { readonly kind: "wrong"; readonly foreign: boolean; readonly error: DomainError };

function wrong(error: DomainError, foreign: boolean): ParsedCredential {
  return { kind: "wrong", foreign, error };
}

/** The assurance level of a session in which these proofs were given. */
export function levelOf(proofs: readonly Pick<AuthenticationMethod, "assuranceLevel">[]): AssuranceLevel {
  return proofs.some(({ assuranceLevel }) => assuranceLevel === "aal2") ? "aal2" : "aal1";
}

/** Makes the session of a successful login or registration, with a new secret each time (ASVS V7.2.4). */
export function newSession(
  tokens: Tokens,
  tenant: Tenant,
  identityId: IdentityId,
  login: {
    readonly client: "browser" | "native";
    /** Proofs of the login, oldest first; not empty. */
    readonly methods: readonly AuthenticationMethod[];
    readonly origin: CallOrigin;
    readonly at: Date;
  },
): { readonly session: NewSession; readonly token: Secret } {
  const { at, methods, origin } = login;
  const issued = tokens.issue(login.client === "browser" ? "session_cookie" : "session", tenant.name);
  const assuranceLevel = levelOf(methods);
  const lifetimeMs = Math.min(
    tenant.settings.session.lifetimeMs,
    longestOf(assuranceLevel, tenant.settings.session),
  );
  const session: NewSession = {
    id: newId<SessionId>(at),
    identityId,
    createdAt: at,
    updatedAt: at,
    assuranceLevel,
    authenticationMethods: methods,
    authenticatedAt: at,
    expiresAt: instantOf(new Date(at.getTime() + lifetimeMs)),
    lastUsedAt: at,
    revokedAt: never,
    device: { ipAddress: origin.ipAddress, userAgent: origin.userAgent },
    tokenDigest: issued.digest,
  };
  return { session, token: issued.token };
}
