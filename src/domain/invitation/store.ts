import type { SealedMessage } from "../courier/outbox.ts";
import type { Event } from "../event/event.ts";
import type { InvitationId } from "../ids.ts";
import type { Page, PageRequest, TenantScope } from "../ports.ts";
import type { Invitation, InvitationState, NewInvitation } from "./invitation.ts";

/** Which invitations to list; undefined filters nothing. */
export interface InvitationFilter {
  /** At `now`. */
  readonly state: InvitationState | undefined;
  readonly now: Date;
  /** Normalised. */
  readonly address: string | undefined;
}

/**
 * Invitations. Implemented in src/storage/invitation-store.ts. They are used by `FlowStore.completeRegistration`, in the
 * statement that makes the account.
 */
export interface InvitationStore {
  /** Stores a new invitation with its event, and what it sends. */
  create(
    scope: TenantScope,
    invitation: NewInvitation,
    event: Event,
    messages: readonly SealedMessage[],
  ): Promise<void>;
  /** The invitation with this id; undefined if there is none. */
  find(scope: TenantScope, id: InvitationId): Promise<Invitation | undefined>;
  /** The invitation whose token has this digest, in any state; undefined if there is none. */
  findByTokenDigest(scope: TenantScope, digest: Uint8Array): Promise<Invitation | undefined>;
  /** Invitations, newest first. */
  list(scope: TenantScope, filter: InvitationFilter, page: PageRequest): Promise<Page<Invitation>>;
  /** Ends an invitation that is pending, with its event. Undefined if there is none that is, and nothing is written. */
  revoke(scope: TenantScope, id: InvitationId, at: Date, event: Event): Promise<Invitation | undefined>;
}
