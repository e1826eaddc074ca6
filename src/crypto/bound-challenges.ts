import { createSecretKey } from "node:crypto";
import { isSameBytes } from "../domain/bytes.ts";
import type { BoundChallenges } from "../domain/ports.ts";
import type { Secret } from "../domain/secret.ts";
import { createDerivedKeys, firstOf } from "./derived-keys.ts";
import { framedDigest } from "./framed-digest.ts";

/**
 * Makes challenges as HMAC-SHA256 under a key derived from the sealing secrets. The first secret makes them, all of them verify,
 * so that a rotation breaks no ceremony that is under way.
 */
export function createBoundChallenges(secrets: () => readonly Secret[]): BoundChallenges {
  const derive = createDerivedKeys(32, createSecretKey);
  const challengeOf = (secret: Secret, context: readonly (string | Uint8Array)[]) =>
    framedDigest(derive(secret, "challenges"), context);
  return {
    make: (context) => challengeOf(firstOf(secrets()), context),
    matches: (challenge, context) =>
      secrets().some((secret) => isSameBytes(challengeOf(secret, context), challenge)),
  };
}
