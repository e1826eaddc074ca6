import { durationMs } from "@bufbuild/protobuf/wkt";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type CheckSessionRequest,
  type SessionService as Contract,
  type ExtendSessionRequest,
  type GetCurrentSessionRequest,
  type ListOwnLoginsRequest,
  type ListSessionsRequest,
  type LogoutRequest,
  type RevokeOtherSessionsRequest,
  type RevokeSessionRequest,
  SessionView,
} from "../../../gen/ostiary/session/v1/session_service_pb.js";
import type { LoginHistory } from "../../domain/event/login-history.ts";
import type { SessionId } from "../../domain/ids.ts";
import type { SessionCredential } from "../../domain/session/credential.ts";
import type { AuthenticatedSession } from "../../domain/session/session.ts";
import type { Sessions } from "../../domain/session/sessions.ts";
import { clearSessionCookie, sessionCookie, sessionCookieName } from "../http/cookies.ts";
import { type Call, callOf } from "./call.ts";
import { toIdentityProfile } from "./convert/identity.ts";
import { toLoginRecord } from "./convert/login-record.ts";
import { fromAssuranceLevel, toSession } from "./convert/session.ts";

/** ostiary.session.v1.SessionService. */
export class SessionService implements ServiceImpl<typeof Contract> {
  readonly #sessions: Sessions;
  readonly #logins: LoginHistory;

  constructor({ sessions, logins }: { sessions: Sessions; logins: LoginHistory }) {
    this.#sessions = sessions;
    this.#logins = logins;
  }

  getCurrentSession(_request: GetCurrentSessionRequest, context: HandlerContext) {
    const call = callOf(context);
    const { session, identity } = holderOf(call);
    return { session: toSession(session, call.tenant, session.id), identity: toIdentityProfile(identity) };
  }

  async checkSession(request: CheckSessionRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    const { session, identity } = await this.#sessions.check(tenant, credentialOf(request), {
      assuranceLevel: fromAssuranceLevel(request.requiredAssuranceLevel),
      maxAuthenticationAgeMs:
        request.maxAuthenticationAge === undefined ? undefined : durationMs(request.maxAuthenticationAge),
    });
    const withIdentity = request.view !== SessionView.SESSION;
    return {
      session: toSession(session, tenant),
      identity: withIdentity ? toIdentityProfile(identity) : undefined,
    };
  }

  async listSessions(request: ListSessionsRequest, context: HandlerContext) {
    const call = callOf(context);
    const { session: current } = holderOf(call);
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#sessions.listOwn(call.tenant, current.identityId, page);
    return {
      sessions: items.map((session) => toSession(session, call.tenant, current.id)),
      nextPageToken: nextToken,
    };
  }

  async revokeSession(request: RevokeSessionRequest, context: HandlerContext) {
    const call = callOf(context);
    const { session } = holderOf(call);
    const id = request.sessionId as SessionId;
    await this.#sessions.revoke(call.tenant, call.origin, id, session.identityId);
    if (id === session.id) clearOwnCookie(call);
    return {};
  }

  async revokeOtherSessions(_request: RevokeOtherSessionsRequest, context: HandlerContext) {
    const call = callOf(context);
    const { session } = holderOf(call);
    const revokedCount = await this.#sessions.revokeAll(
      call.tenant,
      call.origin,
      session.identityId,
      session.id,
    );
    return { revokedCount };
  }

  async logout(_request: LogoutRequest, context: HandlerContext) {
    const call = callOf(context);
    const { session } = holderOf(call);
    await this.#sessions.revoke(call.tenant, call.origin, session.id, session.identityId, "logout");
    clearOwnCookie(call);
    return {};
  }

  async extendSession(_request: ExtendSessionRequest, context: HandlerContext) {
    const call = callOf(context);
    const { session } = holderOf(call);
    const extended = await this.#sessions.extend(call.tenant, call.origin, session);
    const token = call.cookie(sessionCookieName(call.tenant));
    if (call.caller.kind === "session" && call.caller.credential === "cookie" && token !== undefined) {
      call.setCookie(sessionCookie(call.tenant, token, { now: call.now, expiresAt: extended.expiresAt }));
    }
    return { session: toSession(extended, call.tenant, extended.id) };
  }

  async listOwnLogins(request: ListOwnLoginsRequest, context: HandlerContext) {
    const call = callOf(context);
    const { identity } = holderOf(call);
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#logins.list(call.tenant, identity.id, page, 250);
    return { records: items.map(toLoginRecord), nextPageToken: nextToken };
  }
}

function holderOf(call: Call): AuthenticatedSession {
  if (call.caller.kind !== "session") throw new Error("the access option lets only session holders through");
  return call.caller;
}

function clearOwnCookie(call: Call): void {
  if (call.caller.kind === "session" && call.caller.credential === "cookie") {
    call.setCookie(clearSessionCookie(call.tenant));
  }
}

function credentialOf({ credential }: CheckSessionRequest): SessionCredential {
  switch (credential.case) {
    case "token":
      return { kind: "session", text: credential.value };
    case "cookie":
      return { kind: "session_cookie", text: credential.value };
    case undefined:
      throw new Error("validation lets no request without a credential through");
    default: {
      const unreachable: never = credential;
      return unreachable;
    }
  }
}
