import type { MessageInitShape } from "@bufbuild/protobuf";
import { AssuranceLevel as ProtoAssuranceLevel } from "../../../../gen/ostiary/option/v1/demand_pb.js";
import {
  AuthenticationPurpose as ProtoAuthenticationPurpose,
  SessionState as ProtoSessionState,
  type SessionSchema,
} from "../../../../gen/ostiary/session/v1/session_pb.js";
import type { Identity } from "../../../domain/identity/identity.ts";
import { idleExpiry, type SessionState, sessionState } from "../../../domain/session/lifetime.ts";
import type { AssuranceLevel, AuthenticationPurpose, Session } from "../../../domain/session/session.ts";
import type { Tenant } from "../../../domain/tenant/tenant.ts";
import { toTimestamp } from "./common.ts";
import { methodKinds } from "./method.ts";
import { toPendingActions } from "./required-action.ts";

/** The levels of assurance as the contract names them. */
export const assuranceLevels: Record<AssuranceLevel, ProtoAssuranceLevel> = {
  aal1: ProtoAssuranceLevel.AAL1,
  aal2: ProtoAssuranceLevel.AAL2,
};
const purposes: Record<AuthenticationPurpose, ProtoAuthenticationPurpose> = {
  sign_in: ProtoAuthenticationPurpose.SIGN_IN,
  registration: ProtoAuthenticationPurpose.REGISTRATION,
  recovery: ProtoAuthenticationPurpose.RECOVERY,
};
const states: Record<SessionState, ProtoSessionState> = {
  active: ProtoSessionState.ACTIVE,
  expired: ProtoSessionState.EXPIRED,
  revoked: ProtoSessionState.REVOKED,
};

/** A session as the contract shows it to a call; with the identity also what that is asked to do. */
export function toSession(
  session: Session,
  { tenant, now }: { readonly tenant: Tenant; readonly now: Date },
  { currentId, identity }: { readonly currentId?: Session["id"]; readonly identity?: Identity } = {},
): MessageInitShape<typeof SessionSchema> {
  const settings = tenant.settings.session;
  return {
    id: session.id,
    createTime: toTimestamp(session.createdAt),
    updateTime: toTimestamp(session.updatedAt),
    state: states[sessionState(session, settings, now)],
    identityId: session.identityId,
    assuranceLevel: assuranceLevels[session.assuranceLevel],
    authenticationMethods: session.authenticationMethods.map((method) => ({
      kind: methodKinds[method.kind],
      purpose: purposes[method.purpose],
      assuranceLevel: assuranceLevels[method.assuranceLevel],
      userVerified: method.userVerified ?? false,
      credentialId: method.credentialId ?? "",
      provider: method.provider ?? "",
      completeTime: toTimestamp(method.completedAt),
    })),
    authenticateTime: toTimestamp(session.authenticatedAt),
    expireTime: toTimestamp(session.expiresAt),
    lastUseTime: toTimestamp(session.lastUsedAt),
    idleExpireTime: toTimestamp(idleExpiry(session, settings)),
    revokeTime: toTimestamp(session.revokedAt),
    device: { ipAddress: session.device.ipAddress ?? "", userAgent: session.device.userAgent ?? "" },
    current: session.id === currentId,
    pendingActions: identity && toPendingActions(identity, { tenant, now }),
  };
}
