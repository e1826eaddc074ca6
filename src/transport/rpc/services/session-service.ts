import { durationMs, timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type CheckSessionRequest,
  type SessionService as Contract,
  type ExtendCurrentSessionRequest,
  type GetCurrentSessionRequest,
  type IssueTokenRequest,
  type ListOwnLoginHistoryRequest,
  type ListOwnSessionsRequest,
  type LogoutRequest,
  type RevokeOtherSessionsRequest,
  type RevokeOwnSessionRequest,
  SessionView,
} from "../../../../gen/ostiary/session/v1/session_service_pb.js";
import { DomainError } from "../../../domain/errors.ts";
import type { LoginHistory } from "../../../domain/event/login-history.ts";
import type { Identity } from "../../../domain/identity/identity.ts";
import type { SessionId } from "../../../domain/ids.ts";
import type { ProviderSignOuts } from "../../../domain/method/oidc/provider-sign-outs.ts";
import type { OAuth2Logouts } from "../../../domain/oauth2/logouts.ts";
import { assertMeets, type Demand, firstUnmet } from "../../../domain/session/demands.ts";
import type { Session } from "../../../domain/session/session.ts";
import { includesPosition } from "../../../domain/session/session-cache.ts";
import type { ReadingWish } from "../../../domain/session/session-reader.ts";
import type { Sessions } from "../../../domain/session/sessions.ts";
import type { SignedTokens } from "../../../domain/signed-token/signed-tokens.ts";
import type { Tenant } from "../../../domain/tenant/tenant.ts";
import { cookieText, sessionCookie, sessionCookieName } from "../../net/cookies.ts";
import type { SessionCaller } from "../access.ts";
import { type Call, callOf } from "../call.ts";
import { refuseUnserved } from "../convert/common.ts";
import { fromDemands } from "../convert/demand.ts";
import { toLoginRecord } from "../convert/login-record.ts";
import { fromReadingWish } from "../convert/reading.ts";
import { toSession } from "../convert/session.ts";
import { answerWithParts } from "../unary/encoded-answer.ts";
import { CheckAnswers } from "./check-answers.ts";
import type { IdentityProfiles } from "./identity-profiles.ts";

interface Deps {
  readonly sessions: Sessions;
  readonly signedTokens: SignedTokens;
  readonly logins: LoginHistory;
  readonly oauth2Logouts: OAuth2Logouts;
  readonly profiles: IdentityProfiles;
  readonly providerSignOuts: ProviderSignOuts;
}

/** ostiary.session.v1.SessionService. */
export class SessionService implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;
  readonly #answers: CheckAnswers;

  constructor(deps: Deps) {
    this.#deps = deps;
    this.#answers = new CheckAnswers(deps.profiles);
  }

  async getCurrentSession(request: GetCurrentSessionRequest, context: HandlerContext) {
    const call = callOf(context);
    const holder = await freshHolderOf(call, fromDemands(request.demands), fromReadingWish(request));
    const { session, identity } = holder;
    const cookie = cookieOf(call);
    const otherIdentityShown = cookie?.otherIdentity ?? false;
    // What tells of another identity stays until the next login or logout, so that each page can say so.
    if (cookie !== undefined && !otherIdentityShown)
      call.browser.tidy(sessionCookieOf(call, cookie.value, session));
    return {
      session: toSession(session, call, { currentId: session.id, identity }),
      identity: await this.#profileOf(call, identity, request.view),
      otherIdentityShown,
    };
  }

  async checkSession(request: CheckSessionRequest, context: HandlerContext) {
    const call = callOf(context);
    const { sessions } = this.#deps;
    const credential = credentialOf(call.tenant, request);
    const demands = fromDemands(request.demands);
    const found = await sessions.check(call.tenant, credential, demands, fromReadingWish(request));
    const answers = this.#answers;
    const until = sessions.mayBeKeptUntil(call.tenant, found, demands);
    const parts = [answers.session(call, found), answers.freshness(call, found.reading.position, until)];
    // Traits are personal data, so they are only in an answer to a request for them.
    if (request.view === SessionView.FULL) parts.push(await answers.identity(call, found));
    return answerWithParts(call, parts);
  }

  async listOwnSessions(request: ListOwnSessionsRequest, context: HandlerContext) {
    const call = callOf(context);
    refuseUnserved(request, "atLeast");
    const { session: current } = holderOf(call);
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#deps.sessions.listOwn(call.tenant, current.identityId, page);
    return {
      sessions: items.map((session) => toSession(session, call, { currentId: current.id })),
      nextPageToken: nextToken,
    };
  }

  async revokeOwnSession(request: RevokeOwnSessionRequest, context: HandlerContext) {
    const call = callOf(context);
    const { session } = holderOf(call);
    const id = request.sessionId as SessionId;
    const revoked = await this.#deps.sessions.revoke(call.tenant, call.origin, id, session.identityId);
    if (id === session.id && cookieOf(call) !== undefined) await call.browser.clear();
    return { session: toSession(revoked, call, { currentId: session.id }) };
  }

  async revokeOtherSessions(_request: RevokeOtherSessionsRequest, context: HandlerContext) {
    const call = callOf(context);
    const { session } = holderOf(call);
    const revokedCount = await this.#deps.sessions.revokeAll(
      call.tenant,
      call.origin,
      session.identityId,
      session.id,
    );
    return { revokedCount };
  }

  async logout({ logoutChallenge, returnTo }: LogoutRequest, context: HandlerContext) {
    const call = callOf(context);
    const { oauth2Logouts, providerSignOuts } = this.#deps;
    const signOut = () => (call.hasBearerToken ? this.#endBearer(call) : call.browser.signOut(call.origin));
    providerSignOuts.assertReturnTo(call.tenant, returnTo);
    // The OAuth2 server leads the browser on from there.
    if (logoutChallenge !== "")
      return { redirectUrl: await oauth2Logouts.run(call.tenant, logoutChallenge, signOut) };
    return { redirectUrl: await providerSignOuts.urlAfter(call.tenant, await signOut(), returnTo) };
  }

  async issueToken({ audience, lifetime, template }: IssueTokenRequest, context: HandlerContext) {
    const call = callOf(context);
    const lifetimeMs = lifetime && durationMs(lifetime);
    const ask = { audience, lifetimeMs, template };
    const { token, expiresAt } = await this.#deps.signedTokens.issue(call.tenant, holderOf(call), ask);
    return { token: token.reveal(), expireTime: timestampFromDate(expiresAt) };
  }

  /** The identity of a session. Traits are personal data, so they are only in an answer to a request for them. */
  async #profileOf(call: Call, identity: Identity, view: SessionView) {
    return view === SessionView.FULL ? this.#deps.profiles.in(call)(identity) : undefined;
  }

  /** Ends the session of the bearer token. The holder of an ended session is signed out already, so that is no error. */
  async #endBearer(call: Call): Promise<readonly Session[]> {
    try {
      const { session } = await call.session();
      const origin = { ...call.origin, actor: { kind: "identity", identityId: session.identityId } } as const;
      await this.#deps.sessions.revoke(call.tenant, origin, session.id, session.identityId, "logout");
      return [session];
    } catch (error) {
      if (error instanceof DomainError && error.reason.startsWith("SESSION_")) return [];
      throw error;
    }
  }

  async extendCurrentSession(_request: ExtendCurrentSessionRequest, context: HandlerContext) {
    const call = callOf(context);
    const { session } = holderOf(call);
    const extended = await this.#deps.sessions.extend(call.tenant, call.origin, session);
    const cookie = cookieOf(call);
    if (cookie !== undefined) call.setCookie(sessionCookieOf(call, cookie.value, extended));
    return { session: toSession(extended, call, { currentId: extended.id }) };
  }

  async listOwnLoginHistory(request: ListOwnLoginHistoryRequest, context: HandlerContext) {
    const call = callOf(context);
    const { identity } = holderOf(call);
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#deps.logins.list(call.tenant, identity.id, page, 250);
    return { records: items.map(toLoginRecord), nextPageToken: nextToken };
  }
}

function holderOf(call: Call): SessionCaller {
  if (call.caller.kind !== "session") throw new Error("the access option lets only session holders through");
  return call.caller;
}

/**
 * The caller, as fresh as the request asks for, which was not read yet when they were let through. Throws a SESSION_ reason, and
 * POSITION_NOT_INCLUDED.
 */
async function freshHolderOf(
  call: Call,
  demands: readonly Demand[],
  wish: ReadingWish,
): Promise<SessionCaller> {
  const holder = holderOf(call);
  const { isStrong, isRecent, position } = holder.reading;
  const isFresh = (isStrong || wish.consistency !== "strong") && includesPosition(position, wish.atLeast);
  if (isFresh) {
    const unmet = firstUnmet(holder, demands, call);
    if (unmet === undefined) return holder;
    if (isRecent) throw unmet;
  }
  const again = await call.authenticateAgain({ ...wish, consistency: "strong" });
  assertMeets(again, demands, call);
  return again;
}

/** The cookie that the caller's session was shown by; undefined for a bearer token. */
function cookieOf({ caller }: Call): { readonly value: string; readonly otherIdentity: boolean } | undefined {
  return caller.kind === "session" && caller.credential === "cookie" ? caller.cookie : undefined;
}

function sessionCookieOf(call: Call, value: string, { expiresAt }: Session): string {
  return sessionCookie(call.tenant, value, { now: call.now, expiresAt });
}

function credentialOf(tenant: Tenant, { token, cookies }: CheckSessionRequest) {
  if (cookies.length > 0) return { kind: "session_cookies", values: valuesOf(tenant, cookies) } as const;
  return { kind: "session", text: token } as const;
}

/**
 * The values that count among cookies as another server was sent them. Security rule (SR-COOKIE-1): a name that this server does not set
 * proves nothing here, whatever guard lets it through.
 */
function valuesOf(tenant: Tenant, cookies: readonly string[]): readonly string[] {
  const ownName = sessionCookieName(tenant);
  const values = cookies.flatMap((cookie) => {
    const equals = cookie.indexOf("=");
    if (equals >= 0 && cookie.slice(0, equals) !== ownName) return [];
    return [cookieText(cookie.slice(equals + 1))];
  });
  return [...new Set(values)];
}
