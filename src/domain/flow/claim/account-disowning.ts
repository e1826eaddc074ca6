import type { Outbox } from "../../courier/outbox.ts";
import { newEvent } from "../../event/event.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import { isSameAddress, usernameBy } from "../../identity/addresses.ts";
import type { CredentialReleases } from "../../identity/credential-releases.ts";
import type { Identity } from "../../identity/identity.ts";
import { noticeOf, noticesTo } from "../../identity/notices.ts";
import { withOneAddress } from "../../identity/one-address.ts";
import { completedEvents, doneBy, without } from "../../identity/required-actions.ts";
import type { IdentitySchemas } from "../../identity/schemas.ts";
import type { IdentityStore } from "../../identity/store.ts";
import { never } from "../../instant.ts";
import type { Clock } from "../../ports.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { SettingsFlows } from "../settings/settings-flows.ts";
import { revocationOf } from "../settings/store.ts";
import type { Flow, FlowCaller, FlowRecord } from "../shared/flow.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import type { FlowStore } from "../shared/store.ts";
import type { Claiming } from "./state.ts";

interface AccountDisowningDependencies {
  readonly engine: FlowEngine;
  readonly flows: FlowStore;
  readonly identities: Pick<IdentityStore, "find">;
  readonly schemas: IdentitySchemas;
  readonly settings: SettingsFlows;
  readonly releases: Pick<CredentialReleases, "prepare">;
  readonly outbox: Outbox;
  readonly clock: Clock;
}

/** The end of everything that somebody else has set up in an account that was made for one's address. */
export class AccountDisowning {
  readonly #deps: AccountDisowningDependencies;

  constructor(deps: AccountDisowningDependencies) {
    this.#deps = deps;
  }

  /**
   * Ends all of it at once, verifies the address, and gives the flow in which a new secret is set. Undefined, and nothing is
   * changed, if it is not an unclaimed account with that address any more. Throws FLOW_CHANGED, FLOW_COMPLETED.
   *
   * Security rule (SR-OWNER-4): the proven address alone leads into the account afterwards. Every other address goes from the traits, or
   * the person who chose it would verify it next, and recover by it. Second factors end like all else: they are theirs.
   */
  async disown(caller: FlowCaller, record: FlowRecord, claim: Claiming): Promise<Flow | undefined> {
    const { tenant, origin } = caller;
    const { target, by } = claim;
    // A change of the account in between, other than a claim, is no reason to turn its owner away.
    let seen: number | undefined;
    for (let round = 0; round < mostRounds; round++) {
      const identity = target.identityId && (await this.#deps.identities.find(tenant, target.identityId));
      if (!identity || !isUnclaimed(identity, target) || identity.revision === seen) return undefined;
      seen = identity.revision;
      const at = this.#deps.clock.now();
      const proof = { kind: by, purpose: "recovery", assuranceLevel: "aal1" } as const;
      const recovery = { ...proof, completedAt: at.toISOString(), methods: [] };
      const { client, data: begun } = record;
      // An OAuth2 server is for those who set the account up.
      const returnTo = begun.oauth2 === undefined ? record.returnTo : undefined;
      const settings = this.#deps.settings.draftAfterRecovery(caller, {
        client,
        returnTo,
        identityId: identity.id,
        recovery,
        username: usernameBy(identity, target),
        clientData: begun.clientData,
      });
      const actor = { ...origin, actor: { kind: "identity", identityId: identity.id } } as const;
      const about = { identityId: identity.id };
      const data = { method: proof.kind, startedBy: "owner" } as const;
      const done = doneBy(identity, "verify_address");
      const cleared = {
        ...this.#cleared(tenant, identity, target, at),
        requiredActions: without(identity, done),
      };
      const release = await this.#deps.releases.prepare(tenant, identity.id);
      const result = await this.#deps.flows.completeDisowning(tenant, {
        held: [{ digest: record.digest, revision: record.revision }],
        identity: cleared,
        expectedRevision: identity.revision,
        target: { ...target, identityId: identity.id },
        settingsFlow: settings.record,
        at,
        messages: noticesTo(
          this.#deps.outbox,
          cleared,
          { template: "recovery_completed", data: {} },
          noticeOf(record, at, origin),
        ),
        events: [
          newEvent("identity.disowned", at, actor, about),
          newEvent("address.verified", at, actor, { ...about, data: { kind: target.kind } }),
          newEvent("recovery.succeeded", at, actor, { ...about, data }),
          ...completedEvents(identity.id, done, at, actor),
        ],
        revocationEvent: revocationOf(identity.id, actor, at, "disowned"),
      });
      if (result === "flow_taken") throw await this.#deps.engine.taken(tenant, record);
      if (result === "completed") {
        release();
        return settings.created.flow;
      }
    }
    return undefined;
  }

  /** The account with one address, which is verified. What else was filled in stays, for its owner to look at. */
  #cleared(tenant: Tenant, identity: Identity, address: ContactAddress, at: Date): Identity {
    const schema = this.#deps.schemas.current(tenant, identity.schemaId);
    const annotated = schema.annotatedIn(identity.traits);
    const { traits, removed } = withOneAddress(identity.traits, annotated, address.value);
    return {
      ...identity,
      traits,
      updatedAt: at,
      revision: identity.revision + 1,
      identifiers: identity.identifiers.filter(({ path }) => !removed.has(path)),
      verifiableAddresses: identity.verifiableAddresses
        .filter((each) => isSameAddress(each, address))
        .map((each) => ({ ...each, verifiedAt: at })),
      recoveryAddresses: identity.recoveryAddresses.filter((each) => isSameAddress(each, address)),
      purgeAt: never,
    };
  }
}

const mostRounds = 16;

/** Whether an address is one of an account that could be anybody's: none is verified. The rest is for the store to say. */
function isUnclaimed({ state, verifiableAddresses }: Identity, address: ContactAddress): boolean {
  return (
    state === "active" &&
    verifiableAddresses.every(({ verifiedAt }) => verifiedAt === undefined) &&
    verifiableAddresses.some((each) => isSameAddress(each, address))
  );
}
