import type { Outbox } from "../courier/outbox.ts";
import { domainError } from "../errors.ts";
import { type CallOrigin, newEvent } from "../event/event.ts";
import { normaliseIdentifier } from "../identifier/normalise.ts";
import type { IdentityId } from "../ids.ts";
import type { Clock } from "../ports.ts";
import type { Tenant } from "../tenant/tenant.ts";
import type { Identity, VerifiableAddress } from "./identity.ts";
import { addressNotices } from "./notices.ts";
import { completedEvents, doneBy } from "./required-actions.ts";
import type { IdentityStore } from "./store.ts";

/** An address of an identity. */
interface WantedAddress {
  readonly id: IdentityId;
  /** As a person would type it. */
  readonly address: string;
}

interface Deps {
  readonly store: Pick<IdentityStore, "find" | "setVerification">;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/** Verifies addresses because an operator vouches for them, and takes that back. */
export class AddressVerifications {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  /**
   * Vouches for an address; its account is a claimed one then. The owner is told at every address that was verified before.
   * Does nothing if it is verified. Throws IDENTITY_NOT_FOUND, ADDRESS_NOT_USABLE.
   */
  async verify(tenant: Tenant, origin: CallOrigin, wanted: WantedAddress): Promise<Identity> {
    const { identity, address } = await this.#find(tenant, wanted);
    if (address.verifiedAt !== undefined) return identity;
    const at = this.#deps.clock.now();
    const changes = { added: [address], removed: [], demoted: [] };
    const data = { kind: address.kind };
    const done = doneBy(identity, "verify_address");
    await this.#deps.store.setVerification(tenant, identity.id, {
      address,
      verifiedAt: at,
      doneActions: done.map(({ id }) => id),
      at,
      messages: addressNotices(this.#deps.outbox, identity, changes, { at, language: "" }),
      events: [
        newEvent("address.verified", at, origin, { identityId: identity.id, data }),
        ...completedEvents(identity.id, done, at, origin),
      ],
      end: undefined,
    });
    return (await this.#find(tenant, wanted)).identity;
  }

  /**
   * Takes back that an address is verified. Does nothing if it is not. Throws IDENTITY_NOT_FOUND, ADDRESS_NOT_USABLE.
   *
   * Security rule (SR-OWNER-10): the codes, links and sessions of the identity end, and the owner is told at every address that was verified,
   * also at this one (ASVS V6.3.7). Sessions go on only if the operator asks for that.
   */
  async unverify(
    tenant: Tenant,
    origin: CallOrigin,
    wanted: WantedAddress & { readonly keepSessions: boolean },
  ): Promise<Identity> {
    const { identity, address } = await this.#find(tenant, wanted);
    if (address.verifiedAt === undefined) return identity;
    const at = this.#deps.clock.now();
    const { id: identityId } = identity;
    const changes = { added: [], removed: [], demoted: [address] };
    const ended = { reason: "credential_changed", all: true } as const;
    await this.#deps.store.setVerification(tenant, identityId, {
      address,
      verifiedAt: undefined,
      at,
      messages: [],
      events: [newEvent("address.unverified", at, origin, { identityId, data: { kind: address.kind } })],
      end: {
        at,
        endsSessions: !wanted.keepSessions,
        messages: addressNotices(this.#deps.outbox, identity, changes, { at, language: "" }),
        revocationEvent: newEvent("session.revoked", at, origin, { identityId, data: ended }),
      },
    });
    return (await this.#find(tenant, wanted)).identity;
  }

  async #find(
    tenant: Tenant,
    { id, address: typed }: WantedAddress,
  ): Promise<{ readonly identity: Identity; readonly address: VerifiableAddress }> {
    const identity = await this.#deps.store.find(tenant, id);
    if (identity === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
    const normalised = normaliseIdentifier(typed);
    const address = identity.verifiableAddresses.find(
      ({ kind, value }) => normalised.kind === kind && normalised.value === value,
    );
    if (address === undefined) throw domainError("ADDRESS_NOT_USABLE", {});
    return { identity, address };
  }
}
