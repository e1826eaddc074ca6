import type { AddressKind } from "../identity/identity.ts";
import type { IdentityId, InvitationId } from "../ids.ts";
import { hasPassed, type Instant, type Never, never } from "../instant.ts";
import type { JsonObject } from "../json.ts";

/** State of an invitation. */
export type InvitationState = "pending" | "used" | "expired" | "revoked";

/** Initial values of the account that is made with an invitation. */
export interface InvitedAccount {
  /** The address that it was sent to, normalised. Undefined: it was handed over, so no address is known. */
  readonly address: { readonly kind: AddressKind; readonly value: string } | undefined;
  /** Initial values of the form. The person who registers can change them. */
  readonly traits: JsonObject;
  readonly publicMetadata: JsonObject;
  readonly adminMetadata: JsonObject;
}

/** An invitation without its token. */
export interface Invitation extends InvitedAccount {
  readonly id: InvitationId;
  readonly createdAt: Date;
  readonly expiresAt: Instant;
  readonly schemaId: string;
  readonly usedAt: Instant | Never;
  /** Identity that registered with it. */
  readonly identityId: IdentityId | undefined;
  readonly revokedAt: Instant | Never;
}

/** An invitation to store, with the digest of its token. */
export interface NewInvitation extends Invitation {
  readonly tokenDigest: Uint8Array;
}

/** State of an invitation at a moment. */
export function stateOf(invitation: Invitation, now: Date): InvitationState {
  if (invitation.usedAt !== never) return "used";
  if (invitation.revokedAt !== never) return "revoked";
  return hasPassed(invitation.expiresAt, now) ? "expired" : "pending";
}
