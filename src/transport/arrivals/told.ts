import type { ArrivalReport } from "../../domain/courier/store.ts";
import type { MessageId } from "../../domain/ids.ts";
import { isObject, type JsonValue } from "../../domain/json.ts";

/** What Postmark calls the id of our message among the metadata, which it gives back. */
export const postmarkIdName = "ostiary-id";

/** What SendGrid calls it among the arguments that it gives back. */
export const sendGridIdName = "ostiary_id";

/** What SES calls it among the tags of a message. */
export const sesIdName = "ostiary_id";

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}/;

/** The id of our message in its Message-ID (`<id@example.com>`), or by itself; undefined if there is none. */
export function messageIdIn(text: JsonValue | undefined): MessageId | undefined {
  if (typeof text !== "string") return undefined;
  const found = new RegExp(`^\\s*<?(${uuid.source})(?:@[^\\s<>]{1,255}>?)?\\s*$`).exec(text);
  return found?.[1] as MessageId | undefined;
}

/** A value of a JSON object by its path; undefined where there is none. */
export function at(
  value: JsonValue | undefined,
  ...path: readonly (string | number)[]
): JsonValue | undefined {
  let inner = value;
  for (const name of path) {
    if (Array.isArray(inner)) inner = typeof name === "number" ? inner[name] : undefined;
    else if (isObject(inner) && Object.hasOwn(inner, name)) inner = inner[name];
    else return undefined;
  }
  return inner;
}

/** A text of a JSON object by its path; undefined where there is none. */
export function textAt(
  value: JsonValue | undefined,
  ...path: readonly (string | number)[]
): string | undefined {
  const text = at(value, ...path);
  return typeof text === "string" ? text : undefined;
}

/** The items of a list; none where it is no list. At most so many. */
export function itemsOf(value: JsonValue | undefined, most: number): readonly JsonValue[] {
  return Array.isArray(value) ? value.slice(0, most) : [];
}

/** A report, unless it names no message of ours. */
export function reportOf(
  messageId: MessageId | undefined,
  rest: Omit<ArrivalReport, "messageId">,
): readonly ArrivalReport[] {
  return messageId === undefined ? [] : [{ messageId, ...rest }];
}

/** JSON that somebody posted; undefined if it is none. */
export function jsonIn(body: Uint8Array): JsonValue | undefined {
  try {
    return JSON.parse(Buffer.from(body).toString("utf8")) as JsonValue;
  } catch {
    return undefined;
  }
}
