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

/** What an event does to what is known of sessions. */
interface Effect {
  /** What the server's own cache forgets: one session, or all sessions of an identity with what is known of that. */
  readonly outdates: "session" | "identity" | "nothing";
  /** What those are told who keep answers of session checks; undefined: nothing, because no answer says anything of it. */
  readonly told?: SessionChangeKind;
}

const nothing: Effect = { outdates: "nothing" };

/**
 * Security rule (SR-CACHE-1): each type of event has its line here, and so does each new one before it compiles. Where a change comes with
 * several events it is enough that one of them has the ids; a line too many costs one look-up, a missing one keeps a session alive.
 */
const effects: Readonly<Record<EventType, Effect>> = {
  // Nobody has a session of an identity that was not there.
  "identity.created": nothing,
  "identity.updated": { outdates: "identity", told: "identity_changed" },
  "identity.activated": { outdates: "identity", told: "identity_changed" },
  "identity.deactivated": { outdates: "identity", told: "identity_disabled" },
  "identity.deleted": { outdates: "identity", told: "identity_deleted" },
  "identity.deletion_scheduled": { outdates: "identity", told: "identity_changed" },
  "identity.deletion_cancelled": { outdates: "identity", told: "identity_changed" },
  "identity.disowned": { outdates: "identity", told: "identity_changed" },
  "identity.required_actions_set": { outdates: "identity", told: "actions_changed" },
  "identity.required_action_completed": { outdates: "identity", told: "actions_changed" },
  // Credentials are in no answer. But sessions end with them, and what an identity is asked to do may be done.
  "credential.set": { outdates: "identity", told: "factors_changed" },
  "credential.renamed": { outdates: "identity" },
  "credential.second_factor_changed": { outdates: "identity", told: "factors_changed" },
  "credential.deleted": { outdates: "identity", told: "factors_changed" },
  "credential.counter_regressed": nothing,
  "credential.tokens_read": nothing,
  // Its token is known to nobody before it is there.
  "session.created": nothing,
  "session.extended": { outdates: "session", told: "extended" },
  "session.token_replaced": { outdates: "session", told: "token_replaced" },
  "session.revoked": { outdates: "session", told: "revoked" },
  // The time of the last login is kept, and in no answer. The sessions that a login ends have events of their own.
  "login.succeeded": { outdates: "identity" },
  "login.failed": nothing,
  "login.throttled": nothing,
  "registration.succeeded": { outdates: "identity" },
  "recovery.succeeded": { outdates: "identity" },
  "recovery.held": nothing,
  "recovery.stopped": nothing,
  "recovery.started_by_operator": nothing,
  "verification.started_by_operator": nothing,
  "address.verified": { outdates: "identity", told: "identity_changed" },
  "address.unverified": { outdates: "identity", told: "identity_changed" },
  "password.checked": nothing,
  "api_key.created": nothing,
  "api_key.revoked": nothing,
  "invitation.created": nothing,
  "invitation.used": nothing,
  "invitation.revoked": nothing,
  "message.sent": nothing,
  "message.failed": nothing,
  "message.retried": nothing,
  "message.readdressed": nothing,
  "message.bounced": nothing,
  "message.complained": nothing,
  "address_mark.cleared": nothing,
  "throttle.reset": nothing,
};

/** An event of a type that only a newer server writes may have changed anything of its identity. */
const unknown: Effect = { outdates: "identity", told: "identity_changed" };

function effectOf(type: EventType): Effect {
  return Object.hasOwn(effects, type) ? effects[type] : unknown;
}

/** The events of which nobody is told. An event that only a newer server writes is not among them. */
export const untoldEventTypes: readonly EventType[] = (Object.keys(effects) as EventType[]).filter(
  (type) => effects[type].told === undefined,
);

/** What an event outdates of what is kept of sessions in memory. */
export function outdatedBy(type: EventType): Effect["outdates"] {
  return effectOf(type).outdates;
}

/** What those are told of an event who keep answers of session checks; undefined: nothing. */
export function sessionChangeOf({
  type,
  identityId,
  sessionId,
  sequence,
}: Omit<FeedEvent, "tenantId" | "data">): SessionChange | undefined {
  const { outdates, told } = effectOf(type);
  if (told === undefined || (identityId === undefined && sessionId === undefined)) return undefined;
  // Events of a change of the identity may name the session that it was made in; they concern all of them.
  return { kind: told, sessionId: outdates === "session" ? sessionId : undefined, identityId, sequence };
}
