import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { aCredential, anAsker, anIdentity, noon, someSettings } from "../../../../test/support/records.ts";
import { SoftwareAuthenticator } from "../../../../test/support/software-authenticator.ts";
import { createBoundChallenges } from "../../../crypto/bound-challenges.ts";
import { createPasskeyVerifier } from "../../../crypto/passkey-verifier.ts";
import type { CredentialWithSecret, NewCredential } from "../../identity/identity.ts";
import type { TenantId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import { Secret } from "../../secret.ts";
import type { PasskeySettings, Tenant } from "../../tenant/tenant.ts";
import type { LoginAttempt, LoginCandidate, SecretAttempt } from "../method.ts";
import { PasskeyMethod } from "./passkey-method.ts";

const passkey: PasskeySettings = {
  ...{
    enabled: true,
    rpId: "example.com",
    rpName: "Example",
    userVerification: "preferred",
    useAs: "either" as const,
  },
  ...{ origins: ["https://id.example.com"], relatedOrigins: [], appleApps: [], androidApps: [] },
  offerAfterLogin: true,
};
const tenant: Tenant = {
  ...{ tenantId: "t" as TenantId, name: "default", settings: someSettings({ passkey }) },
};
const binding = { client: "native" as const, flowDigest: Buffer.alloc(32, 7), revision: 2 };
const place = { time: noon, device: "test" };
const flow = { kind: "login", id: "" } as const;
const challenges = createBoundChallenges(() => [new Secret("s".repeat(32))]);
const real = createPasskeyVerifier();
/** The public keys that something was verified by. */
const verifiedBy: (string | undefined)[] = [];
const method = new PasskeyMethod({
  passkeys: {
    ...real,
    verifyAssertion: (assertion, expected, publicKey) => {
      verifiedBy.push(publicKey);
      return real.verifyAssertion(assertion, expected, publicKey);
    },
  },
  challenges,
  clock: { now: () => noon },
});

function attempt(response: unknown, change: Partial<SecretAttempt> = {}): SecretAttempt {
  return {
    ...{ tenant, step: { name: "passkey", fields: { response } }, binding, place, flow, credentials: [] },
    account: { traits: {}, identifiers: [], name: "Ada" },
    isFresh: true,
    asker: anAsker(),
    ...change,
  };
}

/** An account with a passkey of a new device. */
async function account(device = new SoftwareAuthenticator()) {
  const asked = await method.proveRegistration(attempt(undefined));
  const { memory } = asked.kind === "continues" ? asked : {};
  const { options } = method.registrationOffer(tenant, { binding, memory }) as { options: JsonObject };
  const made = await method.proveRegistration(attempt(device.create(options), { memory }));
  if (made.kind !== "proved") throw new Error(`it was ${made.kind}`);
  const credential: CredentialWithSecret = { ...aCredential(), ...(made.credential as NewCredential) };
  const candidate = (change: Partial<LoginCandidate> = {}): LoginCandidate => ({
    ...{ identity: anIdentity(), credential, credentials: [credential], loginSequence: 1 },
    ...change,
  });
  return { device, credential, candidate };
}

const stage = { factor: "first", demanded: [], binding } as const;

function login(response: unknown, candidate: LoginCandidate | undefined, change: Partial<LoginAttempt> = {}) {
  const step = { name: "passkey", fields: { response } };
  return method.proveLogin({ tenant, step, candidate, place, flow, asker: anAsker(), ...stage, ...change });
}

const optionsOf = (change: object = {}) =>
  (method.loginOffer(tenant, { ...stage, ...change }) as { options: JsonObject }).options;

describe("a passkey", () => {
  test("is shown in a login, and its count and state are stored", async () => {
    const { device, candidate, credential } = await account(
      new SoftwareAuthenticator({ backupEligible: true }),
    );
    device.with({ counts: true, backedUp: true });
    const given = candidate();
    const result = await login(device.get(optionsOf()), given);
    expect(result).toEqual({
      ...{ kind: "proved", candidate: given },
      authentication: {
        ...{ kind: "passkey", assuranceLevel: "aal2", userVerified: true, credentialId: credential.id },
      },
      replacement: {
        secret: JSON.stringify({ ...JSON.parse(credential.secret), counter: 1 }),
        ...{ facts: { ...credential.facts, synced: true }, isUse: true },
      },
    });
  });

  // Security rule (SR-PASSKEY-14).
  test("is refused once it says otherwise whether it can be backed up (SR-PASSKEY-14)", async () => {
    for (const backupEligible of [true, false]) {
      const device = new SoftwareAuthenticator({ backupEligible });
      const { candidate } = await account(device);
      expect(await login(device.get(optionsOf()), candidate())).toMatchObject({ kind: "proved" });
      device.with({ backupEligible: !backupEligible });
      expect(await login(device.get(optionsOf()), candidate())).toMatchObject({
        ...{ kind: "rejected", reason: "PASSKEY_INVALID" },
      });
    }
  });

  test.each([
    ["first", false, "aal1"],
    ["first", true, "aal2"],
    ["second", false, "aal2"],
    ["second", true, "aal2"],
  ] as const)(
    "that is shown %s, with a verified user %s, is worth %s",
    async (factor, userVerified, level) => {
      const { device, candidate } = await account();
      device.with({ userVerified });
      const result = await login(device.get(optionsOf({ factor })), candidate(), { factor });
      expect(result).toMatchObject({ authentication: { assuranceLevel: level, userVerified } });
    },
  );

  test("must be with a verified user where that is demanded", async () => {
    const { device, candidate } = await account();
    const demanded = ["user_verified"] as const;
    device.with({ userVerified: false });
    expect(optionsOf({ demanded }).userVerification).toBe("required");
    const result = await login(device.get(optionsOf({ demanded })), candidate(), { demanded });
    expect(result).toMatchObject({ kind: "rejected", reason: "PASSKEY_INVALID" });
    expect(await login(device.get(optionsOf()), candidate())).toMatchObject({ kind: "proved" });
  });

  // Security rule (SR-PASSKEY-3): what cannot sign in costs the same work.
  test("is verified by a key that nobody has where there is none, and refused (SR-PASSKEY-3)", async () => {
    const { device, candidate, credential } = await account();
    const answer = device.get(optionsOf());
    const wrong = await login({ ...answer, id: "b3RoZXI", rawId: "b3RoZXI" }, candidate());
    const answers = [
      await login(answer, undefined),
      await login(answer, candidate({ identity: anIdentity({ state: "inactive" }) })),
      await login(answer, candidate({ credential: undefined })),
      await login(answer, candidate({ credential: { ...credential, lookupKey: "b3RoZXI" } })),
    ];
    expect(verifiedBy.slice(-5)).toEqual(Array.from({ length: 5 }, () => undefined));
    for (const each of answers) expect(each).toEqual(wrong);
    expect(wrong).toMatchObject({ kind: "rejected", reason: "PASSKEY_INVALID" });
    // The control.
    expect(await login(answer, candidate())).toMatchObject({ kind: "proved" });
    expect(verifiedBy.at(-1)).toBe(JSON.parse(credential.secret).publicKey);
  });

  test("is not taken up where none was asked for, and is asked for with the same user handle until it is there", async () => {
    const { device, credential } = await account();
    const answer = device.create(
      method.registrationOffer(tenant, { binding, memory: { user: "dXNlcg", name: "Ada" } })
        .options as JsonObject,
    );
    const { take } = method.settingsSteps.passkey;
    const credentials = [{ ...credential, isSecondFactor: false }];
    expect(await take(attempt(answer, { credentials }))).toMatchObject({ reason: "PASSKEY_INVALID" });
    const asked = await take(attempt(undefined, { credentials }));
    expect(asked).toEqual({ kind: "continues", memory: { user: credential.facts.user, name: "Ada" } });
    const memory = asked.kind === "continues" ? asked.memory : undefined;
    expect(await take(attempt(undefined, { credentials, memory }))).toMatchObject({
      reason: "FORM_INCOMPLETE",
    });
    expect(await take(attempt(answer, { credentials, memory }))).toMatchObject({
      ...{ kind: "changed", endsOtherSessions: false },
      credential: { label: "", isSecondFactor: false, facts: { user: credential.facts.user } },
    });
    // Where another one is asked for beside a password, so is this one.
    const asking = [{ ...credential, isSecondFactor: true }];
    expect(await take(attempt(answer, { credentials: asking, memory }))).toMatchObject({
      credential: { isSecondFactor: true },
    });
  });

  test("is one of at most fifty of an account", async () => {
    const add = (count: number) =>
      method.settingsSteps.passkey.take(
        attempt(undefined, {
          credentials: Array.from({ length: count }, () => aCredential({ kind: "passkey" })),
        }),
      );
    expect((await add(49)).kind).toBe("continues");
    expect(await add(50)).toMatchObject({ kind: "rejected", reason: "CREDENTIALS_TOO_MANY" });
  });

  // Security rule (SR-PASSKEY-11): an authenticator hides what a list leaves out.
  test("are told of by their user handles, each with all that have it (SR-PASSKEY-11)", () => {
    const own = (lookupKey: string, user: string) =>
      aCredential({ kind: "passkey", lookupKey, facts: { user } });
    const credentials = [own("a", "one"), own("b", "two"), own("c", "one")];
    const former = [...credentials, own("d", "three")];
    const { accepted } = method.settingsOffer({ tenant, credentials, former, name: "Ada", binding });
    const account = { rpId: "example.com", name: "Ada", displayName: "Ada" };
    expect(accepted).toEqual([
      { ...account, userId: "one", allAcceptedCredentialIds: ["a", "c"] },
      { ...account, userId: "two", allAcceptedCredentialIds: ["b"] },
      { ...account, userId: "three", allAcceptedCredentialIds: [] },
    ]);
  });

  test("says whose it is where nobody was named, and need not elsewhere", async () => {
    const { device, candidate } = await account();
    const { response, ...answer } = device.get(optionsOf());
    const { userHandle: _, ...nameless } = response as JsonObject;
    const given = { ...answer, response: nameless };
    expect(await login(given, candidate())).toMatchObject({ kind: "rejected" });
    expect(await login(given, candidate(), { factor: "second" })).toMatchObject({ kind: "proved" });
    const other = { ...answer, response: { ...nameless, userHandle: "b3RoZXI" } };
    expect(await login(other, candidate(), { factor: "second" })).toMatchObject({ kind: "rejected" });
  });

  test("is asked for by the account's own where a second factor is wanted", async () => {
    const { credential } = await account();
    const noted = method.noteOf([credential, aCredential()]);
    const id = credential.lookupKey;
    expect(optionsOf({ factor: "second", noted }).allowCredentials).toEqual([
      { type: "public-key", id, transports: ["hybrid", "internal"] },
    ]);
    expect(method.isWayIn(credential)).toBe(true);
    expect(method.isWayIn({ ...credential, facts: { ...credential.facts, discoverable: false } })).toBe(
      false,
    );
  });

  test("is asked for with the same challenge until the flow takes a step", () => {
    expect(optionsOf().challenge).toBe(optionsOf().challenge);
    const later = { binding: { ...binding, revision: 3 } };
    expect(optionsOf(later).challenge).not.toBe(optionsOf().challenge);
    // To make one is another thing.
    const memory = { user: "dXNlcg", name: "Ada" };
    const { options } = method.registrationOffer(tenant, { binding, memory });
    expect(options).toMatchObject({ challenge: expect.not.stringMatching(String(optionsOf().challenge)) });
  });

  test("is refused or missing whatever is sent, and nothing is thrown", async () => {
    const { candidate } = await account();
    const memory = { user: "dXNlcg", name: "Ada" };
    const text = fc.base64String().map((given) => given.replaceAll(/[+/=]/g, ""));
    const shaped = fc.record({
      ...{ id: text, type: fc.constant("public-key") },
      response: fc.record({
        clientDataJSON: fc.oneof(
          text,
          fc.json().map((json) => Buffer.from(json).toString("base64url")),
        ),
        ...{ authenticatorData: text, signature: text, attestationObject: text, userHandle: text },
      }),
    });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), fc.json(), shaped), async (given) => {
        const step = { name: "passkey", fields: { response: given } };
        method.unreadable(tenant, step);
        method.lookupKey(() => given);
        expect((await login(given, candidate())).kind).toBe("rejected");
        expect((await method.proveRegistration(attempt(given, { memory }))).kind).toBe("rejected");
        expect((await method.settingsSteps.passkey.take(attempt(given, { memory }))).kind).toBe("rejected");
      }),
      { numRuns: 200 },
    );
  });
});
