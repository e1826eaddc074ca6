import { createHmac, createSecretKey } from "node:crypto";
import type { KeyedDigests } from "../domain/ports.ts";
import type { Secret } from "../domain/secret.ts";
import { createDerivedKeys, firstOf } from "./derived-keys.ts";

const digestLength = 16;

/**
 * Makes digests as HMAC-SHA256 under a key derived (RFC 5869) from the first of the sealing secrets, cut to 128 bits.
 * The function is asked at each call, so that a secret read again from its file takes effect at once; derived keys
 * are kept for as long as the Secret object lives.
 */
export function createKeyedDigests(secrets: () => readonly Secret[]): KeyedDigests {
  const keyOf = createDerivedKeys(32, createSecretKey);
  return {
    make(purpose, text) {
      const key = keyOf(firstOf(secrets()), "ostiary keyed digests");
      // The purposes are written in the code and hold no NUL, so no two pairs are digested alike.
      return createHmac("sha256", key).update(`${purpose}\0${text}`).digest().subarray(0, digestLength);
    },
  };
}
