import { createHash } from "node:crypto";
import type { Identity } from "./identity.ts";

/**
 * Names a revision of an identity. Hashed, so that nobody counts on what it is made from (AIP-154); the same in every process.
 */
export function etagOf({ id, revision }: Pick<Identity, "id" | "revision">): string {
  return createHash("sha256").update(`${id} ${revision}`).digest("base64url").slice(0, 22);
}
