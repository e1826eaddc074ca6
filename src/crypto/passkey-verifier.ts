import { createPublicKey, generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { isObject, type JsonValue } from "../domain/json.ts";
import { passkeyAlgorithms } from "../domain/method/passkey/options.ts";
import type {
  PasskeyAssertion,
  PasskeyAttestation,
  PasskeyExpectation,
  PasskeyVerifier,
} from "../domain/ports.ts";

/** In bytes: an RSA key of 8192 bits has about 1040. A larger one only costs time. */
const longestPublicKey = 1100;
/** In bits (NIST SP 800-131A). */
const shortestRsaKey = 2048;

/**
 * Verifies passkeys with SimpleWebAuthn. The library takes a third of a second and 28 MB to load, so that happens when the first
 * passkey is verified, and never in a process that sees none.
 *
 * Whatever it throws means that the answer is not right: it throws for what it cannot read, and for half of what it refuses.
 */
export function createPasskeyVerifier(): PasskeyVerifier {
  let decoy: string | undefined;
  return {
    async verifyAssertion(assertion, expected, publicKey) {
      if (publicKey === undefined) decoy ??= decoyKey();
      const shown = await undefinedIfThrown(() =>
        verifyAssertion(assertion, expected, publicKey ?? decoy ?? ""),
      );
      return publicKey === undefined ? undefined : shown;
    },
    verifyAttestation: (attestation, expected) =>
      undefinedIfThrown(() => verifyAttestation(attestation, expected)),
    async publicKeyProblem(publicKey) {
      const members = await undefinedIfThrown(() => readCoseKey(publicKey));
      if (members === undefined) return "is not a COSE_Key";
      return keyProblem(members);
    },
  };
}

/** The members of a COSE_Key. Throws for anything else, also for one with bytes after it or a member twice. */
async function readCoseKey(publicKey: Uint8Array): Promise<ReadonlyMap<unknown, unknown>> {
  const { isoCBOR } = await import("@simplewebauthn/server/helpers");
  const members: unknown = isoCBOR.decodeFirst(publicKey as Uint8Array<ArrayBuffer>);
  if (!(members instanceof Map)) throw new Error("not a map");
  if (!Buffer.from(isoCBOR.encode(members)).equals(publicKey)) throw new Error("not what was read");
  return members;
}

/** RFC 9053, sections 2 and 7, and RFC 8812, section 2. */
function keyProblem(members: ReadonlyMap<unknown, unknown>): string | undefined {
  const [type, algorithm, curve] = [1, 3, -1].map((label) => members.get(label));
  const text = (label: number, length?: number): string | undefined => {
    const value = members.get(label);
    const isRight =
      value instanceof Uint8Array && (length === undefined ? value.length > 0 : value.length === length);
    return isRight ? Buffer.from(value).toString("base64url") : undefined;
  };
  if (algorithm === -8) {
    const x = text(-2, 32);
    if (type !== 1 || curve !== 6 || x === undefined || members.size !== 4) return "is no key of Ed25519";
    return isKey({ kty: "OKP", crv: "Ed25519", x }) ? undefined : "is no key of Ed25519";
  }
  if (algorithm === -7) {
    const [x, y] = [text(-2, 32), text(-3, 32)];
    const isWhole = type === 2 && curve === 1 && x !== undefined && y !== undefined && members.size === 5;
    return isWhole && isKey({ kty: "EC", crv: "P-256", x, y }) ? undefined : "is no key of the curve P-256";
  }
  if (algorithm !== -257) return "is not of the algorithm EdDSA, ES256 or RS256";
  const [n, e] = [text(-1), text(-2)];
  if (type !== 3 || n === undefined || e === undefined || members.size !== 4) return "is no key of RSA";
  const details = detailsOf({ kty: "RSA", n, e });
  const { modulusLength = 0, publicExponent = 0n } = details ?? {};
  if (details === undefined || publicExponent < 65537n || publicExponent % 2n === 0n)
    return "is no key of RSA";
  if (publicExponent > 0xffffffffn) return "has too large an exponent";
  return modulusLength < shortestRsaKey ? `is an RSA key of less than ${shortestRsaKey} bits` : undefined;
}

function isKey(key: JsonWebKey): boolean {
  return detailsOf(key) !== undefined;
}

/** What OpenSSL finds in a key, such as that its point is on the curve. */
function detailsOf(key: JsonWebKey) {
  try {
    return createPublicKey({ key, format: "jwk" }).asymmetricKeyDetails;
  } catch {
    return undefined;
  }
}

async function verifyAssertion(
  { id, clientDataJson, authenticatorData, signature }: PasskeyAssertion,
  expected: PasskeyExpectation,
  publicKey: string,
) {
  const { verifyAuthenticationResponse } = await import("@simplewebauthn/server");
  if (isEmbedded(clientDataJson)) return undefined;
  const { verified, authenticationInfo } = await verifyAuthenticationResponse({
    ...common(expected),
    response: {
      ...{ id, rawId: id, type: "public-key", clientExtensionResults: {} },
      response: { clientDataJSON: clientDataJson, authenticatorData, signature },
    },
    // Its counter is compared by the caller.
    credential: { id, publicKey: new Uint8Array(Buffer.from(publicKey, "base64url")), counter: 0 },
  });
  if (!verified) return undefined;
  const { userVerified, credentialBackedUp: isSynced, newCounter: counter } = authenticationInfo;
  return { userVerified, isSyncable: isSyncable(authenticationInfo), isSynced, counter };
}

async function verifyAttestation(
  { id, clientDataJson, attestationObject }: PasskeyAttestation,
  expected: PasskeyExpectation,
) {
  const { verifyRegistrationResponse } = await import("@simplewebauthn/server");
  if (isEmbedded(clientDataJson)) return undefined;
  const { verified, registrationInfo } = await verifyRegistrationResponse({
    ...common(expected),
    supportedAlgorithmIDs: [...passkeyAlgorithms],
    requireUserPresence: !expected.isConditional,
    response: {
      ...{ id, rawId: id, type: "public-key", clientExtensionResults: {} },
      response: {
        clientDataJSON: clientDataJson,
        attestationObject: await withoutStatement(attestationObject),
      },
    },
  });
  if (!verified) return undefined;
  const { credential, aaguid, userVerified, credentialBackedUp: isSynced } = registrationInfo;
  // The library does not compare them.
  if (credential.id !== id || credential.publicKey.length > longestPublicKey) return undefined;
  const publicKey = Buffer.from(credential.publicKey).toString("base64url");
  const { counter } = credential;
  return {
    ...{ publicKey, aaguid, userVerified, isSyncable: isSyncable(registrationInfo), isSynced, counter },
  };
}

function isSyncable({ credentialDeviceType: type }: { readonly credentialDeviceType: string }): boolean {
  return type === "multiDevice";
}

function common({ isChallenge, origins, rpId, mustVerifyUser }: PasskeyExpectation) {
  return {
    expectedChallenge: (challenge: string) => isChallenge(Buffer.from(challenge, "base64url")),
    expectedOrigin: [...origins],
    expectedRPID: rpId,
    requireUserVerification: mustVerifyUser,
  };
}

/**
 * The attestation object as if there was no statement. Nobody asks for one, and its signature says nothing about who owns the
 * passkey; but the library would verify what a stranger sends, and fetch the revocation lists that its certificates name.
 */
async function withoutStatement(attestationObject: string): Promise<string> {
  const { decodeAttestationObject, isoBase64URL, isoCBOR } = await import("@simplewebauthn/server/helpers");
  const authData = decodeAttestationObject(isoBase64URL.toBuffer(attestationObject)).get("authData");
  const none = new Map<string, string | Map<string, never> | Uint8Array>([
    ["fmt", "none"],
    ["attStmt", new Map<string, never>()],
    ["authData", authData],
  ]);
  return isoBase64URL.fromBuffer(isoCBOR.encode(none) as Uint8Array<ArrayBuffer>);
}

/** Whether the page that asked was embedded in one of another site, which the library lets pass. */
function isEmbedded(clientDataJson: string): boolean {
  const clientData: JsonValue = JSON.parse(Buffer.from(clientDataJson, "base64url").toString());
  return !isObject(clientData) || (clientData.crossOrigin ?? false) !== false;
}

async function undefinedIfThrown<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch {
    return undefined;
  }
}

/** The public key of a pair whose other half is thrown away, for ES256. */
function decoyKey(): string {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const { x = "", y = "" } = publicKey.export({ format: "jwk" });
  const [head, middle] = ["a5010203262001215820", "225820"].map((hex) => Buffer.from(hex, "hex"));
  const parts = [head, Buffer.from(x, "base64url"), middle, Buffer.from(y, "base64url")];
  return Buffer.concat(parts.filter((part) => part !== undefined)).toString("base64url");
}
