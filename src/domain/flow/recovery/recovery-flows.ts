import { domainError } from "../../errors.ts";
import { type FilledForm, submissionOf } from "../../form/form-submission.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Challenges } from "../challenge/challenges.ts";
import type {
  CreatedFlow,
  FlowCaller,
  FlowFound,
  FlowOutcome,
  FlowRecord,
  ReadFlow,
} from "../shared/flow.ts";
import type { FlowKeeper } from "../shared/flow-keeper.ts";
import { type FlowView, viewOf } from "../shared/flow-view.ts";
import type { FlowStore } from "../shared/store.ts";
import type { FlowTable, RecordOf } from "../shared/table.ts";
import type { AddressStart, AddressSubmission, OperatorPurpose } from "../shared/typed-address.ts";
import type { RecoveryState, RecoveryTypes } from "./state.ts";

/** What came of a submit to a recovery. */
export type RecoveryOutcome = FlowOutcome | RecoveryTypes["Done"];

type RecoveryFlow = RecordOf<RecoveryTypes>;

interface RecoveryFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly flows: Pick<FlowStore, "findWithIdentity">;
  readonly table: FlowTable<RecoveryTypes>;
  readonly view: FlowView;
  readonly challenges: Challenges;
}

/** What the holder of a recovery sees. */
export function recoveryView(table: FlowTable<RecoveryTypes>): FlowView {
  return viewOf<RecoveryTypes>(
    table,
    (tenant, flow) => ({ tenant, flow: own(flow), state: own(flow).data.state }),
    {
      kind: "recovery",
      lifetimeMs: ({ settings }) => settings.recovery.lifetimeMs,
      again: (_tenant, flow) => {
        const { client, returnTo, data } = own(flow);
        const typed = typedAt(data.state);
        const state = { at: "choose_method", ...(typed && { typed }) } as const;
        return { client, returnTo, clientData: data.clientData, purpose: {}, state };
      },
    },
  );
}

/** Getting back into an account whose secret is lost. What may be done, and when, is the table in steps.ts. */
export class RecoveryFlows {
  readonly #deps: RecoveryFlowsDependencies;

  constructor(deps: RecoveryFlowsDependencies) {
    this.#deps = deps;
  }

  /** Begins a recovery. Throws RECOVERY_DISABLED, LINK_INVALID, RETURN_TO_NOT_ALLOWED. */
  async create(caller: FlowCaller, start: AddressStart): Promise<CreatedFlow> {
    const { keeper, challenges, view } = this.#deps;
    const { tenant } = caller;
    const { client, returnTo, linkToken, clientData } = start;
    keeper.assertClient(caller, client);
    if (linkToken === "") {
      assertEnabled(tenant, {});
      const state = { at: "choose_method" } as const;
      return keeper.create(caller, view, { client, returnTo, purpose: {}, state, clientData });
    }
    const { state, parent } = await challenges.open(tenant, "recovery", linkToken);
    // What an operator began works also where people cannot begin it themselves.
    const { purpose } = own(parent).data;
    assertEnabled(tenant, purpose);
    return keeper.create(caller, view, {
      ...{ client, purpose, state, clientData },
      returnTo: returnTo || parent.returnTo,
      identityId: state.target.identityId,
    });
  }

  /** The flow as its holder sees it, or a fresh one in its place. */
  show(caller: FlowCaller, flowId: string, { flow }: ReadFlow): Promise<FlowFound> {
    return this.#deps.keeper.show(caller, this.#deps.view, flowId, flow);
  }

  /** Tries what was submitted. */
  async submit(
    caller: FlowCaller,
    submitted: AddressSubmission | FilledForm,
    read?: ReadFlow,
  ): Promise<RecoveryOutcome> {
    const { keeper, flows, table, view } = this.#deps;
    const { tenant } = caller;
    const digest = keeper.digestOf(tenant, submitted.flowId);
    const found = read ?? (await flows.findWithIdentity({ tenantId: tenant.id }, "recovery", digest));
    assertEnabled(tenant, own(keeper.hold(caller, found.flow).record).data.purpose);
    const entered = await keeper.enter(caller, view, found.flow, submitted);
    if (entered.kind !== "entered") return entered;
    const flow = own(entered.record);
    const { flowId, step, address } = submissionOf(submitted, () => view.form(tenant, flow).nodes);
    const { identity, credentialKinds } = found;
    return keeper.take<RecoveryTypes>(table, view, {
      ...{ caller, tenant, flow, flowId, state: flow.data.state, step, address, identity, credentialKinds },
    });
  }
}

function own(flow: FlowRecord): RecoveryFlow {
  return flow as RecoveryFlow;
}

/** What was typed, for a fresh flow to be filled in with. */
function typedAt(state: RecoveryState): string | undefined {
  if ("choice" in state) return state.choice?.typed;
  return state.at === "choose_method" ? state.typed : undefined;
}

function assertEnabled({ settings }: Tenant, { operator }: OperatorPurpose): void {
  if (operator === undefined && !settings.recovery.enabled) throw domainError("RECOVERY_DISABLED", {});
}
