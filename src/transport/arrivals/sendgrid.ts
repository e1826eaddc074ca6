import { type KeyObject, verify } from "node:crypto";
import type { ArrivalReport } from "../../domain/courier/store.ts";
import type { JsonValue } from "../../domain/json.ts";
import { at, itemsOf, messageIdIn, reportOf, sendGridIdName, textAt } from "./told.ts";

/** The most events that are read of one post. SendGrid sends up to 768 kB of them. */
const mostEvents = 2_000;

/** Bounces of these classes are not about the address. */
const otherClasses = /technical|content|reputation|frequency/i;

/** Whether SendGrid has signed a post: ECDSA with SHA-256 over the time and the body. */
export function isSignedBySendGrid(
  key: KeyObject,
  signed: { readonly signature: string; readonly timestamp: string; readonly body: Uint8Array },
): boolean {
  if (!/^[A-Za-z0-9+/]{1,200}={0,2}$/.test(signed.signature) || !/^\d{1,20}$/.test(signed.timestamp))
    return false;
  const content = Buffer.concat([Buffer.from(signed.timestamp), signed.body]);
  return verify("sha256", content, key, Buffer.from(signed.signature, "base64"));
}

/** What SendGrid posts: a list of events. */
export function readSendGrid(body: JsonValue): readonly ArrivalReport[] {
  return itemsOf(body, mostEvents).flatMap(readEvent);
}

function readEvent(event: JsonValue): readonly ArrivalReport[] {
  const messageId = messageIdIn(at(event, sendGridIdName)) ?? messageIdIn(at(event, "smtp-id"));
  const email = textAt(event, "email");
  const reason = textAt(event, "reason");
  switch (textAt(event, "event")) {
    case "delivered":
      return reportOf(messageId, { arrival: "delivered", recipient: email, reason: undefined });
    case "bounce": {
      const isOther =
        textAt(event, "type") !== "bounce" || otherClasses.test(textAt(event, "bounce_classification") ?? "");
      return reportOf(messageId, { arrival: "bounced", recipient: isOther ? undefined : email, reason });
    }
    case "dropped": {
      const recipient = /^bounced address/i.test(reason ?? "") ? email : undefined;
      return reportOf(messageId, { arrival: "bounced", recipient, reason });
    }
    case "spamreport":
      return reportOf(messageId, { arrival: "complained", recipient: email, reason: undefined });
    default:
      return [];
  }
}
