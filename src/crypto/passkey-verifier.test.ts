import { generateKeyPairSync, type JsonWebKey } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type AuthenticatorOptions,
  algorithms,
  type Cbor,
  coseKey,
  encode,
  SoftwareAuthenticator,
} from "../../test/support/software-authenticator.ts";
import type { JsonObject } from "../domain/json.ts";
import type { PasskeyExpectation } from "../domain/ports.ts";
import { createPasskeyVerifier } from "./passkey-verifier.ts";

const verifier = createPasskeyVerifier();
const challenge = Buffer.alloc(32, 1);
const expected: PasskeyExpectation = {
  isChallenge: (given) => challenge.equals(given),
  rpId: "example.com",
  origins: ["https://id.example.com"],
  mustVerifyUser: false,
};
const text = challenge.toString("base64url");
const creation = { challenge: text, rp: { id: "example.com" }, user: { id: "dXNlcg" } };
const request = { challenge: text, rpId: "example.com" };

type Texts = Readonly<Record<string, string>>;

function attestationOf({ id, response }: JsonObject) {
  const { clientDataJSON = "", attestationObject = "" } = response as Texts;
  return { id: String(id), clientDataJson: clientDataJSON, attestationObject };
}

function assertionOf({ id, response }: JsonObject) {
  const { clientDataJSON = "", authenticatorData = "", signature = "" } = response as Texts;
  return { id: String(id), clientDataJson: clientDataJSON, authenticatorData, signature };
}

/** A new passkey, with its public key. */
async function made(options: AuthenticatorOptions = {}) {
  const device = new SoftwareAuthenticator(options);
  const passkey = await verifier.verifyAttestation(attestationOf(device.create(creation)), expected);
  if (passkey === undefined) throw new Error("the passkey was refused");
  return { device, passkey };
}

describe("a new passkey", () => {
  test.each(Object.keys(algorithms) as (keyof typeof algorithms)[])(
    "is taken up with %s",
    async (algorithm) => {
      const { passkey } = await made({ algorithm, backupEligible: true, backedUp: true });
      expect(passkey).toMatchObject({
        ...{ aaguid: "07070707-0707-0707-0707-070707070707", counter: 0 },
        ...{ userVerified: true, isSyncable: true, isSynced: true },
      });
      expect((await made({ algorithm, userVerified: false })).passkey).toMatchObject({
        ...{ userVerified: false, isSyncable: false, isSynced: false },
      });
    },
  );

  test("is taken up without what its maker says of it, which is not read", async () => {
    const attestation = { format: "packed", statement: new Map([["sig", "nonsense"]]) };
    expect((await made({ attestation })).passkey.counter).toBe(0);
    expect(
      (await made({ attestation: { format: "unheard of", statement: new Map() } })).passkey.counter,
    ).toBe(0);
  });

  test.each<[string, AuthenticatorOptions, Partial<PasskeyExpectation>]>([
    ["of another challenge", { clientData: { challenge: "AAAA" } }, {}],
    ["of another ceremony", { clientData: { type: "webauthn.get" } }, {}],
    ["of another origin", { origin: "https://id.example.com.evil.example" }, {}],
    ["of a page below the domain that is not listed", { origin: "https://other.example.com" }, {}],
    ["of a page that is embedded elsewhere", { clientData: { crossOrigin: true } }, {}],
    ["of another domain", { rpId: "evil.example" }, {}],
    ["without its user", { userPresent: false }, {}],
    ["without a verified user where that is asked for", { userVerified: false }, { mustVerifyUser: true }],
    ["with an algorithm that is not among ours", { claimedAlgorithm: -35 }, {}],
    ["that is backed up and cannot be", { backedUp: true }, {}],
  ])("%s is refused", async (_name, options, more) => {
    const device = new SoftwareAuthenticator(options);
    const attestation = attestationOf(device.create(creation));
    expect(await verifier.verifyAttestation(attestation, { ...expected, ...more })).toBeUndefined();
  });

  test("with another id than the one that it is announced with is refused", async () => {
    const attestation = attestationOf(new SoftwareAuthenticator().create(creation));
    expect(await verifier.verifyAttestation({ ...attestation, id: "b3RoZXI" }, expected)).toBeUndefined();
  });
});

describe("an assertion", () => {
  test.each(Object.keys(algorithms) as (keyof typeof algorithms)[])("is right with %s", async (algorithm) => {
    const { device, passkey } = await made({ algorithm, counts: true });
    const verify = () =>
      verifier.verifyAssertion(assertionOf(device.get(request)), expected, passkey.publicKey);
    expect(await verify()).toEqual({ userVerified: true, isSyncable: false, isSynced: false, counter: 1 });
    device.with({ userVerified: false });
    expect(await verify()).toEqual({ userVerified: false, isSyncable: false, isSynced: false, counter: 2 });
    // It is compared by the caller, who knows the last one.
    device.with({ counts: false });
    expect(await verify()).toMatchObject({ counter: 2 });
  });

  test.each<[string, AuthenticatorOptions, Partial<PasskeyExpectation>]>([
    ["for another challenge", { clientData: { challenge: "AAAA" } }, {}],
    ["for another ceremony", { clientData: { type: "webauthn.create" } }, {}],
    ["of another origin", { origin: "http://id.example.com" }, {}],
    ["of an origin with a port", { origin: "https://id.example.com:8443" }, {}],
    ["of a page that is embedded elsewhere", { clientData: { crossOrigin: true } }, {}],
    ["for another domain", { rpId: "id.example.com" }, {}],
    ["without its user", { userPresent: false }, {}],
    ["without a verified user where that is asked for", { userVerified: false }, { mustVerifyUser: true }],
    ["that is backed up and cannot be", { backedUp: true }, {}],
  ])("%s is refused", async (_name, options, more) => {
    const { device, passkey } = await made();
    const assertion = assertionOf(device.with(options).get(request));
    const given = { ...expected, ...more };
    expect(await verifier.verifyAssertion(assertion, given, passkey.publicKey)).toBeUndefined();
  });

  test("with a wrong signature, or by another key, is refused", async () => {
    const { device, passkey } = await made();
    const other = await made();
    const assertion = assertionOf(device.get(request));
    const bytes = Buffer.from(assertion.signature, "base64url");
    bytes.writeUInt8(bytes.readUInt8(20) ^ 1, 20);
    const changed = { ...assertion, signature: bytes.toString("base64url") };
    expect(await verifier.verifyAssertion(changed, expected, passkey.publicKey)).toBeUndefined();
    expect(await verifier.verifyAssertion(assertion, expected, other.passkey.publicKey)).toBeUndefined();
    expect(await verifier.verifyAssertion(assertion, expected, undefined)).toBeUndefined();
    // The control.
    expect(await verifier.verifyAssertion(assertion, expected, passkey.publicKey)).toBeDefined();
  });

  test("may come from an app", async () => {
    const origin = `android:apk-key-hash:${"a".repeat(43)}`;
    const { device, passkey } = await made();
    const assertion = assertionOf(device.with({ origin }).get(request));
    const ours = { ...expected, origins: [origin] };
    expect(await verifier.verifyAssertion(assertion, ours, passkey.publicKey)).toBeDefined();
    expect(await verifier.verifyAssertion(assertion, expected, passkey.publicKey)).toBeUndefined();
  });
});

test("whatever is sent, nothing is thrown", async () => {
  const { device, passkey } = await made();
  const assertion = assertionOf(device.get(request));
  const attestation = attestationOf(new SoftwareAuthenticator().create(creation));
  const bytes = fc.uint8Array({ maxLength: 300 }).map((given) => Buffer.from(given).toString("base64url"));
  const given = fc.oneof(
    bytes,
    fc.string(),
    fc.json().map((json) => Buffer.from(json).toString("base64url")),
  );
  // Nested as deep as it can be.
  const deep = Buffer.concat([Buffer.alloc(20_000, 0x81), Buffer.of(0)]).toString("base64url");
  await fc.assert(
    fc.asyncProperty(given, fc.constantFrom(0, 1, 2, 3), async (value, at) => {
      const name = ["id", "clientDataJson", "authenticatorData", "signature"][at] ?? "";
      const changed = { ...assertion, [name]: value };
      // The id decides only which key is taken.
      const shown = await verifier.verifyAssertion(changed, expected, passkey.publicKey);
      expect(shown === undefined || name === "id").toBe(true);
      await verifier.verifyAttestation({ ...attestation, attestationObject: value }, expected);
      await verifier.verifyAttestation({ ...attestation, clientDataJson: value }, expected);
    }),
    { numRuns: 300 },
  );
  expect(
    await verifier.verifyAttestation({ ...attestation, attestationObject: deep }, expected),
  ).toBeUndefined();
  expect(await verifier.verifyAssertion(assertion, expected, deep)).toBeUndefined();
});

// It takes a third of a second and 28 MB.
test("the library is loaded by the first verification alone", () => {
  const files = readdirSync("src", { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const loading = files.filter(
    (name) =>
      !name.endsWith(".test.ts") &&
      /(from|^import) "@simplewebauthn/m.test(readFileSync(join("src", name), "utf8")),
  );
  expect(loading).toEqual([]);
});

// Security rule (SR-PASSKEY-13): a public key is checked before it is stored.
describe("a public key that is imported", () => {
  const jwkOf = {
    EdDSA: () => generateKeyPairSync("ed25519").publicKey.export({ format: "jwk" }),
    ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }),
    RS256: (modulusLength = 2048, publicExponent = 65537) =>
      generateKeyPairSync("rsa", { modulusLength, publicExponent }).publicKey.export({ format: "jwk" }),
  };
  const keys = {
    EdDSA: coseKey(jwkOf.EdDSA(), "EdDSA"),
    ES256: coseKey(jwkOf.ES256(), "ES256"),
    RS256: coseKey(jwkOf.RS256(), "RS256"),
  };
  const names = Object.keys(keys) as (keyof typeof keys)[];
  const problem = (key: ReadonlyMap<Cbor, Cbor>) => verifier.publicKeyProblem(encode(key));
  const changed = (name: keyof typeof keys, ...members: readonly (readonly [Cbor, Cbor])[]) =>
    new Map([...keys[name], ...members]);
  const rsa = (jwk: JsonWebKey) => coseKey(jwk, "RS256");

  test.each(names)("is accepted with %s, its members in any order", async (name) => {
    expect(await problem(keys[name])).toBeUndefined();
    expect(await problem(new Map([...keys[name]].toReversed()))).toBeUndefined();
  });

  test("is accepted of RSA from 2048 to 8192 bits", async () => {
    expect(await problem(rsa(jwkOf.RS256(3072)))).toBeUndefined();
    expect(await problem(rsa(jwkOf.RS256(1024)))).toBe("is an RSA key of less than 2048 bits");
    expect(await problem(rsa(jwkOf.RS256(2040)))).toBe("is an RSA key of less than 2048 bits");
    expect(await problem(rsa(jwkOf.RS256(2048, 3)))).toBe("is no key of RSA");
    const even = { ...jwkOf.RS256(), e: Buffer.of(1, 0, 0, 2).toString("base64url") };
    expect(await problem(rsa(even))).toBe("is no key of RSA");
    const large = { ...jwkOf.RS256(), e: Buffer.of(1, 0, 0, 0, 1).toString("base64url") };
    expect(await problem(rsa(large))).toBe("has too large an exponent");
  });

  test.each<[string, ReadonlyMap<Cbor, Cbor>, string]>([
    ["of the algorithm ES384", changed("ES256", [3, -35]), "is not of the algorithm EdDSA, ES256 or RS256"],
    ["of PS256", changed("RS256", [3, -37]), "is not of the algorithm EdDSA, ES256 or RS256"],
    ["of the algorithm of another key", changed("ES256", [3, -8]), "is no key of Ed25519"],
    ["of the type of another key", changed("EdDSA", [1, 2]), "is no key of Ed25519"],
    ["of Ed448", changed("EdDSA", [-1, 7]), "is no key of Ed25519"],
    ["of Ed25519, too short", changed("EdDSA", [-2, Buffer.alloc(31, 1)]), "is no key of Ed25519"],
    ["of the curve P-384", changed("ES256", [-1, 2]), "is no key of the curve P-256"],
    ["beside the curve", changed("ES256", [-3, Buffer.alloc(32, 1)]), "is no key of the curve P-256"],
    ["compressed", changed("ES256", [-3, 1]), "is no key of the curve P-256"],
    ["of RSA without a modulus", changed("RS256", [-1, Buffer.alloc(0)]), "is no key of RSA"],
    ["with a private part", changed("ES256", [-4, Buffer.alloc(32, 1)]), "is no key of the curve P-256"],
    ["with a member more", changed("EdDSA", [4, "verify"]), "is no key of Ed25519"],
    ["without members", new Map(), "is not of the algorithm EdDSA, ES256 or RS256"],
  ])("is refused %s", async (_name, key, expected) => {
    expect(await problem(key)).toBe(expected);
  });

  test.each(names)("is refused with bytes after it or before its end, %s", async (name) => {
    const bytes = encode(keys[name]);
    for (const broken of [Buffer.concat([bytes, Buffer.of(0)]), bytes.subarray(0, -1), Buffer.alloc(0)]) {
      expect(await verifier.publicKeyProblem(broken)).toBe("is not a COSE_Key");
    }
  });

  test("is refused if it is anything else, and nothing is thrown", async () => {
    const twice = Buffer.concat([Buffer.of(0xa2), Buffer.of(0x01, 0x02), Buffer.of(0x01, 0x02)]);
    for (const other of [twice, encode([1, 2]), encode("key"), Buffer.from("-----BEGIN PUBLIC KEY-----")]) {
      expect(await verifier.publicKeyProblem(other)).toBe("is not a COSE_Key");
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
        expect(await verifier.publicKeyProblem(bytes)).toBeTypeOf("string");
      }),
      { numRuns: 300 },
    );
  });
});
