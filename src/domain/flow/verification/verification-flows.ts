import { domainError } from "../../errors.ts";
import { type FilledForm, submissionOf } from "../../form/form-submission.ts";
import type { Identity } from "../../identity/identity.ts";
import type { SessionId } from "../../ids.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { ThrottleTicket } from "../../throttle/throttle.ts";
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
import type { FlowKeeper } from "../shared/flow-keeper.ts";
import { type FlowView, viewOf } from "../shared/flow-view.ts";
import type { FlowTable, RecordOf } from "../shared/table.ts";
import type { AddressStart, AddressSubmission } from "../shared/typed-address.ts";
import type { VerificationPurpose, VerificationTypes } from "./state.ts";

/** What came of a submit to a verification. */
export type VerificationOutcome = FlowOutcome | VerificationTypes["Done"];

type VerificationFlow = RecordOf<VerificationTypes>;

interface VerificationFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly table: FlowTable<VerificationTypes>;
  readonly challenges: Challenges;
}

/** Showing that an address is one's own. It signs nobody in. What may be done, and when, is the table in steps.ts. */
export class VerificationFlows {
  readonly #deps: VerificationFlowsDependencies;
  readonly #view: FlowView;

  constructor(deps: VerificationFlowsDependencies) {
    this.#deps = deps;
    this.#view = viewOf<VerificationTypes>(
      deps.table,
      (tenant, flow) => ({ tenant, flow: own(flow), state: own(flow).data.state }),
      {
        kind: "verification",
        lifetimeMs: (tenant) => tenant.settings.verification.lifetimeMs,
        again: (_tenant, { client, returnTo, data: { clientData } }) => ({
          ...{ client, returnTo, clientData, purpose: {} },
          state: { at: "choose_method" },
        }),
      },
    );
  }

  /** Begins a verification. Throws VERIFICATION_DISABLED, LINK_INVALID, RETURN_TO_NOT_ALLOWED. */
  async create(caller: FlowCaller, start: AddressStart): Promise<CreatedFlow> {
    const { keeper, challenges } = this.#deps;
    const { tenant } = caller;
    const { client, returnTo, linkToken, clientData } = start;
    keeper.assertClient(caller, client);
    if (linkToken === "") {
      assertEnabled(tenant, {});
      const state = { at: "choose_method" } as const;
      return keeper.create(caller, this.#view, { client, returnTo, purpose: {}, state, clientData });
    }
    const { state, parent } = await challenges.open(tenant, "verification", linkToken);
    // What an operator began works also where people cannot begin it themselves.
    const { operator } = own(parent).data.purpose;
    const purpose = operator === undefined ? {} : { operator };
    assertEnabled(tenant, purpose);
    return keeper.create(caller, this.#view, {
      ...{ client, purpose, state, clientData },
      returnTo: returnTo || parent.returnTo,
      identityId: state.target.identityId,
    });
  }

  /** The flow as its holder sees it, or a fresh one in its place. */
  show(caller: FlowCaller, flowId: string, { flow }: ReadFlow): Promise<FlowFound> {
    return this.#deps.keeper.show(caller, this.#view, flowId, flow);
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
    { client, returnTo, data: { clientData } }: FlowRecord,
    registered: {
      readonly identity: Identity;
      readonly session: SessionId;
      readonly ticket: ThrottleTicket;
    },
  ): Promise<Flow | undefined> {
    const { keeper, challenges } = this.#deps;
    const { identity, session, ticket } = registered;
    const [kind] = challenges.offered(caller.tenant, "verification");
    const address = identity.verifiableAddresses.find(({ verifiedAt }) => verifiedAt === undefined);
    const wanted = this.isSentAfterRegistration(caller.tenant);
    if (!wanted || kind === undefined || address === undefined) return undefined;
    const isWithheld = ticket.silenced.size > 0;
    const target = { kind: address.kind, value: address.value, identityId: identity.id };
    const created = await keeper.create(caller, this.#view, {
      ...{ client, returnTo, clientData },
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
    const { keeper, table } = this.#deps;
    const { tenant } = caller;
    const found = read?.flow ?? (await keeper.find(tenant, "verification", submitted.flowId));
    assertEnabled(tenant, own(keeper.hold(caller, found).record).data.purpose);
    const entered = await keeper.enter(caller, this.#view, found, submitted);
    if (entered.kind !== "entered") return entered;
    const flow = own(entered.record);
    const { flowId, step, address } = submissionOf(submitted, () => this.#view.form(tenant, flow).nodes);
    const { state } = flow.data;
    return keeper.take<VerificationTypes>(table, this.#view, {
      ...{ caller, tenant, flow, flowId, state, step, address },
    });
  }
}

function own(flow: FlowRecord): VerificationFlow {
  return flow as VerificationFlow;
}

function assertEnabled({ settings }: Tenant, { operator }: VerificationPurpose): void {
  if (operator === undefined && !settings.verification.enabled)
    throw domainError("VERIFICATION_DISABLED", {});
}
