import { domainError } from "../../errors.ts";
import type { FilledForm } from "../../form/form-submission.ts";
import type { Identity } from "../../identity/identity.ts";
import type { SessionId } from "../../ids.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Challenges } from "../challenge/challenges.ts";
import type {
  CreatedFlow,
  Flow,
  FlowCaller,
  FlowFound,
  FlowOutcome,
  FlowRecord,
  ReadFlow,
} from "../shared/flow.ts";
import type { FlowAccess } from "../shared/flow-access.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import { KindFlows } from "../shared/kind-flows.ts";
import type { FlowTable } from "../shared/table.ts";
import { type AddressStart, type AddressSubmission, typedAt } from "../shared/typed-address.ts";
import type { VerificationPurpose, VerificationTypes } from "./state.ts";

/** What came of a submit to a verification. */
export type VerificationOutcome = FlowOutcome | VerificationTypes["Done"];

interface VerificationFlowsDependencies {
  readonly access: FlowAccess;
  readonly engine: FlowEngine;
  readonly table: FlowTable<VerificationTypes>;
  readonly challenges: Challenges;
}

/** Showing that an address is one's own. It signs nobody in. What may be done, and when, is the table in steps.ts. */
export class VerificationFlows {
  readonly #deps: VerificationFlowsDependencies;
  readonly #flows: KindFlows<VerificationTypes>;

  constructor(deps: VerificationFlowsDependencies) {
    this.#deps = deps;
    this.#flows = new KindFlows(deps, {
      kind: "verification",
      table: deps.table,
      lifetimeMs: (tenant) => tenant.settings.verification.lifetimeMs,
      again: (_tenant, { data: { state } }) => {
        return { purpose: {}, state: { at: "choose_method", typed: typedAt(state) } };
      },
      assertOpen,
    });
  }

  /** Begins a verification. Throws VERIFICATION_DISABLED, LINK_INVALID, RETURN_TO_NOT_ALLOWED. */
  async create(caller: FlowCaller, start: AddressStart): Promise<CreatedFlow> {
    const { access, challenges } = this.#deps;
    access.assertClient(caller, start.client);
    if (start.linkToken !== "") {
      return this.#flows.createByLink(caller, challenges, start, {
        purposeOf: ({ operator }) => (operator === undefined ? {} : { operator }),
      });
    }
    assertOpen(caller.tenant, {});
    return this.#flows.create(caller, start, { purpose: {}, state: { at: "choose_method" } });
  }

  /** The flow as its holder sees it, or a fresh one in its place. Throws VERIFICATION_DISABLED. */
  show(caller: FlowCaller, flowId: string, read: ReadFlow): Promise<FlowFound> {
    return this.#flows.show(caller, flowId, read);
  }

  /** Whether a registration with an address that is not proven sends a code or link to it. */
  isSentAfterRegistration(tenant: Tenant): boolean {
    const { verification } = tenant.settings;
    const isOffered = this.#deps.challenges.offered(tenant, "verification").length > 0;
    return verification.enabled && verification.afterRegistration && isOffered;
  }

  /**
   * The verification that follows a registration: its code is on its way, unless its mailbox was sent too many. Undefined
   * where the configuration wants none, or there is nothing to verify. The browser has its cookie already. The flow is the new
   * session's: a native client need not show the session again.
   */
  async afterRegistration(
    caller: FlowCaller,
    { client, returnTo, data: { clientData, oauth2 } }: FlowRecord,
    registered: {
      readonly identity: Identity;
      readonly session: SessionId;
      /** Whether its mailbox was sent too many. */
      readonly isWithheld: boolean;
    },
  ): Promise<Flow | undefined> {
    const { engine, challenges } = this.#deps;
    const { identity, session, isWithheld } = registered;
    const [kind] = challenges.offered(caller.tenant, "verification");
    const address = identity.verifiableAddresses.find(({ verifiedAt }) => verifiedAt === undefined);
    const wanted = this.isSentAfterRegistration(caller.tenant);
    if (!wanted || kind === undefined || address === undefined) return undefined;
    const target = { kind: address.kind, value: address.value, identityId: identity.id };
    const created = await engine.create(caller, this.#flows.view, {
      ...{ client, returnTo, clientData, oauth2 },
      purpose: { session } satisfies VerificationPurpose,
      state: { at: "choose_method" },
      identityId: identity.id,
      prepare: (record) =>
        challenges.begin(caller.tenant, record, { kind, sentTo: address.value, target }, isWithheld),
    });
    return created.flow;
  }

  /** Tries what was submitted. */
  async submit(
    caller: FlowCaller,
    submitted: AddressSubmission | FilledForm,
    read?: ReadFlow,
  ): Promise<VerificationOutcome> {
    const { engine } = this.#deps;
    const found = read?.flow ?? (await engine.find(caller.tenant, "verification", submitted.flowId));
    return this.#flows.submit<AddressSubmission>(caller, submitted, found, ({ address }) => ({ address }));
  }
}

/** What an operator began works also where people cannot begin it themselves. */
function assertOpen({ settings }: Tenant, { operator }: VerificationPurpose): void {
  if (operator === undefined && !settings.verification.enabled)
    throw domainError("VERIFICATION_DISABLED", {});
}
