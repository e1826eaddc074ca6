import { type DescField, fromJson, type JsonObject, toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { EventSchema } from "../../gen/ostiary/event/v1/event_pb.js";
import type { EventType } from "../../src/domain/event/event.ts";
import { membersOf } from "../../src/domain/event/event-class.ts";
import type { EventData } from "../../src/domain/event/event-data.ts";
import { messageOf } from "../support/event-messages.ts";

const action = {
  actionId: "01890000-0000-7000-8000-000000000003",
  kind: "accept_terms",
  timing: "before_session",
  document: "terms",
  version: "2",
};
const credential = { kind: "passkey", credentialId: "01890000-0000-7000-8000-000000000004" };
const message = {
  messageId: "01890000-0000-7000-8000-000000000005",
  template: "login_code",
  channel: "email",
};
const until = "2026-01-01T12:00:30Z";
const gathered = { attempts: 2, until };

/** All that each type can say. That `newEvent` is given nothing else is a matter of the compiler. */
const examples: { readonly [Type in EventType]: Required<EventData[Type]> } = {
  "identity.created": {},
  "identity.updated": { fields: ["traits", "externalId"], by: "owner", method: "oidc" },
  "identity.activated": {},
  "identity.deactivated": {},
  "identity.deleted": { reason: "owner_requested" },
  "identity.deletion_scheduled": { purgeTime: until },
  "identity.deletion_cancelled": {},
  "identity.disowned": {},
  "identity.required_actions_set": { actions: [action], because: "breached_password" },
  "identity.required_action_completed": action,
  "credential.set": { kind: "password", imported: true },
  "credential.renamed": credential,
  "credential.second_factor_changed": { ...credential, enabled: true },
  "credential.deleted": credential,
  "credential.counter_regressed": credential,
  "credential.tokens_read": { ...credential, provider: "first" },
  "session.created": {},
  "session.extended": {},
  "session.token_replaced": {},
  "session.revoked": {
    reason: "revoked",
    all: true,
    except: "01890000-0000-7000-8000-000000000006",
    provider: "first",
  },
  "login.succeeded": { method: "password", secondFactor: "totp", refresh: true },
  "login.failed": { reason: "CREDENTIALS_INVALID", method: "password", ...gathered },
  "login.throttled": { scope: "account", wrongCodes: 50, ...gathered },
  "registration.succeeded": { method: "password" },
  "recovery.succeeded": { method: "code", startedBy: "operator" },
  "recovery.held": { until },
  "recovery.stopped": { by: "owner" },
  "recovery.started_by_operator": { delivery: "sent" },
  "verification.started_by_operator": { delivery: "handed_over" },
  "address.verified": { kind: "email" },
  "address.unverified": { kind: "phone" },
  "password.checked": { outcome: "matched" },
  "api_key.created": { apiKeyId: "01890000-0000-7000-8000-000000000007", scopes: ["identity:read"] },
  "api_key.revoked": { apiKeyId: "01890000-0000-7000-8000-000000000007" },
  "invitation.created": { invitationId: "01890000-0000-7000-8000-000000000008", delivery: "sent" },
  "invitation.used": { invitationId: "01890000-0000-7000-8000-000000000008" },
  "invitation.revoked": { invitationId: "01890000-0000-7000-8000-000000000008" },
  "message.sent": message,
  "message.failed": { ...message, attempts: 3, reason: "address_bounced" },
  "message.retried": message,
  "message.readdressed": message,
  "message.bounced": { messageId: message.messageId },
  "message.complained": { messageId: message.messageId },
  "address_mark.cleared": { by: "operator" },
  "throttle.reset": { by: ["identifier", "ip_address"] },
};
const types = Object.keys(examples) as EventType[];

describe("what an event says", () => {
  test.each(types)("is the JSON form of its message, whole: %s", (type) => {
    const schema = messageOf(type);
    expect(toJson(schema, fromJson(schema, examples[type] as JsonObject))).toEqual(examples[type]);
    expect(Object.keys(examples[type]).toSorted()).toEqual(schema.fields.map(nameOf).toSorted());
  });

  test("has a message for each type, and each message a type", () => {
    const payload = EventSchema.oneofs.find(({ name }) => name === "payload");
    const names = payload?.fields.map(({ name }) => name) ?? [];
    expect(names.toSorted()).toEqual(types.map((type) => type.replaceAll(".", "_")).toSorted());
  });

  test("has a class for each type", () => {
    const classes = ["changes", "sign_ins", "failures", "messages"] as const;
    expect(classes.flatMap((name) => membersOf(name).types).toSorted()).toEqual(types.toSorted());
  });
});

function nameOf({ jsonName }: DescField): string {
  return jsonName;
}
