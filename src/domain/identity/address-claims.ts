/** Usernames in the form of an address, and whose address that may be. */

import { normaliseIdentifier } from "../identifier/normalise.ts";
import { valueAt } from "../json.ts";
import type { AddressKind, DerivedTraits, Identity } from "./identity.ts";

/** A username that is an email address or a telephone number. */
export interface AddressClaim {
  readonly kind: AddressKind;
  /** Normalised. */
  readonly value: string;
  readonly path: readonly string[];
}

/**
 * Whether an identity may have a username that is an address. Asked with what its traits give, since an address that they
 * no longer hold is not its own any more.
 *
 * Security rule (SR-OWNER-7): only a verified address of its own. Otherwise a person could take the address of another one as user
 * name: its owner would be kept out, or land in a foreign account (ASVS V6.1.3). Decided by the form alone, whether or not
 * anybody has the address, so that the answer tells nothing.
 */
export type OwnsAddress = (claim: AddressClaim, derived: DerivedTraits) => boolean;

interface Address {
  readonly kind: AddressKind;
  readonly value: string;
}

/** Owns no address: for an account without a proof. */
export const ownsNothing: OwnsAddress = () => false;

/** Owns every address: the operator vouches for them. */
export const ownsEverything: OwnsAddress = () => true;

/** Owns the addresses that are proven, or will be before anything is stored. */
export function ownsProven(proven: readonly Address[]): OwnsAddress {
  return (claim, derived) => isAmong(claim, proven) && isAmong(claim, derived.verifiableAddresses);
}

/**
 * What an identity that exists may have: its verified addresses, those that the change proves, and the username that it
 * has already, which an operator allowed. The last does not outlive the address where it is one of the identity's own.
 */
export function ownsAlready(identity: Identity, proven: readonly Address[]): OwnsAddress {
  const verified = identity.verifiableAddresses.filter(({ verifiedAt }) => verifiedAt !== undefined);
  const owns = ownsProven([...verified, ...proven]);
  return (claim, derived) => owns(claim, derived) || isUnchanged(identity, claim, derived);
}

function isUnchanged(identity: Identity, claim: AddressClaim, derived: DerivedTraits): boolean {
  const before = valueAt(identity.traits, claim.path);
  if (typeof before !== "string") return false;
  const normalised = normaliseIdentifier(before);
  if (normalised.kind === "problem" || normalised.value !== claim.value) return false;
  return !isAmong(claim, identity.verifiableAddresses) || isAmong(claim, derived.verifiableAddresses);
}

function isAmong({ kind, value }: Address, addresses: readonly Address[]): boolean {
  return addresses.some((address) => address.kind === kind && address.value === value);
}
