import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  SessionAdminService as Contract,
  GetSessionRequest,
  RevokeIdentitySessionsRequest,
  SessionAdminServiceExtendSessionRequest,
  SessionAdminServiceListSessionsRequest,
  SessionAdminServiceRevokeSessionRequest,
} from "../../../gen/ostiary/session/v1/session_admin_service_pb.js";
import type { Identities } from "../../domain/identity/identities.ts";
import type { IdentityId, SessionId } from "../../domain/ids.ts";
import type { Sessions } from "../../domain/session/sessions.ts";
import { callOf } from "./call.ts";
import { toSession } from "./convert/session.ts";

/** ostiary.session.v1.SessionAdminService. */
export class SessionAdminService implements ServiceImpl<typeof Contract> {
  readonly #sessions: Sessions;
  readonly #identities: Identities;

  constructor({ sessions, identities }: { sessions: Sessions; identities: Identities }) {
    this.#sessions = sessions;
    this.#identities = identities;
  }

  async listSessions(request: SessionAdminServiceListSessionsRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    const identityId = request.identityId === "" ? undefined : (request.identityId as IdentityId);
    const { items, nextToken } = await this.#sessions.list(
      tenant,
      { identityId, active: request.active },
      { size: request.pageSize, token: request.pageToken },
    );
    return { sessions: items.map((session) => toSession(session, tenant)), nextPageToken: nextToken };
  }

  async getSession(request: GetSessionRequest, context: HandlerContext) {
    const { tenant } = callOf(context);
    return { session: toSession(await this.#sessions.get(tenant, request.sessionId as SessionId), tenant) };
  }

  async revokeSession(request: SessionAdminServiceRevokeSessionRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    await this.#sessions.revoke(tenant, origin, request.sessionId as SessionId, undefined);
    return {};
  }

  async revokeIdentitySessions(request: RevokeIdentitySessionsRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const identity = await this.#identities.get(tenant, request.identityId as IdentityId);
    return { revokedCount: await this.#sessions.revokeAll(tenant, origin, identity.id, undefined) };
  }

  async extendSession(request: SessionAdminServiceExtendSessionRequest, context: HandlerContext) {
    const { tenant, origin } = callOf(context);
    const session = await this.#sessions.get(tenant, request.sessionId as SessionId);
    return { session: toSession(await this.#sessions.extend(tenant, origin, session), tenant) };
  }
}
