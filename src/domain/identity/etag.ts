import { createHash } from "node:crypto";
import type { Identity } from "./identity.ts";

/**
 * The etag of a revision of an identity. It is hashed, so that no client depends on its parts (AIP-154), and the same in every
 * process.
 */
export function etagOf({ id, revision }: Pick<Identity, "id" | "revision">): string {
  return createHash("sha256").update(`${id} ${revision}`).digest("base64url").slice(0, 22);
}
