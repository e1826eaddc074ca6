import { hkdfSync } from "node:crypto";
import type { Secret } from "../domain/secret.ts";

// Purposes are few and written in the code; the bound only keeps a mistake from becoming a leak.
const maxPurposes = 64;

/**
 * Derives keys of secrets (HKDF-SHA256, RFC 5869): one for each purpose, so that what one key makes is of no use for another
 * purpose. `make` makes the key of the derived bytes; of a KeyObject, Node makes an HMAC seven times as fast as of a Buffer. Keys
 * are kept for as long as the Secret object lives.
 */
export function createDerivedKeys<Key extends object>(
  length: number,
  make: (derived: Buffer) => Key,
): (secret: Secret, purpose: string) => Key {
  const keys = new WeakMap<Secret, Map<string, Key>>();
  return (secret, purpose) => {
    const ofSecret = keys.get(secret) ?? new Map<string, Key>();
    keys.set(secret, ofSecret);
    let key = ofSecret.get(purpose);
    if (key === undefined) {
      if (ofSecret.size >= maxPurposes) ofSecret.clear();
      key = make(Buffer.from(hkdfSync("sha256", secret.reveal(), "", purpose, length)));
      ofSecret.set(purpose, key);
    }
    return key;
  };
}

/** The first of the secrets, which makes what is new. The others only verify and open what was made before. */
export function firstOf(secrets: readonly Secret[]): Secret {
  const [secret] = secrets;
  if (secret === undefined) throw new Error("There is no secret to seal with.");
  return secret;
}
