import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { PasskeyExpectation } from "../domain/ports.ts";
import { createPasskeyVerifier } from "./passkey-verifier.ts";

interface Vector {
  readonly name: string;
  readonly registration: Bytes<
    "challenge" | "credential_id" | "aaguid" | "clientDataJSON" | "attestationObject"
  >;
  readonly authentication: Bytes<"challenge" | "authenticatorData" | "clientDataJSON" | "signature">;
}

/** In hexadecimal. */
type Bytes<Name extends string> = Readonly<Record<Name, string>>;

const { vectors }: { vectors: readonly Vector[] } = JSON.parse(
  readFileSync("test/fixtures/webauthn-vectors.json", "utf8"),
);
const byName = new Map(vectors.map((vector) => [vector.name, vector]));

/** Those that are refused here, and why. */
const refused: Readonly<Record<string, string>> = {
  'ES256 Credential with "crossOrigin": true in clientDataJSON': "the page was embedded in another one",
  'ES256 Credential with "topOrigin" in clientDataJSON': "the page was embedded in another one",
  "Packed Attestation with ES384 Credential": "the algorithm is not asked for",
  "Packed Attestation with ES512 Credential": "the algorithm is not asked for",
  "Packed Attestation with Ed448 Credential": "the algorithm is not asked for",
};
const accepted = vectors.filter(({ name }) => refused[name] === undefined);

const verifier = createPasskeyVerifier();
const text = (hex: string) => Buffer.from(hex, "hex").toString("base64url");

function expecting(challenge: string, change: Partial<PasskeyExpectation> = {}): PasskeyExpectation {
  return {
    isChallenge: (given) => Buffer.from(challenge, "hex").equals(given),
    ...{ rpId: "example.org", origins: ["https://example.org"], mustVerifyUser: false },
    ...change,
  };
}

function register({ registration: given }: Vector, change?: Partial<PasskeyExpectation>) {
  const attestation = {
    id: text(given.credential_id),
    clientDataJson: text(given.clientDataJSON),
    attestationObject: text(given.attestationObject),
  };
  return verifier.verifyAttestation(attestation, expecting(given.challenge, change));
}

function authenticate(
  { registration, authentication: given }: Vector,
  publicKey: string,
  change?: Partial<PasskeyExpectation>,
) {
  const assertion = {
    id: text(registration.credential_id),
    clientDataJson: text(given.clientDataJSON),
    authenticatorData: text(given.authenticatorData),
    signature: text(given.signature),
  };
  return verifier.verifyAssertion(assertion, expecting(given.challenge, change), publicKey);
}

/** A bit of the flags, which follow the digest of the RP id. */
const flag = (authenticatorData: string, bit: number) =>
  ((Buffer.from(authenticatorData, "hex")[32] ?? 0) & bit) !== 0;

describe("the test vectors of WebAuthn level 3", () => {
  test("are all here, and those that are refused are among them", () => {
    expect(vectors).toHaveLength(15);
    expect(Object.keys(refused).filter((name) => !byName.has(name))).toEqual([]);
  });

  test.each(accepted)("$name: is taken up and signs in", async (vector) => {
    const { aaguid } = vector.registration;
    const made = await register(vector);
    expect(made?.aaguid.replaceAll("-", "")).toBe(aaguid);
    const shown = await authenticate(vector, made?.publicKey ?? "");
    const { authenticatorData } = vector.authentication;
    expect(made?.isSyncable).toBe(flag(authenticatorData, 0x08));
    expect(shown).toEqual({
      ...{ userVerified: flag(authenticatorData, 0x04), counter: 0 },
      ...{ isSyncable: flag(authenticatorData, 0x08), isSynced: flag(authenticatorData, 0x10) },
    });
    const mustVerifyUser = { mustVerifyUser: true };
    expect((await authenticate(vector, made?.publicKey ?? "", mustVerifyUser)) !== undefined).toBe(
      shown?.userVerified,
    );
  });

  test.each(accepted)("$name: is refused for another challenge, page, domain or passkey", async (vector) => {
    const made = await register(vector);
    const key = made?.publicKey ?? "";
    const other = accepted.find((each) => each !== vector);
    const otherKey = other && (await register(other))?.publicKey;
    for (const change of [
      { isChallenge: () => false },
      { origins: ["https://example.com"] },
      { rpId: "example.com" },
    ]) {
      expect(await register(vector, change)).toBeUndefined();
      expect(await authenticate(vector, key, change)).toBeUndefined();
    }
    expect(await authenticate(vector, otherKey ?? "")).toBeUndefined();
  });

  test.each(vectors.filter(({ name }) => refused[name] !== undefined))(
    "$name: is refused",
    async (vector) => {
      expect(await register(vector)).toBeUndefined();
    },
  );
});
