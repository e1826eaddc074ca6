import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { credentialIdOf, isMissing, readAssertion, readAttestation } from "./response.ts";

const assertion = {
  ...{ id: "aWQ", rawId: "aWQ", type: "public-key", clientExtensionResults: {} },
  response: { clientDataJSON: "Y2Q", authenticatorData: "YWQ", signature: "c2ln", userHandle: "dXNlcg" },
};
const attestation = {
  ...assertion,
  response: {
    clientDataJSON: "Y2Q",
    attestationObject: "YW8",
    transports: ["usb", "internal", "usb", "smoke", 7],
  },
  clientExtensionResults: { credProps: { rk: false } },
};
const read = { id: "aWQ", clientDataJson: "Y2Q", authenticatorData: "YWQ", signature: "c2ln" };

describe("an answer", () => {
  test("is read as an object and as a text with its JSON", () => {
    for (const given of [assertion, JSON.stringify(assertion)]) {
      expect(readAssertion(given)).toEqual({ ...read, userHandle: "dXNlcg" });
      expect(credentialIdOf(given)).toBe("aWQ");
    }
    for (const given of [attestation, JSON.stringify(attestation)]) {
      expect(readAttestation(given)).toEqual({
        ...{ id: "aWQ", clientDataJson: "Y2Q", attestationObject: "YW8" },
        ...{ transports: ["internal", "usb"], isDiscoverable: false },
      });
    }
  });

  test("may lack what is not always there", () => {
    const { rawId: _raw, ...rest } = assertion;
    const { userHandle: _handle, ...response } = assertion.response;
    for (const given of [{}, { userHandle: null }, { userHandle: "" }]) {
      expect(readAssertion({ ...rest, response: { ...response, ...given } })).toEqual({
        ...{ ...read, userHandle: undefined },
      });
    }
    const { transports: _transports, ...made } = attestation.response;
    expect(readAttestation({ ...attestation, clientExtensionResults: 1, response: made })).toMatchObject({
      ...{ transports: [], isDiscoverable: undefined },
    });
  });

  test.each<[string, unknown]>([
    ["another raw id", { ...assertion, rawId: "aWR4" }],
    ["another type", { ...assertion, type: "password" }],
    ["no id", { ...assertion, id: undefined, rawId: undefined }],
    ["an id that is no base64url", { ...assertion, id: "a+b=", rawId: "a+b=" }],
    ["an id that is too long", { ...assertion, id: "a".repeat(1365), rawId: "a".repeat(1365) }],
    ["no response", { ...assertion, response: null }],
    ["a signature that is no text", { ...assertion, response: { ...assertion.response, signature: 1 } }],
    ["too much beside it", { ...assertion, more: "x".repeat(33_000) }],
    ["a name of JavaScript's", JSON.stringify(assertion).replace('"type"', '"__proto__":{},"type"')],
    ["a text that is no JSON", "{"],
    ["a text that is too long", JSON.stringify({ ...assertion, more: "x".repeat(33_000) })],
    ["a list", [assertion]],
    ["a number", 7],
  ])("with %s is none", (_name, given) => {
    expect(readAssertion(given)).toBeUndefined();
  });

  test("is missing where there is nothing", () => {
    expect([undefined, null, ""].map(isMissing)).toEqual([true, true, true]);
    expect([{}, "{", 0].map(isMissing)).toEqual([false, false, false]);
  });

  test("is read or refused whatever it is", () => {
    const shaped = fc.record({
      ...{ id: fc.string(), rawId: fc.string(), type: fc.constantFrom("public-key", "x") },
      response: fc.dictionary(fc.constantFrom("clientDataJSON", "signature", "transports"), fc.jsonValue()),
    });
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.json(), fc.string(), shaped), (given) => {
        readAssertion(given);
        readAttestation(given);
        expect(credentialIdOf(given)).toMatch(/^[A-Za-z0-9_-]*$/);
      }),
    );
  });
});
