import { DomainError, domainError } from "../../domain/errors.ts";
import type { CallOrigin } from "../../domain/event/event.ts";
import type { IdentityId, SessionId } from "../../domain/ids.ts";
import type { AuthenticatedSession, Session } from "../../domain/session/session.ts";
import { type ReadingWish, strongly } from "../../domain/session/session-reader.ts";
import {
  type BelievedCookie,
  believe,
  mayBeOfOthers,
  mayBeReplaced,
  mostSessionCookies,
  type ShownCookie,
} from "../../domain/session/shown-cookies.ts";
import type { Tenant } from "../../domain/tenant/tenant.ts";
import { clearSessionCookie, sessionCookieName } from "../net/cookies.ts";
import type { Exchange } from "../net/exchange.ts";
import { assertOriginAllowed } from "../net/origin.ts";
import { removeSessionCookie, shownSessionCookies } from "../net/session-cookies.ts";

/** Finds and ends the sessions of cookies. Implemented by domain/session/sessions.ts. */
export interface CookieSessions {
  /** What values of the session cookie are; one round trip at most. */
  lookAt(tenant: Tenant, values: readonly string[], wish?: ReadingWish): Promise<readonly ShownCookie[]>;
  /** Notes that a session is used now. */
  noteUse(tenant: Tenant, session: Session): void;
  /** Ends a session of an identity. */
  revoke(
    tenant: Tenant,
    origin: CallOrigin,
    id: SessionId,
    owner: IdentityId | undefined,
    reason: "revoked" | "logout" | "replaced",
  ): Promise<unknown>;
}

/**
 * The session cookies of one request: which session they show, and how the browser comes to have one again, or none.
 *
 * Security rules (SR-COOKIE-1):
 * - Of several values of the cookie that this server sets exactly one must be live. Those of a name that it has set with
 *   another configuration (`__Host-`, `__Secure-`, none) are never believed.
 * - What ends a session here is its secret, which the browser showed. A page of a sibling host can plant the secrets that it
 *   has, so it can end sessions of its own, and have this browser's cookie removed, which it could do by itself.
 * - A value that is well-formed and of no session here may be another deployment's. Its cookie stays, unless there are too
 *   many, or signing out of one would sign out of the other.
 */
export class BrowserSessions {
  readonly #sessions: CookieSessions;
  readonly #tenant: Tenant;
  readonly #exchange: Exchange;
  readonly #setCookies: string[];
  /** What was looked up so far, by value. */
  readonly #looked = new Map<string, ShownCookie>();
  #shown: ReturnType<typeof shownSessionCookies> | undefined;

  /** `setCookies` are those of the answer, an error too. */
  constructor(sessions: CookieSessions, tenant: Tenant, exchange: Exchange, setCookies: string[]) {
    this.#sessions = sessions;
    this.#tenant = tenant;
    this.#exchange = exchange;
    this.#setCookies = setCookies;
  }

  /** Whether there is a cookie of the name that this server sets. */
  get isShown(): boolean {
    return this.#own.length > 0;
  }

  /**
   * The session that counts. Throws a SESSION_ reason if there is none; the browser then drops the cookie, unless that may be a newer one
   * by now. One round trip at most.
   */
  async authenticate(wish: ReadingWish): Promise<BelievedCookie> {
    const tooMany = this.#own.length > mostSessionCookies;
    const shown = tooMany ? [] : await this.#lookAt(this.#own, wish);
    const verdict = tooMany ? ambiguous : believe(shown);
    if (verdict.kind === "believed") {
      this.#sessions.noteUse(this.#tenant, verdict.live.session);
      return verdict;
    }
    const isAmbiguous = verdict.error.reason === "SESSION_COOKIE_AMBIGUOUS";
    if (isAmbiguous || !(mayBeOfOthers(shown) || mayBeReplaced(shown)))
      this.#remove(this.#ownName, "remove_own");
    throw verdict.error;
  }

  /** The live sessions that the browser shows, under whatever name. One round trip, none without a cookie. */
  async live(): Promise<readonly AuthenticatedSession[]> {
    return (await this.#lookAt(this.#values)).filter((cookie) => cookie.kind === "live");
  }

  /**
   * Puts a new session in the place of all that the browser shows: they end, and their cookies go. Only where it shows one,
   * of the name that this server sets, that is left to the login, which ends it if it is of the same identity.
   */
  async replace(origin: CallOrigin, cookie: string): Promise<void> {
    if (this.#values.length > 1 || !this.isShown) await this.#endLive(origin, "replaced");
    if (this.#needsTidying) await this.#removeAll("keep_own");
    // Last: to the browser a cookie that is set after others were removed is there.
    this.#setCookies.push(cookie);
  }

  /** Removes what lies beside the session's cookie, if anything, and sets that again. */
  tidy(cookie: string): void {
    if (this.#own.length < 2 || mayBeOfOthers([...this.#looked.values()])) return;
    this.#remove(this.#ownName, "keep_own");
    this.#setCookies.push(cookie);
  }

  /**
   * Ends all sessions that the browser shows, and removes their cookies, also those of ended sessions. Returns those that it
   * ended. Throws ORIGIN_NOT_ALLOWED.
   */
  async signOut(origin: CallOrigin): Promise<readonly Session[]> {
    if (this.#values.length === 0) return [];
    // Security rule (SR-COOKIE-3): no page of elsewhere signs a browser out.
    assertOriginAllowed(this.#exchange, this.#tenant.settings.allowedOrigins);
    await this.#endLive(origin, "logout");
    await this.#removeAll("remove_own");
    return (await this.live()).map(({ session }) => session);
  }

  /** Removes the cookies of a browser whose session has ended. */
  async clear(): Promise<void> {
    await this.#removeAll("remove_own");
  }

  get #ownName(): string {
    return sessionCookieName(this.#tenant);
  }

  get #own(): readonly string[] {
    return this.#all.own;
  }

  get #all(): ReturnType<typeof shownSessionCookies> {
    this.#shown ??= shownSessionCookies(this.#exchange.header("cookie"), this.#tenant, mostSessionCookies);
    return this.#shown;
  }

  /** All distinct values, those of the name in use first. */
  get #values(): readonly string[] {
    return [...new Set([...this.#own, ...[...this.#all.former.values()].flat()])];
  }

  /** `__Host-` is replaced for certain: there is one place where it can be. */
  get #needsTidying(): boolean {
    return this.#all.former.size > 0 || (this.isShown && !this.#ownName.startsWith("__Host-"));
  }

  async #lookAt(values: readonly string[], wish: ReadingWish = strongly): Promise<readonly ShownCookie[]> {
    const wanted = values.slice(0, mostSessionCookies);
    const fresh = wanted.filter((value) => !this.#looked.has(value));
    if (fresh.length > 0) {
      const found = await this.#sessions.lookAt(this.#tenant, fresh, wish);
      for (const [index, cookie] of found.entries()) this.#looked.set(fresh[index] ?? "", cookie);
    }
    return wanted.flatMap((value) => this.#looked.get(value) ?? []);
  }

  /** The caller has shown the secret of each session, so each is recorded as ended by its own holder. */
  async #endLive(origin: CallOrigin, reason: "logout" | "replaced"): Promise<void> {
    for (const { session } of await this.live()) {
      const actor = { kind: "identity", identityId: session.identityId } as const;
      try {
        await this.#sessions.revoke(
          this.#tenant,
          { ...origin, actor },
          session.id,
          session.identityId,
          reason,
        );
      } catch (error) {
        // It is gone already, which is what was wanted.
        if (!(error instanceof DomainError) || error.reason !== "SESSION_NOT_FOUND") throw error;
      }
    }
  }

  /** Removes each cookie that is shown, except where it may be another deployment's. */
  async #removeAll(keepOwn: KeepOwn): Promise<void> {
    const { own, former } = this.#all;
    await this.#lookAt(this.#values);
    // With the one that is set now there would be too many.
    const tooMany = this.#values.length >= mostSessionCookies;
    const stays = (values: readonly string[]) =>
      !tooMany && mayBeOfOthers(values.flatMap((value) => this.#looked.get(value) ?? []));
    for (const [name, values] of former) if (!stays(values)) this.#remove(name, "remove_own");
    if (own.length === 0) return;
    if (!stays(own)) this.#remove(this.#ownName, keepOwn);
    else if (keepOwn === "remove_own") this.#setCookies.push(clearSessionCookie(this.#tenant));
  }

  #remove(name: string, keepOwn: KeepOwn): void {
    this.#setCookies.push(...removeSessionCookie(this.#tenant, name, this.#exchange.path, keepOwn));
  }
}

type KeepOwn = Parameters<typeof removeSessionCookie>[3];

const ambiguous = { kind: "refused", error: domainError("SESSION_COOKIE_AMBIGUOUS", {}) } as const;
