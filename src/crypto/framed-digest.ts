import { createHmac, type KeyObject } from "node:crypto";

/** HMAC-SHA256 of several parts. Each stands with its length, so that no two lists of parts give the same digest. */
export function framedDigest(key: KeyObject, parts: readonly (string | Uint8Array)[]): Buffer {
  const hmac = createHmac("sha256", key);
  for (const part of parts) {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hmac.update(length).update(bytes);
  }
  return hmac.digest();
}
