import type { ContactAddress } from "../../identity/addresses.ts";
import { isSameAddress, verifiedAddresses } from "../../identity/addresses.ts";
import type { IdentityId } from "../../ids.ts";
import type { LoginCandidate, VouchedAccount } from "../../method/method.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { SecondFactors } from "../shared/second-factors.ts";
import type { FlowStore } from "../shared/store.ts";

/** Whose an account elsewhere is here. */
export type Belonging =
  /** It is linked with this account. */
  | { readonly kind: "linked"; readonly candidate: LoginCandidate }
  /** This account has verified the address that who vouches decides about: it is linked without another proof. */
  | { readonly kind: "decided"; readonly candidate: LoginCandidate }
  /** This account has the address. Its owner shows that first. */
  | { readonly kind: "held"; readonly identityId: IdentityId }
  /** This account has the address, and nobody has ever proved one of it: its owner is asked whose it is. */
  | { readonly kind: "unclaimed"; readonly target: ContactAddress & { readonly identityId: IdentityId } }
  | { readonly kind: "stranger" };

interface AccountLinksDependencies {
  readonly flows: Pick<FlowStore, "findCandidate" | "findForRecovery">;
  readonly secondFactors: Pick<SecondFactors, "isEnrolled">;
}

/**
 * Finds out whose an account elsewhere is here.
 *
 * Security rule (SR-LINK-1): it is known by its key, issuer and subject, alone. An address leads to no account by itself: it says which
 * one has to be proved (ASVS V6.8.1).
 */
export class AccountLinks {
  readonly #flows: AccountLinksDependencies["flows"];
  readonly #secondFactors: AccountLinksDependencies["secondFactors"];

  constructor({ flows, secondFactors }: AccountLinksDependencies) {
    this.#flows = flows;
    this.#secondFactors = secondFactors;
  }

  /** One round trip where it is linked, one more for each address where it is not. */
  async find(tenant: Tenant, { credential, addresses }: VouchedAccount): Promise<Belonging> {
    const { kind, lookupKey } = credential;
    const candidate = await this.#flows.findCandidate(tenant, { kind, lookupKey });
    if (candidate !== undefined) return { kind: "linked", candidate };
    for (const address of addresses) {
      const held = await this.#heldBy(tenant, address);
      if (held !== undefined) return held;
    }
    return { kind: "stranger" };
  }

  async #heldBy(
    tenant: Tenant,
    { isAuthoritative, ...address }: VouchedAccount["addresses"][number],
  ): Promise<Belonging | undefined> {
    const owner = await this.#flows.findForRecovery(tenant, address);
    if (owner === undefined) return undefined;
    const { id: identityId, state, unclaimed } = owner;
    const target = { kind: address.kind, value: address.value, identityId };
    // Security rule (SR-LINK-3): somebody else may have made that account for the address, and waits in it.
    if (unclaimed && state === "active") return { kind: "unclaimed", target };
    // Security rule (SR-LINK-2): both sides must have verified it, and the operator has said that who vouches decides about it. Who has
    // set up a second factor links nothing without it, whatever a login asks for: what is linked signs in from then on.
    const isVerified = verifiedAddresses(owner).some((own) => isSameAddress(own, address));
    if (isAuthoritative && isVerified && state === "active") {
      const candidate = await this.#flows.findCandidate(tenant, { identityId });
      const isGuarded = candidate && this.#secondFactors.isEnrolled(tenant, candidate.credentials);
      if (candidate !== undefined && !isGuarded) return { kind: "decided", candidate };
    }
    return { kind: "held", identityId };
  }
}
