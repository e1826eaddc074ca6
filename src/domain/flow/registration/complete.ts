import { newEvent } from "../../event/event.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { CompiledSchema } from "../../identity/compiled-schema.ts";
import { type DerivedTraits, newIdentity, storedCredential } from "../../identity/identity.ts";
import { type CredentialId, newId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { RegistrationProved, VouchedAccount } from "../../method/method.ts";
import type { Clock, Tokens } from "../../ports.ts";
import { newSession } from "../../session/sessions.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Throttle, ThrottleTicket } from "../../throttle/throttle.ts";
import type { LoginFlows } from "../login/login-flows.ts";
import type { PendingActions } from "../login/pending-actions.ts";
import { rememberedProof } from "../login/state.ts";
import type { FlowCaller } from "../shared/flow.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import type { FlowStore, HeldRevision } from "../shared/store.ts";
import type { RecordOf } from "../shared/table.ts";
import type { VerificationFlows } from "../verification/verification-flows.ts";
import { invitationEvents, isProven } from "./invited.ts";
import type { RegistrationTypes } from "./state.ts";

/** An account that is ready to be made. */
export interface NewAccount {
  readonly schema: CompiledSchema;
  readonly traits: JsonObject;
  readonly derived: DerivedTraits;
  readonly proved: Omit<RegistrationProved, "kind">;
  readonly held: readonly HeldRevision[];
  /** Proven on the way, or by the invitation. */
  readonly proven: readonly ContactAddress[];
  readonly ticket: ThrottleTicket;
  /** The account elsewhere that it is made for, if it is. */
  readonly vouched?: VouchedAccount | undefined;
}

interface NewAccountsDependencies {
  readonly engine: FlowEngine;
  readonly flows: FlowStore;
  readonly verifications: VerificationFlows;
  readonly pending: PendingActions;
  readonly logins: LoginFlows;
  readonly throttle: Throttle;
  readonly tokens: Tokens;
  readonly clock: Clock;
}

/** How a registration ends: with an account, a session, and often a verification that waits. */
export class NewAccounts {
  readonly #deps: NewAccountsDependencies;

  constructor(deps: NewAccountsDependencies) {
    this.#deps = deps;
  }

  /** Where the message of a registration goes; undefined where none follows. */
  mailboxOf(tenant: Tenant, derived: DerivedTraits, proven: readonly ContactAddress[]): string | undefined {
    const unproven = derived.verifiableAddresses.find((address) => !isProven(proven, address));
    return unproven && this.#deps.verifications.isSentAfterRegistration(tenant) ? unproven.value : undefined;
  }

  /**
   * Makes the account, with a session. `identifier_taken` if another one has an identifier, `invitation_gone` if the
   * flow's invitation has ended; then nothing is written. Throws FLOW_CHANGED, FLOW_COMPLETED.
   */
  async complete(
    caller: FlowCaller,
    flow: RecordOf<RegistrationTypes>,
    account: NewAccount,
  ): Promise<RegistrationTypes["Done"] | "identifier_taken" | "invitation_gone"> {
    const { tenant, origin } = caller;
    const at = this.#deps.clock.now();
    const { invitation } = flow.data.purpose;
    const { derived } = account;
    const made = newIdentity(account.schema, at, {
      ...derived,
      traits: account.traits,
      publicMetadata: { ...account.vouched?.publicMetadata, ...invitation?.publicMetadata },
      adminMetadata: { ...account.vouched?.adminMetadata, ...invitation?.adminMetadata },
      verifiableAddresses: derived.verifiableAddresses.map((address) => ({
        ...address,
        verifiedAt: isProven(account.proven, address) ? at : undefined,
      })),
      lastLoginAt: at,
    });
    const { credential, authentication } = account.proved;
    const method = authentication.kind;
    const proofs = [{ ...authentication, purpose: "registration", completedAt: at } as const];
    const owner = {
      identity: made,
      credentials: credential
        ? [storedCredential({ ...credential, id: newId<CredentialId>(at) }, undefined, at)]
        : [],
    };
    const purpose = { kind: "sign_in" } as const;
    // Security rule (SR-ACTION-1): what comes before each session comes before the first one as well.
    const { next, added } = this.#deps.pending.find(tenant, owner, { proofs, purpose, at });
    const identity = { ...made, requiredActions: added };
    const issued =
      next === undefined
        ? newSession(this.#deps.tokens, tenant, identity.id, {
            client: flow.client,
            methods: proofs,
            origin,
            at,
          })
        : undefined;
    const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
    const about = { identityId: identity.id, sessionId: issued?.session.id };
    const { completion: throttle, device } = this.#deps.throttle.succeeded(
      tenant,
      account.ticket,
      flow.client,
    );
    const result = await this.#deps.flows.completeRegistration(tenant, {
      held: account.held,
      identity,
      credential,
      invitationId: invitation?.id,
      session: issued?.session,
      at,
      events: [
        newEvent("registration.succeeded", at, actor, { ...about, data: { method } }),
        newEvent("identity.created", at, actor, { identityId: identity.id }),
        ...invitationEvents(invitation, identity, actor),
        ...(credential === undefined
          ? []
          : [
              newEvent("credential.set", at, actor, {
                identityId: identity.id,
                data: { kind: credential.kind, imported: false },
              }),
            ]),
        ...(issued ? [newEvent("session.created", at, actor, about)] : []),
      ],
      throttle: issued && throttle,
    });
    if (result === "flow_taken") throw await this.#deps.engine.taken(tenant, flow);
    if (result === "identifier_taken" || result === "invitation_gone") return result;
    const { client, returnTo } = flow;
    // Security rule (SR-ENUM-9): what a mailbox was sent too much of is withheld, whatever comes before the session.
    const isWithheld = account.ticket.silenced.size > 0;
    if (next !== undefined || issued === undefined) {
      const proved = { proofs: proofs.map(rememberedProof), isNew: true, isWithheld };
      const { clientData, oauth2 } = flow.data;
      const start = { client, returnTo, clientData, oauth2 };
      const login = await this.#deps.logins.createForActions(caller, start, identity.id, {
        proved,
        action: next,
      });
      return { kind: "session_waits", login };
    }
    const { session, token } = issued;
    const verification = await this.#deps.verifications.afterRegistration(caller, flow, {
      identity,
      session: session.id,
      isWithheld,
    });
    const completed = { session, token, client, identity, returnTo, verification, device };
    return { kind: "completed", completed };
  }
}
