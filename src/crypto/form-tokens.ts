import { createHmac } from "node:crypto";
import { isSameBytes } from "../domain/bytes.ts";
import type { FormTokens } from "../domain/ports.ts";
import { Secret } from "../domain/secret.ts";

/**
 * Makes form tokens as HMAC-SHA256 of the flow's id under the browser's own secret cookie value. Nothing is
 * stored, and neither the cookie alone nor the flow's id alone is enough to make one (ASVS V3.5.1).
 */
export function createFormTokens(): FormTokens {
  const digest = (browserToken: string, flowId: string) =>
    createHmac("sha256", browserToken).update(`ostiary form token\0${flowId}`).digest();
  return {
    make: (browserToken, flowId) => new Secret(digest(browserToken, flowId).toString("base64url")),
    matches: (candidate, browserToken, flowId) =>
      isSameBytes(Buffer.from(candidate, "base64url"), digest(browserToken, flowId)),
  };
}
