import { createHash } from "node:crypto";
import type { JsonValue } from "../domain/json.ts";

/**
 * The text without what PostgreSQL cannot hold: U+0000 and halves of surrogate pairs become U+FFFD. For what a
 * caller's software says of itself; what people enter is refused instead.
 */
export function unpaired(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** SHA-256 of a JSON value in its canonical form: keys sorted by code units (RFC 8785, section 3.2.3). */
export function canonicalDigest(value: JsonValue): Uint8Array {
  return createHash("sha256").update(canonical(value)).digest();
}

function canonical(value: JsonValue): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .flatMap((key) => {
      const member = value[key];
      return member === undefined ? [] : [`${JSON.stringify(key)}:${canonical(member)}`];
    });
  return `{${members.join(",")}}`;
}
