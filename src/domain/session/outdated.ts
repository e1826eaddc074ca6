import type { EventType } from "../event/event.ts";

/**
 * What an event outdates of what is kept of sessions: one session, all sessions of an identity with what is known of that, or nothing.
 */
export type Outdated = "session" | "identity" | "nothing";

/**
 * Security rule (SR-CACHE-1): each type of event has its line here, and so does each new one before it compiles. Where a change comes with
 * several events it is enough that one of them has the ids; a line too many costs one look-up, a missing one keeps a session alive.
 */
const outdated: Readonly<Record<EventType, Outdated>> = {
  // Nobody has a session of an identity that was not there.
  "identity.created": "nothing",
  "identity.updated": "identity",
  "identity.activated": "identity",
  "identity.deactivated": "identity",
  "identity.deleted": "identity",
  "identity.deletion_scheduled": "identity",
  "identity.deletion_cancelled": "identity",
  "identity.disowned": "identity",
  "identity.required_actions_set": "identity",
  "identity.required_action_completed": "identity",
  // Credentials are not kept. But sessions end with them, and what an identity is asked to do may be done.
  "credential.set": "identity",
  "credential.renamed": "identity",
  "credential.second_factor_changed": "identity",
  "credential.deleted": "identity",
  "credential.counter_regressed": "nothing",
  "credential.tokens_read": "nothing",
  // Its token is known to nobody before it is there.
  "session.created": "nothing",
  "session.extended": "session",
  "session.token_replaced": "session",
  "session.revoked": "session",
  // The time of the last login changes, and a login may end other sessions.
  "login.succeeded": "identity",
  "login.failed": "nothing",
  "login.throttled": "nothing",
  "registration.succeeded": "identity",
  "recovery.succeeded": "identity",
  "recovery.held": "nothing",
  "recovery.stopped": "nothing",
  "recovery.started_by_operator": "nothing",
  "verification.started_by_operator": "nothing",
  "address.verified": "identity",
  "address.unverified": "identity",
  "password.checked": "nothing",
  "api_key.created": "nothing",
  "api_key.revoked": "nothing",
  "invitation.created": "nothing",
  "invitation.used": "nothing",
  "invitation.revoked": "nothing",
  "message.sent": "nothing",
  "message.failed": "nothing",
  "message.retried": "nothing",
  "message.readdressed": "nothing",
  "message.bounced": "nothing",
  "message.complained": "nothing",
  "address_mark.cleared": "nothing",
  "throttle.reset": "nothing",
};

/** What an event of a type outdates. A type that only a newer server writes may outdate anything of its identity. */
export function outdatedBy(type: EventType): Outdated {
  return outdated[type] ?? "identity";
}
