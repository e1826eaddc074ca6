/** What browsers and apps are asked: the JSON forms of the options of WebAuthn level 3, section 5.1. */
import type { JsonObject } from "../../json.ts";
import type { PasskeySettings } from "../../tenant/tenant.ts";

/** EdDSA, ES256 and RS256 (IANA COSE algorithms), the best one first. */
export const passkeyAlgorithms = [-8, -7, -257] as const;

/** How long browsers wait for their user. */
const timeoutMs = 300_000;

/** A passkey that an account has. */
export interface KnownPasskey {
  readonly id: string;
  readonly transports: readonly string[];
}

/** What to show a passkey with. `allowed`: one of these; none: one that says whose it is. */
export function requestOptions(
  { rpId }: PasskeySettings,
  asked: {
    readonly challenge: Uint8Array;
    readonly userVerification: PasskeySettings["userVerification"];
    readonly allowed: readonly KnownPasskey[];
  },
): JsonObject {
  return {
    challenge: textOf(asked.challenge),
    rpId,
    timeout: timeoutMs,
    userVerification: asked.userVerification,
    allowCredentials: asked.allowed.map(descriptorOf),
  };
}

/** What to make a passkey with, for the owner of `userHandle`. */
export function creationOptions(
  { rpId, rpName, userVerification }: PasskeySettings,
  asked: {
    readonly challenge: Uint8Array;
    readonly userHandle: string;
    readonly name: string;
    readonly excluded: readonly KnownPasskey[];
  },
): JsonObject {
  return {
    challenge: textOf(asked.challenge),
    rp: { id: rpId, name: rpName },
    user: { id: asked.userHandle, name: asked.name, displayName: asked.name },
    pubKeyCredParams: passkeyAlgorithms.map((alg) => ({ type: "public-key", alg })),
    timeout: timeoutMs,
    attestation: "none",
    authenticatorSelection: { residentKey: "required", requireResidentKey: true, userVerification },
    excludeCredentials: asked.excluded.map(descriptorOf),
    extensions: { credProps: true },
  };
}

function descriptorOf({ id, transports }: KnownPasskey): JsonObject {
  return { type: "public-key", id, ...(transports.length > 0 && { transports: [...transports] }) };
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64url");
}
