import type { ArrivalReport } from "../../domain/courier/store.ts";
import type { JsonValue } from "../../domain/json.ts";
import { at, itemsOf, messageIdIn, reportOf, sesIdName, textAt } from "./told.ts";

const mostRecipients = 50;

/** What SES publishes to a topic: as a notification of an identity, or as an event of a configuration set. */
export function readSes(body: JsonValue): readonly ArrivalReport[] {
  const messageId = idIn(at(body, "mail"));
  switch (textAt(body, "notificationType") ?? textAt(body, "eventType")) {
    case "Delivery":
      return itemsOf(at(body, "delivery", "recipients"), mostRecipients).flatMap((recipient) =>
        reportOf(messageId, { arrival: "delivered", recipient: textAt(recipient), reason: undefined }),
      );
    case "Bounce": {
      const type = textAt(body, "bounce", "bounceType");
      // A transient one may be tried again by SES itself, and marks nothing.
      if (type === "Transient") return [];
      return itemsOf(at(body, "bounce", "bouncedRecipients"), mostRecipients).flatMap((each) =>
        reportOf(messageId, {
          arrival: "bounced",
          recipient: type === "Permanent" ? textAt(each, "emailAddress") : undefined,
          reason: textAt(each, "diagnosticCode") ?? textAt(body, "bounce", "bounceSubType"),
        }),
      );
    }
    case "Complaint":
      return itemsOf(at(body, "complaint", "complainedRecipients"), mostRecipients).flatMap((each) =>
        reportOf(messageId, {
          arrival: "complained",
          recipient: textAt(each, "emailAddress"),
          reason: textAt(body, "complaint", "complaintFeedbackType"),
        }),
      );
    default:
      return [];
  }
}

/** SES gives a message an id of its own; ours is among its tags, and in the headers where these are published. */
function idIn(mail: JsonValue | undefined) {
  const header = itemsOf(at(mail, "headers"), 200).find(
    (each) => textAt(each, "name")?.toLowerCase() === "message-id",
  );
  return (
    messageIdIn(at(mail, "tags", sesIdName, 0)) ??
    messageIdIn(at(header, "value")) ??
    messageIdIn(at(mail, "commonHeaders", "messageId"))
  );
}
