/** Questions about the addresses of an identity. */

import type { IdentityId } from "../ids.ts";
import type { AddressKind, Identity } from "./identity.ts";

/** An address that something is sent to. */
export interface ContactAddress {
  readonly kind: AddressKind;
  /** Normalised. Empty where an operator vouches for a person without an address. */
  readonly value: string;
  readonly identityId?: IdentityId;
}

/** Whether two addresses are the same one. */
export function isSameAddress(
  one: Pick<ContactAddress, "kind" | "value">,
  other: Pick<ContactAddress, "kind" | "value">,
): boolean {
  return one.kind === other.kind && one.value === other.value;
}

/** The addresses of an identity that it has shown to be its own. */
export function verifiedAddresses(identity: Identity): readonly ContactAddress[] {
  return identity.verifiableAddresses
    .filter((address) => address.verifiedAt !== undefined)
    .map(({ kind, value }) => ({ kind, value, identityId: identity.id }));
}

/** An address of an account, and where it stands. */
export interface OwnAddress {
  readonly kind: AddressKind;
  readonly value: string;
  /** The path of the trait that it comes from; empty where that is not known. */
  readonly path: string;
  readonly verifiedAt: Date | undefined;
  /** Whether its owner can verify it. */
  readonly verifiable: boolean;
  /** Whether it recovers the account, once it is verified. */
  readonly recovers: boolean;
  /** Whether messages go there if no address is chosen. */
  readonly primary: boolean;
  /** Whether the account has it only once a change is made that waits. */
  readonly pending: boolean;
}

/** The addresses of an identity: those that can be verified, then those that only recover. */
export function ownAddresses({
  verifiableAddresses,
  recoveryAddresses,
}: Pick<Identity, "verifiableAddresses" | "recoveryAddresses">): readonly OwnAddress[] {
  const recovers = (one: Pick<ContactAddress, "kind" | "value">) =>
    recoveryAddresses.some((address) => isSameAddress(address, one));
  const verified = verifiableAddresses.filter(({ verifiedAt }) => verifiedAt !== undefined);
  const primary = verified.find(recovers) ?? verified[0];
  const verifiable = verifiableAddresses.map((address) => ({
    ...{ kind: address.kind, value: address.value, path: address.path },
    ...{ verifiedAt: address.verifiedAt, verifiable: true, recovers: recovers(address) },
    ...{ primary: address === primary, pending: false },
  }));
  const others = recoveryAddresses
    .filter((one) => !verifiableAddresses.some((address) => isSameAddress(address, one)))
    .map(({ kind, value, path }) => ({
      ...{ kind, value, path, verifiedAt: undefined, verifiable: false },
      ...{ recovers: true, primary: false, pending: false },
    }));
  return [...verifiable, ...others];
}

/** An address as what its account signs in with; undefined if it is none of that. */
export function usernameBy(
  { identifiers }: Pick<Identity, "identifiers">,
  { value }: Pick<ContactAddress, "value">,
): string | undefined {
  return identifiers.find((identifier) => identifier.value === value)?.value;
}
