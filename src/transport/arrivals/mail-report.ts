import PostalMime from "postal-mime";
import { saysAddressIsGone } from "../../domain/courier/address-gone.ts";
import type { ArrivalReport } from "../../domain/courier/store.ts";
import { messageIdIn, reportOf } from "./told.ts";

/** How much of a mail is taken apart: a report has three parts, side by side. */
const limits = { maxNestingDepth: 8, maxHeadersSize: 64 * 1024, maxRfc822NestingDepth: 0 };

/** How many recipients of one report are read. Our mail has one. */
const mostRecipients = 10;

/**
 * What a mail reports of one of ours: a delivery status (RFC 3464) or a complaint (RFC 5965). Nothing if it is no report, or names no
 * message of ours. `undefined`: it cannot be read.
 */
export async function readMailReport(raw: Uint8Array): Promise<readonly ArrivalReport[] | undefined> {
  try {
    const parts = partsOf(await parse(raw));
    const messageId = messageIdIn(await messageIdOf(parts));
    const status = textOf(parts, "message/delivery-status", "message/global-delivery-status");
    if (status !== undefined)
      return groupsOf(status)
        .slice(1, mostRecipients + 1)
        .flatMap(readRecipient(messageId));
    const feedback = textOf(parts, "message/feedback-report");
    return feedback === undefined ? [] : readComplaint(messageId, feedback);
  } catch {
    // A mail that goes beyond the limits, or is none.
    return undefined;
  }
}

type Fields = ReadonlyMap<string, string>;
type Part = { readonly type: string; readonly bytes: Uint8Array };

function parse(raw: Uint8Array) {
  return PostalMime.parse(raw, {
    ...limits,
    forceRfc822Attachments: true,
    attachmentEncoding: "arraybuffer",
  });
}

function partsOf({ attachments }: Awaited<ReturnType<typeof parse>>): readonly Part[] {
  return attachments.map(({ mimeType, content }) => ({
    type: mimeType,
    bytes: typeof content === "string" ? Buffer.from(content) : new Uint8Array(content),
  }));
}

function textOf(parts: readonly Part[], ...types: readonly string[]): string | undefined {
  const part = parts.find(({ type }) => types.includes(type));
  return part && Buffer.from(part.bytes).toString("utf8");
}

/** The Message-ID of the mail that is reported on, which comes back whole or as its headers. */
async function messageIdOf(parts: readonly Part[]): Promise<string | undefined> {
  const types = ["message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers"];
  const part = parts.find(({ type }) => types.includes(type));
  return part && (await parse(part.bytes)).messageId;
}

/** The groups of fields of a status (RFC 3464, section 2.1): one of the message, then one of each recipient. */
function groupsOf(status: string): readonly Fields[] {
  const unfolded = status.replace(/\r\n?/g, "\n").replace(/\n[ \t]+/g, " ");
  return unfolded
    .split(/\n{2,}/)
    .map((group) => new Map(group.split("\n").flatMap(fieldOf)))
    .filter((fields) => fields.size > 0);
}

function fieldOf(line: string): readonly (readonly [string, string])[] {
  const colon = line.indexOf(":");
  return colon < 1 ? [] : [[line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]];
}

function readRecipient(messageId: ReturnType<typeof messageIdIn>) {
  return (fields: Fields): readonly ArrivalReport[] => {
    const action = fields.get("action")?.toLowerCase();
    const [status = ""] = (fields.get("status") ?? "").split(/[\s(]/);
    const reason = fields.get("diagnostic-code") ?? status;
    const address = addressIn(fields.get("original-recipient") ?? fields.get("final-recipient"));
    if (action === "delivered") {
      return reportOf(messageId, { arrival: "delivered", recipient: address, reason: undefined });
    }
    if (action !== "failed") return [];
    // What failed for another reason than the address marks nobody.
    const recipient = saysAddressIsGone(status) ? address : undefined;
    return reportOf(messageId, { arrival: "bounced", recipient, reason });
  };
}

function readComplaint(
  messageId: ReturnType<typeof messageIdIn>,
  feedback: string,
): readonly ArrivalReport[] {
  const fields = groupsOf(feedback)[0] ?? new Map<string, string>();
  const type = fields.get("feedback-type")?.toLowerCase();
  if (type === undefined || type === "not-spam") return [];
  const recipient = addressIn(fields.get("original-rcpt-to"));
  return reportOf(messageId, { arrival: "complained", recipient, reason: type });
}

/** `rfc822; user@example.com` (RFC 3464, section 2.3.1), or the address alone. */
function addressIn(field: string | undefined): string | undefined {
  return field
    ?.replace(/^[^;]*;/, "")
    .trim()
    .replace(/^<(.*)>$/, "$1");
}
