/** What an invitation means for a registration. */

import { domainError } from "../../errors.ts";
import { type CallOrigin, type Event, newEvent } from "../../event/event.ts";
import type { StepRejected } from "../../form/rejection.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import { isSameAddress } from "../../identity/addresses.ts";
import type { Identity } from "../../identity/identity.ts";
import type { InvitationId } from "../../ids.ts";
import type { InvitedAccount } from "../../invitation/invitation.ts";
import type { Invitations } from "../../invitation/invitations.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import * as texts from "../../user-message/user-messages.ts";
import type { RegistrationPurpose } from "./state.ts";

/** What a flow remembers of its invitation: all of it, since nothing of an invitation changes but whether it has ended. */
export interface FlowInvitation extends InvitedAccount {
  readonly id: InvitationId;
}

/**
 * What a registration begins with. Throws REGISTRATION_DISABLED, INVITATION_REQUIRED, INVITATION_INVALID, SCHEMA_NOT_FOUND.
 * One round trip with an invitation, none without.
 */
export async function registrationPurpose(
  invitations: Pick<Invitations, "open">,
  tenant: Tenant,
  wanted: { readonly schemaId: string; readonly invitationToken: string },
): Promise<RegistrationPurpose> {
  const { registration, defaultSchemaId, selfServiceSchemaIds } = tenant.settings;
  if (registration.mode === "closed") throw domainError("REGISTRATION_DISABLED", {});
  if (wanted.invitationToken !== "") {
    const invitation = await invitations.open(tenant, wanted.invitationToken);
    const { id, schemaId, address, traits, publicMetadata, adminMetadata } = invitation;
    return { schemaId, invitation: { id, address, traits, publicMetadata, adminMetadata } };
  }
  assertOpen(tenant, { invitation: undefined });
  const schemaId = wanted.schemaId === "" ? defaultSchemaId : wanted.schemaId;
  // A schema that is not for self-service is answered as one that does not exist.
  if (!selfServiceSchemaIds.has(schemaId)) throw domainError("SCHEMA_NOT_FOUND", { schemaId });
  return { schemaId };
}

/**
 * Throws REGISTRATION_DISABLED, INVITATION_REQUIRED.
 *
 * Security rule (SR-INVITE-1): asked at every step, so that a flow which began before an invitation was required makes no account.
 */
export function assertOpen(
  tenant: Tenant,
  { invitation }: { readonly invitation?: FlowInvitation | undefined },
): void {
  const { mode } = tenant.settings.registration;
  if (mode === "closed") throw domainError("REGISTRATION_DISABLED", {});
  if (mode === "invitation" && invitation === undefined) throw domainError("INVITATION_REQUIRED", {});
}

/**
 * The address that the holder of the invitation has shown to be theirs.
 *
 * Security rule (SR-INVITE-3): only one that the invitation was sent to, and nobody else saw its token; what was handed over shows
 * nothing. It counts where it is exactly the address of the account, and no other address counts because of it.
 */
export function provenByInvitation({
  invitation,
}: {
  readonly invitation?: FlowInvitation | undefined;
}): readonly ContactAddress[] {
  return invitation?.address === undefined ? [] : [invitation.address];
}

/** Whether an address is among those that were proven. */
export function isProven(proven: readonly ContactAddress[], address: ContactAddress): boolean {
  return proven.some((target) => isSameAddress(target, address));
}

/** What is recorded of an invitation when it makes an account. */
export function invitationEvents(
  invitation: FlowInvitation | undefined,
  { id: identityId, createdAt }: Identity,
  origin: CallOrigin,
): readonly Event[] {
  if (invitation === undefined) return [];
  const about = { identityId, data: { invitationId: invitation.id } };
  return [newEvent("invitation.used", createdAt, origin, about)];
}

/** The answer to a registration whose invitation was used, revoked or expired before it completed. */
export function invitationGone(): StepRejected {
  const problems = { fields: [], form: [texts.invitationGone()] };
  return { kind: "rejected", reason: "INVITATION_INVALID", problems };
}
