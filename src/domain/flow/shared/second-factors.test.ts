import { expect, test } from "vitest";
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
