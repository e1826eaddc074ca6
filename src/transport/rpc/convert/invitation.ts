import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type InvitationSchema,
  InvitationState as ProtoInvitationState,
} from "../../../../gen/ostiary/identity/v1/invitation_pb.js";
import { type Invitation, type InvitationState, stateOf } from "../../../domain/invitation/invitation.ts";
import { toStruct, toTimestamp } from "./common.ts";

const states: Record<InvitationState, ProtoInvitationState> = {
  pending: ProtoInvitationState.PENDING,
  used: ProtoInvitationState.USED,
  expired: ProtoInvitationState.EXPIRED,
  revoked: ProtoInvitationState.REVOKED,
};

/** An invitation as it stands at a moment, without its token. */
export function toInvitation(invitation: Invitation, now: Date): MessageInitShape<typeof InvitationSchema> {
  return {
    id: invitation.id,
    createTime: toTimestamp(invitation.createdAt),
    updateTime: toTimestamp(invitation.usedAt ?? invitation.revokedAt ?? invitation.createdAt),
    expireTime: toTimestamp(invitation.expiresAt),
    state: states[stateOf(invitation, now)],
    address: invitation.address?.value ?? "",
    schemaId: invitation.schemaId,
    traits: toStruct(invitation.traits),
    publicMetadata: toStruct(invitation.publicMetadata),
    adminMetadata: toStruct(invitation.adminMetadata),
    identityId: invitation.identityId ?? "",
    useTime: toTimestamp(invitation.usedAt),
    revokeTime: toTimestamp(invitation.revokedAt),
  };
}

/** A state to filter by; unspecified filters nothing. */
export function fromInvitationState(state: ProtoInvitationState): InvitationState | undefined {
  switch (state) {
    case ProtoInvitationState.PENDING:
      return "pending";
    case ProtoInvitationState.USED:
      return "used";
    case ProtoInvitationState.EXPIRED:
      return "expired";
    case ProtoInvitationState.REVOKED:
      return "revoked";
    case ProtoInvitationState.UNSPECIFIED:
      return undefined;
    default: {
      const unreachable: never = state;
      return unreachable;
    }
  }
}
