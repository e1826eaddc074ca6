import { create } from "@bufbuild/protobuf";
import { afterEach, expect, test, vi } from "vitest";
import { FlowSchema } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import { RejectedSchema } from "../../../../gen/ostiary/flow/v1/outcome_pb.js";
import { signalPasskeys, signalUnknownPasskey } from "./signal-passkeys.ts";

const unknown = { rpId: "example.com", credentialId: "aWQ" };
const accepted = {
  ...{ rpId: "example.com", userId: "dXNlcg", name: "ada@example.com", displayName: "Ada" },
  allAcceptedCredentialIds: ["aWQ"],
};
const settings = create(FlowSchema, {
  stage: {
    case: "changeSettings",
    value: {
      offers: [
        { part: { case: "profile", value: {} } },
        { part: { case: "passkey", value: { accepted: [accepted] } } },
      ],
    },
  },
});
const rejected = create(RejectedSchema, { detail: { case: "passkey", value: { unknown } } });

afterEach(() => vi.unstubAllGlobals());

/** A browser with all three methods, and what it is told. */
function browser(answer: () => Promise<void> = async () => undefined) {
  const told: unknown[] = [];
  const method = (name: string) => (what: object) => {
    told.push([name, what]);
    return answer();
  };
  vi.stubGlobal("PublicKeyCredential", {
    signalUnknownCredential: method("unknown"),
    signalAllAcceptedCredentials: method("all"),
    signalCurrentUserDetails: method("details"),
  });
  return told;
}

test("a browser is told of the passkeys that an account has, and of its name", () => {
  const told = browser();
  signalPasskeys(settings);
  const { rpId, userId, name, displayName, allAcceptedCredentialIds } = accepted;
  expect(told).toEqual([
    ["all", { rpId, userId, allAcceptedCredentialIds }],
    ["details", { rpId, userId, name, displayName }],
  ]);
});

test("a browser is told of a passkey that nobody has", () => {
  const told = browser();
  signalUnknownPasskey(rejected);
  expect(told).toEqual([["unknown", unknown]]);
});

test("a browser is told nothing where the server says nothing", () => {
  const told = browser();
  signalPasskeys(create(FlowSchema, { stage: { case: "chooseMethod", value: {} } }));
  signalPasskeys(create(FlowSchema));
  signalUnknownPasskey(create(RejectedSchema));
  signalUnknownPasskey(create(RejectedSchema, { detail: { case: "passkey", value: {} } }));
  signalUnknownPasskey(create(RejectedSchema, { detail: { case: "password", value: {} } }));
  expect(told).toEqual([]);
});

test.each([
  ["has no passkeys", undefined],
  ["has no such methods", {}],
])("nothing happens where a browser %s", (_name, credential) => {
  vi.stubGlobal("PublicKeyCredential", credential);
  expect(() => {
    signalPasskeys(settings);
    signalUnknownPasskey(rejected);
  }).not.toThrow();
});

test("nothing happens where a browser refuses", async () => {
  const told = browser(() => Promise.reject(new Error("no")));
  signalPasskeys(settings);
  signalUnknownPasskey(rejected);
  await Promise.resolve();
  expect(told).toHaveLength(3);
  browser(() => {
    throw new Error("no");
  });
  expect(() => signalPasskeys(settings)).not.toThrow();
});
