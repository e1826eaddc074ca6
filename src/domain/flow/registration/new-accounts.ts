import { newEvent } from "../../event/event.ts";
import type { ProofTarget } from "../../identity/addresses.ts";
import type { CompiledSchema } from "../../identity/compiled-schema.ts";
import type { DerivedTraits, Identity } from "../../identity/identity.ts";
import { type IdentityId, newId } from "../../ids.ts";
import { never } from "../../instant.ts";
import type { JsonObject } from "../../json.ts";
import type { RegistrationProved } from "../../method/method.ts";
import type { Clock, Tokens } from "../../ports.ts";
import { newSession } from "../../session/sessions.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Throttle, ThrottleTicket } from "../../throttle/throttle.ts";
import type { FlowCaller, FlowCompleted, FlowOutcome, FlowRecord } from "../shared/flow.ts";
import type { FlowKeeper } from "../shared/flow-keeper.ts";
import type { FlowStore, HeldRevision } from "../shared/store.ts";
import type { VerificationFlows } from "../verification/verification-flows.ts";
import { type FlowInvitation, invitationEvents, isProven } from "./invited.ts";

/** An account that is ready to be made. */
export interface NewAccount {
  readonly schema: CompiledSchema;
  readonly traits: JsonObject;
  readonly derived: DerivedTraits;
  readonly proved: Omit<RegistrationProved, "kind">;
  readonly held: readonly HeldRevision[];
  /** Proven on the way, or by the invitation. */
  readonly proven: readonly ProofTarget[];
  readonly ticket: ThrottleTicket;
}

interface NewAccountsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: FlowStore;
  readonly verifications: VerificationFlows;
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** How a registration ends: with an account, a session, and often a verification that waits. */
export class NewAccounts {
  readonly #keeper: FlowKeeper;
  readonly #flows: FlowStore;
  readonly #verifications: VerificationFlows;
  readonly #throttle: Throttle;
  readonly #tokens: Tokens;
  readonly #clock: Clock;

  constructor({ keeper, flows, verifications, throttle, tokens, clock }: NewAccountsDependencies) {
    this.#keeper = keeper;
    this.#flows = flows;
    this.#verifications = verifications;
    this.#throttle = throttle;
    this.#tokens = tokens;
    this.#clock = clock;
  }

  /** Where the message of a registration goes; undefined where none follows. */
  mailboxOf(tenant: Tenant, derived: DerivedTraits, proven: readonly ProofTarget[]): string | undefined {
    const unproven = derived.verifiableAddresses.find((address) => !isProven(proven, address));
    return unproven && this.#verifications.isSentAfterRegistration(tenant) ? unproven.value : undefined;
  }

  /**
   * Makes the account, with a session. `identifier_taken` if another one has an identifier, `invitation_gone` if the
   * flow's invitation has ended; then nothing is written. Throws FLOW_CHANGED, FLOW_COMPLETED.
   */
  async complete(
    caller: FlowCaller,
    flow: FlowRecord,
    account: NewAccount,
  ): Promise<FlowOutcome<FlowCompleted> | "identifier_taken" | "invitation_gone"> {
    const { tenant, origin } = caller;
    const at = this.#clock.now();
    const { invitation } = flow.data;
    const identity = newIdentity(account, invitation, at);
    const { session, token } = newSession(this.#tokens, tenant, identity.id, {
      client: flow.client,
      methods: [{ ...account.proved.authentication, purpose: "registration", completedAt: at }],
      origin,
      at,
    });
    const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
    const about = { identityId: identity.id, sessionId: session.id };
    const method = account.proved.authentication.kind;
    const { completion: throttle, device } = this.#throttle.succeeded(tenant, account.ticket, flow.client);
    const result = await this.#flows.completeRegistration(
      { tenantId: tenant.id },
      {
        held: account.held,
        identity,
        password: account.proved.password,
        invitationId: invitation?.id,
        session,
        at,
        events: [
          newEvent("registration.succeeded", at, actor, { ...about, data: { method } }),
          newEvent("identity.created", at, actor, { identityId: identity.id }),
          ...invitationEvents(invitation, identity, actor),
          ...(account.proved.password === undefined
            ? []
            : [newEvent("credential.set", at, actor, { identityId: identity.id, data: passwordSet })]),
          newEvent("session.created", at, actor, about),
        ],
        throttle,
      },
    );
    if (result === "flow_taken") throw await this.#keeper.taken(tenant, flow);
    if (result === "identifier_taken" || result === "invitation_gone") return result;
    const verification = await this.#verifications.afterRegistration(caller, flow, {
      identity,
      session: session.id,
      ticket: account.ticket,
    });
    const { client, returnTo } = flow;
    const completed = { session, token, client, identity, returnTo, verification, device };
    return { kind: "completed", completed };
  }
}

const passwordSet = { kind: "password", imported: false } as const;

function newIdentity(
  { schema, traits, derived, proven }: NewAccount,
  invitation: FlowInvitation | undefined,
  at: Date,
): Identity {
  return {
    id: newId<IdentityId>(at),
    createdAt: at,
    updatedAt: at,
    revision: 1,
    externalId: undefined,
    schemaId: schema.id,
    schemaVersion: schema.version,
    state: "active",
    stateChangedAt: at,
    traits,
    publicMetadata: invitation?.publicMetadata ?? {},
    adminMetadata: invitation?.adminMetadata ?? {},
    identifiers: derived.identifiers,
    verifiableAddresses: derived.verifiableAddresses.map((address) => ({
      ...address,
      verifiedAt: isProven(proven, address) ? at : undefined,
    })),
    recoveryAddresses: derived.recoveryAddresses,
    displayName: derived.displayName,
    lastLoginAt: at,
    deleteAt: never,
  };
}
