import type { MessageInitShape } from "@bufbuild/protobuf";
import { AssuranceLevel as ProtoAssuranceLevel } from "../../../../gen/ostiary/option/v1/demand_pb.js";
import {
  AuthenticationMethodKind,
  type SessionSchema,
} from "../../../../gen/ostiary/session/v1/session_pb.js";
import { idleExpiry } from "../../../domain/session/lifetime.ts";
import type { AssuranceLevel, Session } from "../../../domain/session/session.ts";
import type { Tenant } from "../../../domain/tenant/tenant.ts";
import { toTimestamp } from "./common.ts";

const assuranceLevels: Record<AssuranceLevel, ProtoAssuranceLevel> = {
  aal1: ProtoAssuranceLevel.AAL1,
  aal2: ProtoAssuranceLevel.AAL2,
};

const methodKinds: Record<Session["authenticationMethods"][number]["kind"], AuthenticationMethodKind> = {
  password: AuthenticationMethodKind.PASSWORD,
  code: AuthenticationMethodKind.CODE,
  link: AuthenticationMethodKind.LINK,
  code_recovery: AuthenticationMethodKind.CODE_RECOVERY,
  link_recovery: AuthenticationMethodKind.LINK_RECOVERY,
};

/** A session as the contract shows it. */
export function toSession(
  session: Session,
  tenant: Tenant,
  currentId?: Session["id"],
): MessageInitShape<typeof SessionSchema> {
  return {
    id: session.id,
    createTime: toTimestamp(session.createdAt),
    updateTime: toTimestamp(session.updatedAt),
    identityId: session.identityId,
    assuranceLevel: assuranceLevels[session.assuranceLevel],
    authenticationMethods: session.authenticationMethods.map((method) => ({
      kind: methodKinds[method.kind],
      assuranceLevel: assuranceLevels[method.assuranceLevel],
      completeTime: toTimestamp(method.completedAt),
    })),
    authenticateTime: toTimestamp(session.authenticatedAt),
    expireTime: toTimestamp(session.expiresAt),
    lastUseTime: toTimestamp(session.lastUsedAt),
    idleExpireTime: toTimestamp(idleExpiry(session, tenant.settings.session)),
    revokeTime: toTimestamp(session.revokedAt),
    device: { ipAddress: session.device.ipAddress ?? "", userAgent: session.device.userAgent ?? "" },
    current: session.id === currentId,
  };
}

/** A demanded assurance level; unspecified demands nothing. */
export function fromAssuranceLevel(level: ProtoAssuranceLevel): AssuranceLevel | undefined {
  switch (level) {
    case ProtoAssuranceLevel.AAL1:
      return "aal1";
    case ProtoAssuranceLevel.AAL2:
      return "aal2";
    case ProtoAssuranceLevel.UNSPECIFIED:
      return undefined;
    default: {
      const unreachable: never = level;
      return unreachable;
    }
  }
}
