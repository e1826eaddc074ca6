import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
} from "node:crypto";
import { canonicalJson, type JsonObject } from "../domain/json.ts";
import type { KeyPair, KeyPairs, SigningAlgorithm } from "../domain/signed-token/key-pairs.ts";

/**
 * Keys that sign tokens, by node:crypto: a signature takes some tens of microseconds, and is made on the spot. Web Crypto, which jose uses,
 * would make it on the threads that hash passwords, behind those that wait there.
 */
export function createKeyPairs(): KeyPairs {
  return {
    make: (algorithm) => pairOf(generate(algorithm), algorithm),
    read: (privateKey) => {
      const key = readKey(privateKey);
      const algorithm = key && algorithmOf(key);
      return key === undefined || algorithm === undefined ? undefined : pairOf(key, algorithm);
    },
  };
}

function generate(algorithm: SigningAlgorithm): KeyObject {
  switch (algorithm) {
    case "ES256":
      return generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
    case "EdDSA":
      return generateKeyPairSync("ed25519").privateKey;
    default:
      return algorithm satisfies never;
  }
}

function readKey(privateKey: Uint8Array): KeyObject | undefined {
  try {
    return createPrivateKey({ key: Buffer.from(privateKey), format: "der", type: "pkcs8" });
  } catch {
    // Bytes that are no key are expected input: the caller gets undefined.
    return undefined;
  }
}

function algorithmOf(key: KeyObject): SigningAlgorithm | undefined {
  if (key.asymmetricKeyType === "ed25519") return "EdDSA";
  return key.asymmetricKeyDetails?.namedCurve === "prime256v1" ? "ES256" : undefined;
}

function pairOf(key: KeyObject, algorithm: SigningAlgorithm): KeyPair {
  const required = requiredMembers(key);
  // RFC 7638: the required members alone, sorted, without white space.
  const keyId = createHash("sha256").update(canonicalJson(required)).digest("base64url");
  return {
    keyId,
    algorithm,
    publicJwk: { ...required, kid: keyId, alg: algorithm, use: "sig" },
    privateKey: () => key.export({ format: "der", type: "pkcs8" }),
    sign: ({ typ }, payload) => {
      const text = `${encode(JSON.stringify({ typ, alg: algorithm, kid: keyId }))}.${encode(payload)}`;
      return `${text}.${signatureOf(key, algorithm, text)}`;
    },
  };
}

/** The members of the public key that RFC 7638, section 3.2, and RFC 8037, section 2, require: nothing private is among them. */
function requiredMembers(key: KeyObject): JsonObject {
  const { kty = "", crv = "", x = "", y } = createPublicKey(key).export({ format: "jwk" });
  return y === undefined ? { crv, kty, x } : { crv, kty, x, y };
}

function signatureOf(key: KeyObject, algorithm: SigningAlgorithm, text: string): string {
  const bytes = Buffer.from(text);
  const signature =
    algorithm === "EdDSA"
      ? sign(null, bytes, key)
      : // R and S side by side: RFC 7518, section 3.4.
        sign("sha256", bytes, { key, dsaEncoding: "ieee-p1363" });
  return signature.toString("base64url");
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64url");
}
