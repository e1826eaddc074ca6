/** Questions about the addresses that recover an account. */

import type { NormalisedIdentifier } from "../identifier/normalise.ts";
import { type ContactAddress, isSameAddress, verifiedAddresses } from "./addresses.ts";
import type { Identity } from "./identity.ts";

/** The owner of the account that a typed identifier or address leads to. */
export interface RecoveryOwner extends Identity {
  /**
   * Whether nobody has claimed the account yet: it has no verified address, and at least one credential, all of which were set
   * by itself, none by an operator or an import.
   */
  readonly unclaimed: boolean;
}

/**
 * The addresses by which somebody gets back in: those that the schema recovers by and that were verified, in the order of
 * the schema.
 *
 * Security rule (SR-OWNER-1): an address that nobody has shown to be theirs recovers nothing (ASVS V6.3.8).
 */
export function recoverableAddresses(identity: Identity): readonly ContactAddress[] {
  const verified = verifiedAddresses(identity);
  return identity.recoveryAddresses.flatMap(
    (address) => verified.find((candidate) => isSameAddress(candidate, address)) ?? [],
  );
}

/**
 * The addresses that recover an account which nobody has claimed: any that the schema verifies and recovers by. What comes of
 * a proof is not the account, but the question whose it is.
 */
function claimableAddresses(identity: Identity): readonly ContactAddress[] {
  if (identity.verifiableAddresses.some(({ verifiedAt }) => verifiedAt !== undefined)) return [];
  return identity.recoveryAddresses
    .filter((address) => identity.verifiableAddresses.some((each) => isSameAddress(each, address)))
    .map(({ kind, value }) => ({ kind, value, identityId: identity.id }));
}

/** Whether the proof of an address leads to the question whose account it is. */
export function isClaimable(identity: Identity, address: Pick<ContactAddress, "kind" | "value">): boolean {
  return claimableAddresses(identity).some((candidate) => isSameAddress(candidate, address));
}

/** Whether an address is one of them. */
export function isRecoverable(identity: Identity, address: Pick<ContactAddress, "kind" | "value">): boolean {
  return recoverableAddresses(identity).some((candidate) => isSameAddress(candidate, address));
}

/**
 * Where a code goes for what was typed: to that address if it is one of the account's that recover, else, where it only
 * names the account, to the first of them. In an unclaimed account to the address that was typed, and nowhere else: nobody
 * has shown that any of them is its owner's. Undefined where there is none.
 */
export function recoveryTarget(
  owner: RecoveryOwner | undefined,
  typed: NormalisedIdentifier,
): ContactAddress | undefined {
  if (owner?.state !== "active") return undefined;
  const isTyped = ({ kind, value }: ContactAddress) => kind === typed.kind && value === typed.value;
  if (owner.unclaimed) return claimableAddresses(owner).find(isTyped);
  const addresses = recoverableAddresses(owner);
  return addresses.find(isTyped) ?? addresses[0];
}
