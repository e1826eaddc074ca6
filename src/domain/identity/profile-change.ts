import type { JsonObject } from "../json.ts";
import type { ContactAddress } from "./addresses.ts";
import type { CompiledSchema } from "./compiled-schema.ts";
import type { DerivedTraits, Identity } from "./identity.ts";
import { carriedAddresses } from "./identity-input.ts";

/** A change of traits, with its effect on addresses. */
export interface ProfilePlan {
  readonly kind: "planned";
  readonly schema: CompiledSchema;
  readonly traits: JsonObject;
  readonly derived: DerivedTraits;
  /** Whether something changes that the owner signs in, is verified or recovered with. */
  readonly isSensitive: boolean;
  /** The addresses that the owner has not had before. */
  readonly added: readonly Pick<ContactAddress, "kind" | "value">[];
  /** The verified addresses that are none of the account any more. */
  readonly removed: readonly Pick<ContactAddress, "kind" | "value">[];
  /** The verified addresses that stay, in another trait, but no longer sign in or no longer recover the account. */
  readonly demoted: readonly Pick<ContactAddress, "kind" | "value">[];
}

/** Compares new traits, which are valid, with what the identity has. */
export function planProfileChange(
  identity: Identity,
  schema: CompiledSchema,
  traits: JsonObject,
  derived: DerivedTraits,
): ProfilePlan {
  const isSensitive =
    !sameValues(identity.identifiers, derived.identifiers) ||
    !sameValues(identity.verifiableAddresses, derived.verifiableAddresses) ||
    !sameValues(identity.recoveryAddresses, derived.recoveryAddresses);
  const added = newAddresses(identity, derived);
  const has = new Set(derived.verifiableAddresses.map(keyOf));
  const verified = identity.verifiableAddresses.filter(({ verifiedAt }) => verifiedAt !== undefined);
  const removed = verified.filter((address) => !has.has(keyOf(address)));
  const lost = (before: readonly Keyed[], after: readonly Keyed[], { value }: Keyed) =>
    before.some((one) => one.value === value) && !after.some((one) => one.value === value);
  const demoted = verified.filter(
    (address) =>
      has.has(keyOf(address)) &&
      (lost(identity.identifiers, derived.identifiers, address) ||
        lost(identity.recoveryAddresses, derived.recoveryAddresses, address)),
  );
  return { kind: "planned", schema, traits, derived, isSensitive, added, removed, demoted };
}

/** The addresses that an identity has not had before. */
export function newAddresses(identity: Identity, derived: DerivedTraits): ProfilePlan["added"] {
  const had = new Set(identity.verifiableAddresses.map(keyOf));
  return derived.verifiableAddresses.filter((address) => !had.has(keyOf(address)));
}

/** The identity with its new traits; an address that stays keeps its verification. */
export function changedIdentity(
  identity: Identity,
  { schema, traits, derived }: ProfilePlan,
  verified: ContactAddress | undefined,
  at: Date,
): Identity {
  return {
    ...identity,
    ...derived,
    updatedAt: at,
    revision: identity.revision + 1,
    schemaId: schema.id,
    schemaVersion: schema.version,
    traits,
    verifiableAddresses: carriedAddresses(derived, identity.verifiableAddresses).map((address) =>
      verified !== undefined && keyOf(address) === keyOf(verified) ? { ...address, verifiedAt: at } : address,
    ),
  };
}

function sameValues(one: readonly Keyed[], other: readonly Keyed[]): boolean {
  const keys = new Set(one.map(keyOf));
  return keys.size === new Set(other.map(keyOf)).size && other.every((entry) => keys.has(keyOf(entry)));
}

interface Keyed {
  readonly kind: string;
  readonly value: string;
}

function keyOf({ kind, value }: Keyed): string {
  return `${kind} ${value}`;
}
