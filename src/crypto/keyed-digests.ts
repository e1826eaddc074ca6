import { createHmac, hkdfSync } from "node:crypto";
import type { KeyedDigests } from "../domain/ports.ts";
import type { Secret } from "../domain/secret.ts";

const digestLength = 16;

/**
 * Makes digests as HMAC-SHA256 under a key derived (RFC 5869) from the first of the sealing secrets, cut to 128 bits.
 * The function is asked at each call, so that a secret read again from its file takes effect at once; derived keys
 * are kept for as long as the Secret object lives.
 */
export function createKeyedDigests(secrets: () => readonly Secret[]): KeyedDigests {
  const keys = new WeakMap<Secret, Buffer>();
  return {
    make(purpose, text) {
      const [secret] = secrets();
      if (secret === undefined) throw new Error("There is no secret to make digests with.");
      let key = keys.get(secret);
      if (key === undefined) {
        key = Buffer.from(hkdfSync("sha256", secret.reveal(), "", "ostiary keyed digests", 32));
        keys.set(secret, key);
      }
      // The purposes are written in the code and hold no NUL, so no two pairs are digested alike.
      return createHmac("sha256", key).update(`${purpose}\0${text}`).digest().subarray(0, digestLength);
    },
  };
}
