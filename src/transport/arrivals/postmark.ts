import type { ArrivalReport } from "../../domain/courier/store.ts";
import { isObject, type JsonValue } from "../../domain/json.ts";
import { at, messageIdIn, postmarkIdName, reportOf, textAt } from "./told.ts";

/** The types of bounces by which Postmark says that the address does not exist; it stops sending to it as well. */
const hardTypes: ReadonlySet<string | undefined> = new Set(["HardBounce", "BadEmailAddress"]);

/** The types that are a bounce of the message, while the address may be right. */
const otherTypes: ReadonlySet<string | undefined> = new Set([
  "SpamNotification",
  "Blocked",
  "DMARCPolicy",
  "SMTPApiError",
]);

/** What Postmark posts (its "Webhooks", API of 2026): of one message. */
export function readPostmark(body: JsonValue): readonly ArrivalReport[] {
  const metadata = at(body, "Metadata");
  // It comes as a header, whose name may be written in any way.
  const name = isObject(metadata)
    ? Object.keys(metadata).find((key) => key.toLowerCase() === postmarkIdName)
    : undefined;
  const messageId = name === undefined ? undefined : messageIdIn(at(metadata, name));
  const type = textAt(body, "Type");
  switch (textAt(body, "RecordType")) {
    case "Delivery":
      return reportOf(messageId, {
        arrival: "delivered",
        recipient: textAt(body, "Recipient"),
        reason: undefined,
      });
    case "Bounce": {
      const isHard = hardTypes.has(type);
      if (!isHard && !otherTypes.has(type)) return [];
      const recipient = isHard ? textAt(body, "Email") : undefined;
      return reportOf(messageId, { arrival: "bounced", recipient, reason: textAt(body, "Details") ?? type });
    }
    case "SpamComplaint":
      return reportOf(messageId, { arrival: "complained", recipient: textAt(body, "Email"), reason: type });
    default:
      return [];
  }
}
