import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  SessionAdminService as Contract,
  ExtendSessionRequest,
  GetSessionRequest,
  ListSessionsRequest,
  RevokeIdentitySessionsRequest,
  RevokeSessionRequest,
} from "../../../../gen/ostiary/session/v1/session_admin_service_pb.js";
import type { Identities } from "../../../domain/identity/identities.ts";
import type { IdentityId, SessionId } from "../../../domain/ids.ts";
import type { Sessions } from "../../../domain/session/sessions.ts";
import { callOf } from "../call.ts";
import { refuseUnserved } from "../convert/common.ts";
import { toSession } from "../convert/session.ts";

interface Deps {
  readonly sessions: Sessions;
  readonly identities: Identities;
}

/** ostiary.session.v1.SessionAdminService. */
export class SessionAdminService implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async listSessions(request: ListSessionsRequest, context: HandlerContext) {
    const call = callOf(context);
    refuseUnserved(request, "atLeast");
    const identityId = request.identityId === "" ? undefined : (request.identityId as IdentityId);
    const { items, nextToken } = await this.#deps.sessions.list(
      call.tenant,
      { identityId, active: request.active },
      { size: request.pageSize, token: request.pageToken },
    );
    return { sessions: items.map((session) => toSession(session, call)), nextPageToken: nextToken };
  }

  async getSession(request: GetSessionRequest, context: HandlerContext) {
    const call = callOf(context);
    refuseUnserved(request, "atLeast");
    return {
      session: toSession(await this.#deps.sessions.get(call.tenant, request.sessionId as SessionId), call),
    };
  }

  async revokeSession(request: RevokeSessionRequest, context: HandlerContext) {
    const call = callOf(context);
    const id = request.sessionId as SessionId;
    const revoked = await this.#deps.sessions.revoke(call.tenant, call.origin, id, undefined);
    return { session: toSession(revoked, call) };
  }

  async revokeIdentitySessions(request: RevokeIdentitySessionsRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const identity = await this.#deps.identities.get(tenant, request.identityId as IdentityId);
    return { revokedCount: await this.#deps.sessions.revokeAll(tenant, origin, identity.id, undefined) };
  }

  async extendSession(request: ExtendSessionRequest, context: HandlerContext) {
    const call = callOf(context);
    const session = await this.#deps.sessions.get(call.tenant, request.sessionId as SessionId);
    return { session: toSession(await this.#deps.sessions.extend(call.tenant, call.origin, session), call) };
  }
}
