import type { Delivery } from "./delivery.ts";

/** The longest reason that is kept. */
const longestReason = 300;

/**
 * What another side said of a message, as operators may read it: one line, cut, without control characters, and with what the message
 * says replaced. `isCut`: the text was cut before, so that a part of a code may stand at its end.
 *
 * Security rule (SR-MAIL-6): a server that quotes the message puts neither its code or link nor its recipient into the record and the log.
 */
export function reasonFor(delivery: Delivery, said: string, isCut = false): string {
  const { recipient, message, confidential } = delivery;
  const names = new Map<string, string>();
  const name = (text: string, as: string) => {
    for (const written of writtenForms(text)) names.set(written.toLowerCase(), as);
  };
  if (message.channel === "email") name(message.subject, "[subject]");
  name(recipient, "[recipient]");
  for (const text of confidential) name(text, "[code]");
  // The longest first: a subject holds the code.
  const written = [...names.keys()].sort((left, right) => right.length - left.length);
  if (written.length === 0) return oneLine(said, longestReason);
  const pattern = written.map((text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|");
  const text = said.replace(new RegExp(pattern, "gi"), (found) => names.get(found.toLowerCase()) ?? "[…]");
  return oneLine(isCut ? text.slice(0, -(written[0]?.length ?? 0)) : text, longestReason);
}

/** A text as it is, in JSON, in a URL and in HTML. What has less than three characters says nothing. */
function writtenForms(text: string): readonly string[] {
  if (text.length < 3) return [];
  const html = text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
  return [...new Set([text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text), html])];
}

/** The text in one line of at most so many characters. */
export function oneLine(text: string, longest = 500): string {
  return text
    .replace(/[\p{Cc}\u2028\u2029]+/gu, " ")
    .trim()
    .slice(0, longest);
}
