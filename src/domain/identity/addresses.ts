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
