import { expect, test } from "vitest";
import type { CompiledSchema } from "../identity/compiled-schema.ts";
import type { Identity, VerifiableAddress } from "../identity/identity.ts";
import { changedIdentity, type ProfilePlan } from "./profile-change.ts";

const [before, now] = [new Date("2026-01-01T12:00:00Z"), new Date("2026-01-01T13:00:00Z")];
const old: VerifiableAddress = { kind: "email", value: "old@example.com", verifiedAt: before };
const added = { kind: "email", value: "new@example.com" } as const;

function planOf(...verifiableAddresses: readonly (typeof added | VerifiableAddress)[]): ProfilePlan {
  const derived = {
    identifiers: [],
    verifiableAddresses: verifiableAddresses.map(({ kind, value }) => ({ kind, value })),
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

// Security rule: an address counts as its owner's once they have shown it, and not because they have typed it in.
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
