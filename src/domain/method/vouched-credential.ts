/** What methods have in common by which somebody else vouches for an account. */
import { createHash } from "node:crypto";
import { maxLabelLength } from "../identity/identity.ts";

/**
 * What an account elsewhere is looked up by.
 *
 * Security rule (SR-LINK-1): who vouches and the subject there, each with its length, so that no two pairs give the same text. Never an
 * address, which changes hands (OpenID Connect Core 1.0, section 5.7).
 */
export function lookupKeyOf(issuer: string, subject: string): string {
  return createHash("sha256")
    .update(`${Buffer.byteLength(issuer)}:${issuer}${Buffer.byteLength(subject)}:${subject}`)
    .digest("base64url");
}

/** The name of an account elsewhere, until its owner gives it another one. `account`: as they know it there; it may be empty. */
export function labelOf(by: string, account: string): string {
  // A character that is cut in two is none that can be stored or sent.
  return (account === "" ? by : `${by}: ${account}`).slice(0, maxLabelLength).toWellFormed();
}
