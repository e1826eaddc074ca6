import type { EventType } from "./event.ts";

/**
 * What each type of event says beside whom it is about: the JSON form of its message in `proto/ostiary/event/v1/event.proto`, which has
 * the comments. test/structure/event-messages.test.ts holds the two together.
 */
export type EventData = {
  readonly [Type in EventType]: Type extends keyof Described ? Described[Type] : Nothing;
};

type Nothing = Readonly<Record<never, never>>;

type Described = {
  readonly "identity.updated": {
    readonly fields: readonly string[];
    readonly by?: "owner";
    readonly method?: string;
  };
  readonly "identity.deleted": { readonly reason?: "owner_requested" };
  readonly "identity.deletion_scheduled": { readonly purgeTime: string };
  readonly "identity.required_actions_set": {
    readonly actions: readonly RequiredActionData[];
    readonly because?: "breached_password";
  };
  readonly "identity.required_action_completed": RequiredActionData;
  readonly "credential.set": { readonly kind: string; readonly imported?: boolean };
  readonly "credential.renamed": CredentialData;
  readonly "credential.second_factor_changed": CredentialData & { readonly enabled: boolean };
  readonly "credential.deleted": CredentialData;
  readonly "credential.counter_regressed": CredentialData;
  readonly "credential.tokens_read": CredentialData & { readonly provider: string };
  readonly "session.revoked": {
    readonly reason: SessionEndReason;
    readonly all?: boolean;
    readonly except?: string;
    readonly provider?: string;
  };
  readonly "login.succeeded": {
    readonly method: string;
    readonly secondFactor?: string;
    readonly refresh: boolean;
  };
  readonly "login.failed": { readonly reason: string; readonly method: string } & GatheredData;
  readonly "login.throttled": { readonly scope: string; readonly wrongCodes?: number } & GatheredData;
  readonly "registration.succeeded": { readonly method: string };
  readonly "recovery.succeeded": { readonly method: string; readonly startedBy: "owner" | "operator" };
  readonly "recovery.held": { readonly until: string };
  readonly "recovery.stopped": { readonly by: "owner" | "operator" };
  readonly "recovery.started_by_operator": DeliveryData;
  readonly "verification.started_by_operator": DeliveryData;
  readonly "address.verified": { readonly kind: string };
  readonly "address.unverified": { readonly kind: string };
  readonly "password.checked": { readonly outcome: "matched" | "not_matched" };
  readonly "api_key.created": { readonly apiKeyId: string; readonly scopes: readonly string[] };
  readonly "api_key.revoked": { readonly apiKeyId: string };
  readonly "invitation.created": { readonly invitationId: string } & DeliveryData;
  readonly "invitation.used": { readonly invitationId: string };
  readonly "invitation.revoked": { readonly invitationId: string };
  readonly "message.sent": MessageData;
  readonly "message.failed": MessageData & { readonly attempts?: number; readonly reason?: string };
  readonly "message.retried": MessageData;
  readonly "message.readdressed": MessageData;
  readonly "message.bounced": { readonly messageId: string };
  readonly "message.complained": { readonly messageId: string };
  readonly "address_mark.cleared": { readonly by: "operator" | "proof" };
  readonly "throttle.reset": { readonly by: readonly ("identifier" | "ip_address")[] };
};

/** Why a session ended early. */
export type SessionEndReason =
  | "revoked"
  | "logout"
  | "provider_logout"
  | "replaced"
  | "refreshed"
  | "session_limit"
  | "credential_changed"
  | "required_actions"
  | "account_deletion"
  | "disowned";

/** An action as events say it. */
export type RequiredActionData = {
  readonly actionId: string;
  readonly kind: string;
  readonly timing: string;
  readonly document?: string;
  readonly version?: string;
};

type CredentialData = { readonly kind: string; readonly credentialId: string };
type DeliveryData = { readonly delivery: "handed_over" | "sent" };
type MessageData = { readonly messageId: string; readonly template: string; readonly channel: string };
/** Of attempts for names that nobody has, of which one event stands for several. */
type GatheredData = { readonly attempts?: number; readonly until?: string };
