import type { EventType } from "../event/event.ts";
import type { FeedEvent } from "../event/feed.ts";
import type { IdentityId, SessionId } from "../ids.ts";

/** What can happen to a session that an answer about it said something of. */
export type SessionChangeKind =
  | "revoked"
  | "extended"
  | "token_replaced"
  | "identity_changed"
  | "identity_disabled"
  | "identity_deleted"
  | "factors_changed"
  | "actions_changed";

/** What has happened to one session, or to those of one identity. */
export interface SessionChange {
  readonly kind: SessionChangeKind;
  /** Undefined: several sessions of the identity, mostly all. */
  readonly sessionId: SessionId | undefined;
  readonly identityId: IdentityId | undefined;
  /** The number of the transaction that made it. */
  readonly sequence: bigint;
}

/**
 * What each event is to those who keep answers of session checks; undefined: nothing, because no answer says anything of it, or
 * because another event of the same transaction tells it. A session that was just made was in no answer.
 */
const kinds: Readonly<Record<EventType, SessionChangeKind | undefined>> = {
  "identity.created": undefined,
  "identity.updated": "identity_changed",
  "identity.activated": "identity_changed",
  "identity.deactivated": "identity_disabled",
  "identity.deleted": "identity_deleted",
  "identity.deletion_scheduled": "identity_changed",
  "identity.deletion_cancelled": "identity_changed",
  "identity.disowned": "identity_changed",
  "identity.required_actions_set": "actions_changed",
  "identity.required_action_completed": "actions_changed",
  "credential.set": "factors_changed",
  "credential.renamed": undefined,
  "credential.second_factor_changed": "factors_changed",
  "credential.deleted": "factors_changed",
  "credential.counter_regressed": undefined,
  "credential.tokens_read": undefined,
  "session.created": undefined,
  "session.extended": "extended",
  "session.token_replaced": "token_replaced",
  "session.revoked": "revoked",
  "login.succeeded": undefined,
  "login.failed": undefined,
  "login.throttled": undefined,
  "registration.succeeded": undefined,
  "recovery.succeeded": undefined,
  "recovery.held": undefined,
  "recovery.stopped": undefined,
  "recovery.started_by_operator": undefined,
  "verification.started_by_operator": undefined,
  "address.verified": "identity_changed",
  "address.unverified": "identity_changed",
  "password.checked": undefined,
  "api_key.created": undefined,
  "api_key.revoked": undefined,
  "invitation.created": undefined,
  "invitation.used": undefined,
  "invitation.revoked": undefined,
  "message.sent": undefined,
  "message.failed": undefined,
  "message.retried": undefined,
  "message.readdressed": undefined,
  "message.bounced": undefined,
  "message.complained": undefined,
  "address_mark.cleared": undefined,
  "throttle.reset": undefined,
};

/** The events that change no session. One that only a newer server writes is not among them. */
export const otherEventTypes: readonly EventType[] = (Object.keys(kinds) as EventType[]).filter(
  (type) => kinds[type] === undefined,
);

/** What an event has changed about sessions; undefined: nothing. A type that only a newer server writes may have changed anything. */
export function sessionChangeOf({
  type,
  identityId,
  sessionId,
  sequence,
}: Omit<FeedEvent, "tenantId" | "data">): SessionChange | undefined {
  const kind = Object.hasOwn(kinds, type) ? kinds[type] : "identity_changed";
  if (kind === undefined || (identityId === undefined && sessionId === undefined)) return undefined;
  // Events of a change of the identity may name the session that it was made in; they concern all of them.
  const isOfOne = type.startsWith("session.");
  return { kind, sessionId: isOfOne ? sessionId : undefined, identityId, sequence };
}
