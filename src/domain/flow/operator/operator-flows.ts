import type { Outbox } from "../../courier/outbox.ts";
import { domainError } from "../../errors.ts";
import { type CallOrigin, type EventType, newEvent } from "../../event/event.ts";
import { type Expiration, endOfExpiration } from "../../expiration.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import { verifiedAddresses } from "../../identity/addresses.ts";
import type { AddressKind, Identity } from "../../identity/identity.ts";
import { maskAddress } from "../../identity/mask-address.ts";
import { noticesTo } from "../../identity/notices.ts";
import type { IdentityStore } from "../../identity/store.ts";
import type { IdentityId } from "../../ids.ts";
import type { Instant } from "../../instant.ts";
import type { Clock, TenantScope, Tokens } from "../../ports.ts";
import type { Secret } from "../../secret.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Challenges } from "../challenge/challenges.ts";
import type { FlowRecord } from "../shared/flow.ts";
import type { FlowStore, OperatorStart } from "../shared/store.ts";
import { toAddress } from "../shared/typed-address.ts";

/** A link that its operator hands over. */
export interface HandedOverLink {
  readonly url: Secret;
  readonly token: Secret;
  readonly expiresAt: Date;
}

/** A link that was sent. */
export interface SentLink {
  /** Normalised. */
  readonly address: string;
  readonly expiresAt: Date;
}

/** The call that an operator makes. */
export interface OperatorCall {
  readonly tenant: Tenant;
  /** To write in: the transaction that the call's answer is kept in, if it has a request id. */
  readonly scope: TenantScope;
  readonly origin: CallOrigin;
}

interface OperatorFlowsDependencies {
  readonly identities: Pick<IdentityStore, "find">;
  readonly flows: FlowStore;
  readonly challenges: Challenges;
  readonly outbox: Outbox;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** The flows that operators begin. */
export type LinkKind = "recovery" | "verification";

/**
 * What operators begin for somebody. The flow that holds the link is nobody's to see: its id is thrown away, and opening
 * the link begins one of its holder's own.
 *
 * Of what operators began for an identity only the newest of a kind counts (of verifications: for an address), so that a
 * link which went astray is killed by another one. What people began for themselves is not touched by it, nor does it
 * touch what an operator began.
 */
export class OperatorFlows {
  readonly #deps: OperatorFlowsDependencies;

  constructor(deps: OperatorFlowsDependencies) {
    this.#deps = deps;
  }

  /**
   * A link by which its holder sets a new secret. The operator vouches for who that is, so no address is needed; the
   * operator never learns the secret (ASVS V6.4.6, SR-FACTOR-5). Throws IDENTITY_NOT_FOUND, IDENTITY_INACTIVE,
   * UI_URL_MISSING, REQUEST_INVALID.
   */
  async createRecoveryLink(
    call: OperatorCall,
    wanted: {
      readonly identityId: IdentityId;
      /** Undefined: after the configured lifetime of links. */
      readonly expiration: Expiration | undefined;
    },
  ): Promise<HandedOverLink> {
    const expiresAt = endOfLink(call.tenant, wanted.expiration, this.#deps.clock.now());
    const identity = await this.#activeIdentity(call, wanted.identityId);
    assertPage(call.tenant, "recovery");
    const flow = this.#holder(call.tenant, "recovery", identity.id, "vouches");
    const { link, flow: holding } = this.#deps.challenges.handOver(call.tenant, flow, {
      sentTo: nameOf(identity),
      target: { ...(addressesOf(identity)[0] ?? noAddress), identityId: identity.id },
      expiresAt,
    });
    await this.#begin(call, "recovery.started_by_operator", "handed_over", {
      flow: { ...holding, expiresAt: link.expiresAt },
      identityId: identity.id,
      address: undefined,
      messages: [],
    });
    return link;
  }

  /**
   * Ends every recovery of an identity that is under way. If one waited or was proved, the owner is told, and the answer is true. Throws
   * IDENTITY_NOT_FOUND.
   */
  async cancelRecoveries(call: OperatorCall, id: IdentityId): Promise<boolean> {
    const { tenant, scope, origin } = call;
    const { flows, identities, outbox, clock } = this.#deps;
    const identity = await identities.find(scope, id);
    if (identity === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
    const at = clock.now();
    const notice = { template: "recovery_stopped", data: {} } as const;
    const result = await flows.stopRecoveries(tenant, {
      held: [],
      identityId: id,
      endsOperators: true,
      at,
      messages: noticesTo(outbox, identity, notice, { at, language: "" }),
      events: [newEvent("recovery.stopped", at, origin, { identityId: id, data: { by: "operator" } })],
    });
    return result === "completed";
  }

  /**
   * Sends a recovery link to a verified address, the first one if none is named. Throws IDENTITY_NOT_FOUND,
   * IDENTITY_INACTIVE, ADDRESS_NOT_USABLE, LINKS_DISABLED, UI_URL_MISSING.
   */
  async sendRecovery(call: OperatorCall, to: SendTo): Promise<SentLink> {
    const identity = await this.#activeIdentity(call, to.identityId);
    // Security rule (SR-OWNER-1): only a verified address recovers, also for an operator.
    const verified = new Set(verifiedAddresses(identity).map(keyOf));
    const usable = identity.recoveryAddresses.filter((address) => verified.has(keyOf(address)));
    return this.#send(call, "recovery", { identity, usable, typed: to.address });
  }

  /**
   * Sends a link to verify an address to that address, the first one that waits for it if none is named. Throws
   * IDENTITY_NOT_FOUND, IDENTITY_INACTIVE, ADDRESS_NOT_USABLE, LINKS_DISABLED, UI_URL_MISSING.
   */
  async sendVerification(call: OperatorCall, to: SendTo): Promise<SentLink> {
    const identity = await this.#activeIdentity(call, to.identityId);
    const usable = identity.verifiableAddresses.filter(({ verifiedAt }) => verifiedAt === undefined);
    return this.#send(call, "verification", { identity, usable, typed: to.address });
  }

  async #send(
    call: OperatorCall,
    kind: LinkKind,
    { identity, usable, typed }: { identity: Identity; usable: readonly Address[]; typed: string },
  ): Promise<SentLink> {
    const { tenant } = call;
    assertSendsLinks(tenant, kind);
    const address = choose(usable, typed);
    if (address === undefined) throw domainError("ADDRESS_NOT_USABLE", {});
    const target = { kind: address.kind, value: address.value, identityId: identity.id };
    const flow = this.#holder(tenant, kind, identity.id, "sends");
    const { flow: waiting, messages } = this.#deps.challenges.begin(tenant, flow, {
      kind: "link",
      sentTo: address.value,
      target,
    });
    const expiresAt = waiting.challenge?.expiresAt ?? flow.expiresAt;
    await this.#begin(call, `${kind}.started_by_operator`, "sent", {
      flow: { ...waiting, expiresAt },
      identityId: identity.id,
      address: kind === "verification" ? address.value : undefined,
      messages,
    });
    return { address: address.value, expiresAt };
  }

  async #begin(
    { scope, origin }: OperatorCall,
    type: Extract<EventType, `${LinkKind}.started_by_operator`>,
    delivery: "handed_over" | "sent",
    start: Omit<OperatorStart, "events">,
  ): Promise<void> {
    const about = { identityId: start.identityId, data: { delivery } };
    const events = [newEvent(type, start.flow.createdAt, origin, about)];
    // Deleted or deactivated since it was read.
    if (!(await this.#deps.flows.beginByOperator(scope, { ...start, events }))) {
      throw domainError("IDENTITY_INACTIVE", {});
    }
  }

  /** The flow that holds the link. */
  #holder(tenant: Tenant, kind: LinkKind, identityId: IdentityId, operator: "vouches" | "sends"): FlowRecord {
    const createdAt = this.#deps.clock.now();
    return {
      digest: this.#deps.tokens.issue("flow", tenant.name).digest,
      kind,
      client: "native",
      state: "active",
      createdAt,
      expiresAt: createdAt,
      returnTo: undefined,
      browserDigest: undefined,
      identityId,
      revision: 0,
      challenge: undefined,
      data: { purpose: { operator }, state: { at: "choose_method" } },
    };
  }

  async #activeIdentity({ scope }: OperatorCall, id: IdentityId): Promise<Identity> {
    const identity = await this.#deps.identities.find(scope, id);
    if (identity === undefined) throw domainError("IDENTITY_NOT_FOUND", {});
    if (identity.state !== "active") throw domainError("IDENTITY_INACTIVE", {});
    return identity;
  }
}

interface SendTo {
  readonly identityId: IdentityId;
  /** As a person would type it. Empty: the first one that will do. */
  readonly address: string;
}

interface Address {
  readonly kind: AddressKind;
  readonly value: string;
}

/** Stands in for the address of somebody who has none: nothing is compared with it where an operator vouches. */
const noAddress: ContactAddress = { kind: "email", value: "" };

/** Throws LINKS_DISABLED, UI_URL_MISSING: why a tenant sends no links of a kind to anybody. */
export function assertSendsLinks(tenant: Tenant, kind: LinkKind): void {
  if (!tenant.settings.link.enabledFor.has(kind)) throw domainError("LINKS_DISABLED", {});
  assertPage(tenant, kind);
}

/** The end of a link that is handed over. Throws REQUEST_INVALID for less than a minute and more than a day from now. */
function endOfLink({ settings }: Tenant, expiration: Expiration | undefined, now: Date): Instant {
  const configured = { kind: "lifetime", milliseconds: settings.link.lifetimeMs } as const;
  return endOfExpiration(expiration ?? configured, now, {
    atLeastMs: minuteMs,
    latest: new Date(now.getTime() + dayMs),
    description: "must be from a minute to a day from now",
  });
}

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;

function assertPage(tenant: Tenant, flow: LinkKind): void {
  if (tenant.settings.uiUrls[flow] === undefined) throw domainError("UI_URL_MISSING", { flow });
}

function choose(usable: readonly Address[], typed: string): Address | undefined {
  if (typed.trim() === "") return usable[0];
  const address = toAddress(typed, "");
  return "rejected" in address ? undefined : usable.find((candidate) => keyOf(candidate) === keyOf(address));
}

function addressesOf({ verifiableAddresses, recoveryAddresses }: Identity): readonly Address[] {
  return [...verifiableAddresses, ...recoveryAddresses].map(({ kind, value }) => ({ kind, value }));
}

/** What the holder of a link is shown of whose account it recovers. */
function nameOf(identity: Identity): string {
  const [address] = addressesOf(identity);
  if (address !== undefined) return maskAddress(address);
  return identity.displayName || (identity.identifiers[0]?.value ?? "");
}

function keyOf({ kind, value }: Address): string {
  return `${kind} ${value}`;
}
