import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type InvitationService as Contract,
  type CreateInvitationRequest,
  CreateInvitationResponseSchema,
  type GetInvitationRequest,
  type ListInvitationsRequest,
  type RevokeInvitationRequest,
} from "../../../../gen/ostiary/identity/v1/invitation_service_pb.js";
import type { IdempotencyRunner } from "../../../domain/idempotency/idempotency.ts";
import type { InvitationId } from "../../../domain/ids.ts";
import type { Invitations } from "../../../domain/invitation/invitations.ts";
import { callOf } from "../call.ts";
import { fromExpiration, fromStruct } from "../convert/common.ts";
import { fromInvitationState, toInvitation } from "../convert/invitation.ts";
import { runOnce } from "./idempotent.ts";

interface Deps {
  readonly invitations: Invitations;
  readonly idempotency: IdempotencyRunner;
}

/** ostiary.identity.v1.InvitationService. */
export class InvitationService implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  createInvitation(request: CreateInvitationRequest, context: HandlerContext) {
    const call = callOf(context);
    const once = { method: "CreateInvitation", request, response: CreateInvitationResponseSchema };
    return runOnce(this.#deps.idempotency, call, once, async (scope) => {
      const created = await this.#deps.invitations.create(call.tenant, scope, call.origin, {
        address: request.address,
        schemaId: request.schemaId,
        traits: fromStruct(request.traits) ?? {},
        publicMetadata: fromStruct(request.publicMetadata) ?? {},
        adminMetadata: fromStruct(request.adminMetadata) ?? {},
        expiration: fromExpiration(request.expiration),
        language: request.language,
      });
      return {
        invitation: toInvitation(created.invitation, call.now),
        invitationToken: created.handedOver?.token.reveal() ?? "",
        registrationUrl: created.handedOver?.url?.reveal() ?? "",
      };
    });
  }

  async getInvitation(request: GetInvitationRequest, context: HandlerContext) {
    const { tenant, now } = callOf(context);
    const invitation = await this.#deps.invitations.get(tenant, request.invitationId as InvitationId);
    return { invitation: toInvitation(invitation, now) };
  }

  async listInvitations(request: ListInvitationsRequest, context: HandlerContext) {
    const { tenant, now } = callOf(context);
    const filter = { state: fromInvitationState(request.state), address: request.address };
    const page = { size: request.pageSize, token: request.pageToken };
    const { items, nextToken } = await this.#deps.invitations.list(tenant, filter, page);
    return { invitations: items.map((item) => toInvitation(item, now)), nextPageToken: nextToken };
  }

  async revokeInvitation(request: RevokeInvitationRequest, context: HandlerContext) {
    const { tenant, origin, now } = callOf(context);
    const invitation = await this.#deps.invitations.revoke(
      tenant,
      origin,
      request.invitationId as InvitationId,
    );
    return { invitation: toInvitation(invitation, now) };
  }
}
