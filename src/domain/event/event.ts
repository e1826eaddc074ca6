import type { ApiKeyId, EventId, IdentityId, SessionId } from "../ids.ts";
import { newId } from "../ids.ts";
import type { JsonObject } from "../json.ts";
import type { EventData } from "./event-data.ts";

/** Everything that is recorded. Names are permanent. */
export type EventType =
  | "identity.created"
  | "identity.updated"
  | "identity.activated"
  | "identity.deactivated"
  | "identity.deleted"
  | "identity.deletion_scheduled"
  | "identity.deletion_cancelled"
  | "identity.disowned"
  | "identity.required_actions_set"
  | "identity.required_action_completed"
  | "credential.set"
  | "credential.renamed"
  | "credential.second_factor_changed"
  | "credential.deleted"
  | "credential.counter_regressed"
  | "credential.tokens_read"
  | "session.created"
  | "session.extended"
  | "session.token_replaced"
  | "session.revoked"
  | "login.succeeded"
  | "login.failed"
  | "login.throttled"
  | "registration.succeeded"
  | "recovery.succeeded"
  | "recovery.held"
  | "recovery.stopped"
  | "recovery.started_by_operator"
  | "verification.started_by_operator"
  | "address.verified"
  | "address.unverified"
  | "password.checked"
  | "api_key.created"
  | "api_key.revoked"
  | "invitation.created"
  | "invitation.used"
  | "invitation.revoked"
  | "message.sent"
  | "message.failed"
  | "message.retried"
  | "message.readdressed"
  | "message.bounced"
  | "message.complained"
  | "address_mark.cleared"
  | "throttle.reset";

/** Author of a change. */
export type EventActor =
  | { readonly kind: "anonymous" }
  | { readonly kind: "identity"; readonly identityId: IdentityId }
  | { readonly kind: "api_key"; readonly apiKeyId: ApiKeyId }
  | { readonly kind: "certificate"; readonly name: string }
  | { readonly kind: "server" };

/** Origin of a change: the call that made it. */
export interface CallOrigin {
  readonly actor: EventActor;
  readonly requestId: string;
  readonly ipAddress: string | undefined;
  /** At most 512 characters of it. */
  readonly userAgent: string | undefined;
}

/** The origin of what the server does by itself. */
export const serverOrigin: CallOrigin = {
  actor: { kind: "server" },
  requestId: "",
  ipAddress: undefined,
  userAgent: undefined,
};

/** One thing that happened, written in the transaction that made it happen. Holds no secrets and no traits. */
export interface Event {
  readonly id: EventId;
  readonly createdAt: Date;
  readonly type: EventType;
  readonly identityId?: IdentityId | undefined;
  readonly sessionId?: SessionId | undefined;
  readonly origin: CallOrigin;
  /** What its type says: EventData. */
  readonly data: JsonObject;
}

/** Whom an event is about, and what it says. */
export type EventAbout<Type extends EventType> = {
  readonly identityId?: IdentityId | undefined;
  readonly sessionId?: SessionId | undefined;
} & (Readonly<Record<never, never>> extends EventData[Type]
  ? { readonly data?: EventData[Type] | undefined }
  : { readonly data: EventData[Type] });

/** Makes an event of this moment. */
export function newEvent<Type extends EventType>(
  type: Type,
  now: Date,
  origin: CallOrigin,
  ...[about]: Readonly<Record<never, never>> extends EventData[Type]
    ? [about?: EventAbout<Type>]
    : [about: EventAbout<Type>]
): Event {
  const data: EventData[EventType] = about?.data ?? {};
  return {
    id: newId(now),
    createdAt: now,
    type,
    identityId: about?.identityId,
    sessionId: about?.sessionId,
    origin,
    data,
  };
}
