import { expect, test } from "vitest";
import type { CompiledSchema } from "./compiled-schema.ts";
import type { DerivedTraits, Identity, VerifiableAddress } from "./identity.ts";
import { changedIdentity, type ProfilePlan, planProfileChange } from "./profile-change.ts";

const [before, now] = [new Date("2026-01-01T12:00:00Z"), new Date("2026-01-01T13:00:00Z")];
const old: VerifiableAddress = {
  kind: "email",
  value: "old@example.com",
  path: "",
  verifiedAt: before,
};
const added = { kind: "email", value: "new@example.com", path: "" } as const;

function planOf(...verifiableAddresses: readonly (typeof added | VerifiableAddress)[]): ProfilePlan {
  const derived = {
    identifiers: [],
    verifiableAddresses: verifiableAddresses.map(({ kind, value }) => ({ kind, value, path: "" })),
    recoveryAddresses: [],
    displayName: "",
  };
  const schema = { id: "person", version: 2 } as CompiledSchema;
  return {
    kind: "planned",
    schema,
    traits: {},
    derived,
    isSensitive: true,
    added: [added],
    removed: [],
    demoted: [],
  };
}

const identity = { revision: 1, verifiableAddresses: [old] } as unknown as Identity;

// Security rule (SR-OWNER-8): an address counts as its owner's once they have shown it, and not because they have typed it in.
test("a new address that was not proven is not verified, and one that stays keeps its verification", () => {
  const { verifiableAddresses, revision } = changedIdentity(identity, planOf(old, added), undefined, now);
  expect(verifiableAddresses).toEqual([old, { ...added, verifiedAt: undefined }]);
  expect(revision).toBe(2);
});

test("a new address that was proven is verified from now on, and no other", () => {
  const { verifiableAddresses } = changedIdentity(identity, planOf(old, added), added, now);
  expect(verifiableAddresses).toEqual([old, { ...added, verifiedAt: now }]);
  const another = { kind: "email", value: "another@example.com" } as const;
  const changed = changedIdentity(identity, planOf(added), another, now);
  expect(changed.verifiableAddresses).toEqual([{ ...added, verifiedAt: undefined }]);
});

/** What an address does: signs in, can be verified, recovers. */
type Roles = "i" | "v" | "r" | "iv" | "vr" | "ivr" | "";

function derivedOf(addresses: Readonly<Record<string, Roles>>): DerivedTraits {
  const having = (role: string) =>
    Object.entries(addresses).flatMap(([value, roles]) =>
      roles.includes(role) ? [{ kind: "email", value, path: "" } as const] : [],
    );
  return {
    identifiers: having("i"),
    verifiableAddresses: having("v"),
    recoveryAddresses: having("r"),
    displayName: "",
  };
}

// Security rule (SR-OWNER-9): an address that had a say is told when it is taken away, or does less than before.
test.each<[string, Roles, Roles | undefined, "removed" | "demoted" | undefined]>([
  ["goes", "ivr", undefined, "removed"],
  ["can no longer be verified", "ivr", "i", "removed"],
  ["no longer signs in", "ivr", "vr", "demoted"],
  ["no longer recovers", "ivr", "iv", "demoted"],
  ["stays", "ivr", "ivr", undefined],
  ["does more than before", "v", "ivr", undefined],
])("a verified address that %s is told apart", (_, before, after, expected) => {
  const derived = derivedOf({ a: before, b: "ivr" });
  const verifiableAddresses = derived.verifiableAddresses.map((one) => ({ ...one, verifiedAt: now }));
  const person = { ...identity, ...derived, verifiableAddresses };
  const next = derivedOf(after === undefined ? { b: "ivr" } : { a: after, b: "ivr" });
  const { removed, demoted } = planProfileChange(person, {} as CompiledSchema, {}, next);
  expect(removed.map(({ value }) => value)).toEqual(expected === "removed" ? ["a"] : []);
  expect(demoted.map(({ value }) => value)).toEqual(expected === "demoted" ? ["a"] : []);
  const unverified = verifiableAddresses.map((one) => ({ ...one, verifiedAt: undefined }));
  const other = { ...person, verifiableAddresses: unverified };
  const none = planProfileChange(other, {} as CompiledSchema, {}, next);
  expect([...none.removed, ...none.demoted]).toEqual([]);
});
