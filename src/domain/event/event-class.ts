import type { Event, EventType } from "./event.ts";

/** How long an event is kept depends on its class: `database.event_retention` has a time for each. */
export type EventClass = "changes" | "sign_ins" | "failures" | "unknown_names" | "messages";

/** All classes. */
export const eventClasses = [
  "changes",
  "sign_ins",
  "failures",
  "unknown_names",
  "messages",
] as const satisfies readonly EventClass[];

/** The class of each type. */
const classes: Readonly<Record<EventType, Exclude<EventClass, "unknown_names">>> = {
  "identity.created": "changes",
  "identity.updated": "changes",
  "identity.activated": "changes",
  "identity.deactivated": "changes",
  "identity.deleted": "changes",
  "identity.deletion_scheduled": "changes",
  "identity.deletion_cancelled": "changes",
  "identity.disowned": "changes",
  "identity.required_actions_set": "changes",
  "identity.required_action_completed": "changes",
  "credential.set": "changes",
  "credential.renamed": "changes",
  "credential.second_factor_changed": "changes",
  "credential.deleted": "changes",
  "credential.counter_regressed": "changes",
  "credential.tokens_read": "changes",
  "session.created": "sign_ins",
  "session.extended": "sign_ins",
  "session.token_replaced": "sign_ins",
  "session.revoked": "sign_ins",
  "login.succeeded": "sign_ins",
  "login.failed": "failures",
  "login.throttled": "failures",
  "registration.succeeded": "sign_ins",
  "recovery.succeeded": "sign_ins",
  "recovery.held": "sign_ins",
  "recovery.stopped": "sign_ins",
  "recovery.started_by_operator": "changes",
  "verification.started_by_operator": "changes",
  "address.verified": "changes",
  "address.unverified": "changes",
  "password.checked": "sign_ins",
  "api_key.created": "changes",
  "api_key.revoked": "changes",
  "invitation.created": "changes",
  "invitation.used": "changes",
  "invitation.revoked": "changes",
  "message.sent": "messages",
  "message.failed": "messages",
  "message.retried": "messages",
  "message.readdressed": "messages",
  "message.bounced": "messages",
  "message.complained": "messages",
  "address_mark.cleared": "changes",
  "throttle.reset": "changes",
};

/** The class of an event. */
export function classOf({ type, identityId }: Pick<Event, "type" | "identityId">): EventClass {
  const name = classes[type];
  return name === "failures" && identityId === undefined ? "unknown_names" : name;
}

/** The types of the events of a class, and whether these have an identity; undefined: that does not matter. */
export function membersOf(eventClass: EventClass): {
  readonly types: readonly EventType[];
  readonly hasIdentity: boolean | undefined;
} {
  const name = eventClass === "unknown_names" ? "failures" : eventClass;
  const types = (Object.keys(classes) as EventType[]).filter((type) => classes[type] === name);
  return { types, hasIdentity: name === "failures" ? eventClass === "failures" : undefined };
}
