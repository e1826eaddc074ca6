import { createSecretKey, randomInt } from "node:crypto";
import { isSameBytes } from "../domain/bytes.ts";
import type { OneTimeCodes } from "../domain/ports.ts";
import { Secret } from "../domain/secret.ts";
import { createDerivedKeys, firstOf } from "./derived-keys.ts";
import { framedDigest } from "./framed-digest.ts";

/** Without I, L, O and U. */
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/**
 * Makes one-time codes: digits of a cryptographic generator (ASVS V6.5.4), stored as HMAC-SHA256 under a key derived from
 * the sealing secrets. The first secret makes digests, all of them verify, so that a rotation kills no code.
 */
export function createOneTimeCodes(secrets: () => readonly Secret[]): OneTimeCodes {
  const derive = createDerivedKeys(32, createSecretKey);
  const keyOf = (secret: Secret) => derive(secret, "one-time codes");
  return {
    make: (length) => new Secret(Array.from({ length }, () => randomInt(10)).join("")),
    makeText: (length) =>
      new Secret(Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join("")),
    digest: (context, code) => framedDigest(keyOf(firstOf(secrets())), [...context, code]),
    matches: (digest, context, code) => {
      let matches = false;
      // All are tried, so that the time does not tell which of them it was.
      for (const secret of secrets()) {
        if (isSameBytes(framedDigest(keyOf(secret), [...context, code]), digest)) matches = true;
      }
      return matches;
    },
  };
}
