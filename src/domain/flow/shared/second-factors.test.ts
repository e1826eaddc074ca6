import { describe, expect, test } from "vitest";
import { TestClock } from "../../../../test/support/clock.ts";
import { KnowsSecret } from "../../../../test/support/methods.ts";
import { aCredential, anIdentity, noon, someSettings } from "../../../../test/support/records.ts";
import type { Credential } from "../../identity/identity.ts";
import type { TenantId } from "../../ids.ts";
import type { LoginMethod } from "../../method/method.ts";
import { SecondFactors, shownFirst } from "./second-factors.ts";

const tenant = { tenantId: "t" as TenantId, name: "default", settings: someSettings() };
const clock = new TestClock();
/** Codes and links to sign in with are off. */
const challenges = { offered: () => [] };
const [first, second, either] = [
  new KnowsSecret("first", "first"),
  new KnowsSecret("second", "second"),
  new KnowsSecret("either", "either"),
];
const off = Object.assign(new KnowsSecret("off", "second"), { isEnabled: () => false });
const without = Object.assign(new KnowsSecret("without", "second"), { credential: undefined });
const weak = { authentication: { kind: "code", assuranceLevel: "aal1" } } as const;

/** What is wanted beside a proof. */
function wanted(
  given: Parameters<SecondFactors["requiredBeside"]>[1],
  credentials: readonly Credential[] = [aCredential()],
  methods: readonly LoginMethod[] = [first, second, either, off, without as LoginMethod],
) {
  return new SecondFactors({ methods, challenges, clock }).requiredBeside(tenant, given, credentials);
}

// Security rule (SR-FACTOR-1): what an account has set up to be shown second is wanted after every first proof.
test("what is wanted second is what the account has set up and the tenant has switched on (SR-FACTOR-1)", () => {
  expect(wanted(weak)).toEqual(["second", "either"]);
  expect(wanted({ ...weak, by: "either" as never })).toEqual(["second"]);
  expect(wanted(weak, [])).toEqual([]);
  expect(wanted(weak, [aCredential()], [first])).toEqual([]);
});

test("a credential that is no second factor asks for none, and serves where another one asks", () => {
  const passive = aCredential({ isSecondFactor: false });
  expect(wanted(weak, [passive])).toEqual([]);
  const other = Object.assign(new KnowsSecret("other", "second"), { credential: "other" as "password" });
  const asking = aCredential({ kind: "other" as "password" });
  expect(wanted(weak, [passive, asking], [second, other])).toEqual(["second", "other"]);
});

// Security rule (SR-FACTOR-1): one factor is not two, also where it is the one that is asked for.
test("a proof comes second where it is asked for beside another one that the account can begin with (SR-FACTOR-1)", () => {
  const kinds = { password: "password", key: "passkey", spare: "totp" } as const;
  const [password, key, spare] = [
    Object.assign(new KnowsSecret("password", "first"), { credential: kinds.password }),
    Object.assign(new KnowsSecret("key", "either"), { credential: kinds.key }),
    Object.assign(new KnowsSecret("spare", "second"), { credential: kinds.spare }),
  ];
  const own = {
    password: aCredential({ kind: kinds.password, isSecondFactor: false }),
    key: aCredential({ kind: kinds.key }),
    passive: aCredential({ kind: kinds.key, isSecondFactor: false }),
    spare: aCredential({ kind: kinds.spare, isSecondFactor: false }),
  };
  const given = { authentication: { kind: "passkey", assuranceLevel: "aal1" }, by: "key" as never } as const;
  const identity = anIdentity({ verifiableAddresses: [] });
  const comesSecond = (
    credentials: readonly Credential[],
    { by = given, owner = identity, offered = [] as readonly "code"[] } = {},
  ) => {
    const methods = [password, key, spare];
    const factors = new SecondFactors({ methods, challenges: { offered: () => offered }, clock });
    return factors.comesSecond(tenant, by, { identity: owner, credentials });
  };
  expect(comesSecond([own.password, own.key])).toBe(true);
  expect(comesSecond([own.password, own.passive])).toBe(false);
  // Something else is asked for beside it.
  expect(comesSecond([own.password, own.key, own.spare])).toBe(false);
  // The account has nothing else to begin with.
  expect(comesSecond([own.key])).toBe(false);
  expect(comesSecond([own.key], { offered: ["code"] })).toBe(false);
  const address = { kind: "email", value: "ada@example.com", path: "email", verifiedAt: noon } as const;
  const reached = anIdentity({ verifiableAddresses: [address] });
  expect(comesSecond([own.key], { owner: reached })).toBe(false);
  expect(comesSecond([own.key], { owner: reached, offered: ["code"] })).toBe(true);
  const strong = { ...given, authentication: { kind: "passkey", assuranceLevel: "aal2" } } as never;
  expect(comesSecond([own.password, own.key], { by: strong })).toBe(false);
});

test("a demand asks for what can sign in by itself too, and not for a spare", () => {
  const either = Object.assign(new KnowsSecret("either", "either"), { credential: "other" as "password" });
  const methods = new SecondFactors({ methods: [second, either], challenges, clock });
  const [spare, passive] = [
    aCredential({ isSecondFactor: false }),
    aCredential({ kind: "other" as "password", isSecondFactor: false }),
  ];
  const demanded = (
    credentials: readonly Credential[],
    why: Parameters<SecondFactors["requiredBeside"]>[3] = "demanded",
  ) => methods.requiredBeside(tenant, weak, credentials, why);
  expect(demanded([spare, passive])).toEqual(["second", "either"]);
  expect(demanded([spare])).toEqual([]);
  expect(demanded([spare, passive], "by_policy")).toEqual([]);
});

test("a proof that is worth two factors needs none beside it", () => {
  expect(wanted({ authentication: { kind: "code", assuranceLevel: "aal2" } })).toEqual([]);
});

test("a first proof is kept with the time at which it was given", () => {
  const firstFactor = new SecondFactors({ methods: [], challenges, clock }).firstFactor(
    ...([weak.authentication, "recovery", ["second" as never], []] as const),
  );
  const proof = { kind: "code", purpose: "recovery", assuranceLevel: "aal1" };
  expect(firstFactor).toEqual({ ...proof, completedAt: clock.now().toISOString(), methods: ["second"] });
  expect(shownFirst(firstFactor)).toEqual({ ...proof, completedAt: clock.now() });
});

// Security rule (SR-SMS-4): two text messages are one kind of proof, and one is worth what its method says.
describe("a second factor by text message (SR-SMS-4)", () => {
  const kinds = { password: "password", sms: "sms", app: "totp", spare: "backup_code" } as const;
  const named = (kind: keyof typeof kinds, factor: LoginMethod["factor"]) =>
    Object.assign(new KnowsSecret(kind, factor), { credential: kinds[kind] as "password" });
  const sms = Object.assign(named("sms", "second"), {
    sentBy: "sms" as const,
    assuranceLevel: () => "aal1" as const,
  });
  const methods = [named("password", "first"), named("app", "second"), sms, named("spare", "second")];
  const own = {
    password: aCredential({ kind: kinds.password, isSecondFactor: false }),
    sms: aCredential({ kind: kinds.sms }),
    app: aCredential({ kind: kinds.app }),
    spare: aCredential({ kind: kinds.spare, isSecondFactor: false }),
  };
  const factors = new SecondFactors({ methods, challenges: { offered: () => ["code" as const] }, clock });
  const byMessage = { authentication: { ...weak.authentication, sentBy: "sms" } } as const;
  const phone = { kind: "phone", value: "+491712345678", path: "phone", verifiedAt: noon } as const;
  const mail = { kind: "email", value: "ada@example.com", path: "email", verifiedAt: noon } as const;
  const reached = (...verifiableAddresses: readonly (typeof phone | typeof mail)[]) =>
    anIdentity({ verifiableAddresses });

  test("is wanted beside another kind of proof, and not beside a text message", () => {
    expect(factors.requiredBeside(tenant, weak, [own.sms])).toEqual(["sms"]);
    expect(factors.requiredBeside(tenant, byMessage, [own.sms])).toEqual([]);
    expect(factors.requiredBeside(tenant, byMessage, [own.sms, own.app])).toEqual(["app"]);
    expect(factors.requiredBeside(tenant, byMessage, [own.sms, own.spare])).toEqual(["spare"]);
    expect(factors.requiredBeside(tenant, weak, [own.sms, own.app], "demanded")).toEqual(["app"]);
  });

  test("is the same kind as a text message where nothing else is asked for", () => {
    expect(factors.isSameKind(tenant, byMessage, [own.sms])).toBe(true);
    expect(factors.isSameKind(tenant, weak, [own.sms])).toBe(false);
    expect(factors.isSameKind(tenant, byMessage, [own.sms, own.app])).toBe(false);
    expect(factors.isSameKind(tenant, byMessage, [own.password])).toBe(false);
  });

  test("is not what an account begins with that has another way to begin", () => {
    const comesSecond = (identity: ReturnType<typeof reached>, ...credentials: readonly Credential[]) =>
      factors.comesSecond(tenant, byMessage, { identity, credentials });
    expect(comesSecond(reached(phone), own.sms, own.password)).toBe(true);
    expect(comesSecond(reached(phone, mail), own.sms)).toBe(true);
    expect(comesSecond(reached(phone), own.sms)).toBe(false);
    expect(comesSecond(reached(phone), own.password)).toBe(false);
  });

  // Security rule (SR-FACTOR-7): the weaker second factor does not remove the stronger one.
  test("is enough to change what protects an account, unless a stronger one is set up (SR-FACTOR-7)", () => {
    expect(factors.highestLevel(tenant, [own.sms, own.app])).toBe("aal2");
    for (const credentials of [[own.sms], [own.app], [own.sms, own.spare], []]) {
      expect(factors.highestLevel(tenant, credentials)).toBeUndefined();
    }
    // A passkey that no login asks for is stronger as well, where something weaker is asked for.
    const key = Object.assign(new KnowsSecret("key", "either"), { credential: "passkey" as "password" });
    const withKey = new SecondFactors({ methods: [...methods, key], challenges, clock });
    const passive = aCredential({ kind: "passkey", isSecondFactor: false });
    expect(withKey.highestLevel(tenant, [own.sms, passive])).toBe("aal2");
    expect(withKey.requiredBeside(tenant, weak, [own.sms, passive], "demanded")).toEqual(["key"]);
    for (const credentials of [[passive], [own.app, passive], [own.spare, passive]]) {
      expect(withKey.highestLevel(tenant, credentials)).toBeUndefined();
    }
    const proof = (kind: string, sentBy?: "sms") =>
      ({ kind, purpose: "sign_in", assuranceLevel: "aal1", completedAt: noon, sentBy }) as never;
    const isEnough = (
      authenticationMethods: readonly never[],
      credentials: readonly Credential[],
      assuranceLevel: "aal1" | "aal2" = "aal1",
    ) => {
      const owner = { identity: reached(mail), credentials };
      return factors.isEnough(tenant, { assuranceLevel, authenticationMethods }, owner);
    };
    expect(isEnough([proof("password")], [own.password])).toBe(true);
    expect(isEnough([proof("password")], [own.password, own.sms])).toBe(false);
    expect(isEnough([proof("password"), proof("sms", "sms")], [own.password, own.sms])).toBe(true);
    expect(isEnough([proof("sms", "sms")], [own.password, own.sms])).toBe(false);
    expect(isEnough([proof("password"), proof("sms", "sms")], [own.password, own.sms, own.app])).toBe(false);
    expect(isEnough([proof("password")], [own.password, own.sms, own.app], "aal2")).toBe(true);
    // The account was begun by a text message, and has another way to begin.
    expect(isEnough([proof("code", "sms")], [own.password, own.sms])).toBe(false);
  });
});
