import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { compactVerify, importJWK, type JWK } from "jose";
import { describe, expect, test } from "vitest";
import type { SigningAlgorithm } from "../domain/signed-token/key-pairs.ts";
import { createKeyPairs } from "./key-pairs.ts";

const pairs = createKeyPairs();
const algorithms: readonly SigningAlgorithm[] = ["ES256", "EdDSA"];

// RFC 8037, appendix A.1 to A.3.
const vector = {
  kty: "OKP",
  crv: "Ed25519",
  d: "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
  x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
};

test("a key has the thumbprint of RFC 8037, appendix A.3", () => {
  const key = createPrivateKey({ key: vector, format: "jwk" });
  const pair = pairs.read(key.export({ format: "der", type: "pkcs8" }));
  expect(pair?.publicJwk).toEqual({
    kty: "OKP",
    crv: "Ed25519",
    x: vector.x,
    kid: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    alg: "EdDSA",
    use: "sig",
  });
});

describe.each(algorithms)("a key for %s", (algorithm) => {
  test("signs what another library verifies", async () => {
    const pair = pairs.make(algorithm);
    const signed = pair.sign({ typ: "a+jwt" }, '{"a":"ä"}');
    const { payload, protectedHeader } = await compactVerify(signed, await importJWK(pair.publicJwk as JWK));
    expect(new TextDecoder().decode(payload)).toBe('{"a":"ä"}');
    expect(protectedHeader).toEqual({ typ: "a+jwt", alg: algorithm, kid: pair.keyId });
  });

  test("is the same one once it is read again", () => {
    const pair = pairs.make(algorithm);
    expect(pairs.read(pair.privateKey())?.publicJwk).toEqual(pair.publicJwk);
    expect(pairs.make(algorithm).keyId).not.toBe(pair.keyId);
  });

  // Security rule (SR-TOKEN-4): nothing private is published.
  test("publishes the public members alone", () => {
    const { publicJwk } = pairs.make(algorithm);
    const members = algorithm === "ES256" ? ["crv", "kty", "x", "y"] : ["crv", "kty", "x"];
    expect(Object.keys(publicJwk).sort()).toEqual([...members, "kid", "alg", "use"].sort());
  });
});

test("bytes of no such key give none", () => {
  const foreign = [
    generateKeyPairSync("rsa", { modulusLength: 2048 }),
    generateKeyPairSync("ec", { namedCurve: "secp384r1" }),
    generateKeyPairSync("ed448"),
  ];
  for (const { privateKey } of foreign) {
    expect(pairs.read(privateKey.export({ format: "der", type: "pkcs8" }))).toBeUndefined();
  }
  expect(pairs.read(Buffer.from("no key"))).toBeUndefined();
});
