import { domainError } from "../../errors.ts";
import type { FilledForm } from "../../form/form-submission.ts";
import type { ContactAddress } from "../../identity/addresses.ts";
import type { MethodKind } from "../../kinds.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Challenges } from "../challenge/challenges.ts";
import type { CreatedFlow, FlowCaller, FlowFound, FlowOutcome, ReadFlow } from "../shared/flow.ts";
import type { FlowAccess } from "../shared/flow-access.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import type { FlowView } from "../shared/flow-view.ts";
import { type CallerStart, KindFlows } from "../shared/kind-flows.ts";
import type { FlowStore } from "../shared/store.ts";
import type { FlowTable } from "../shared/table.ts";
import { type AddressStart, type AddressSubmission, typedAt } from "../shared/typed-address.ts";
import { endOf } from "./holds.ts";
import type { RecoveryPurpose, RecoveryTypes } from "./state.ts";

/** What came of a submit to a recovery. */
export type RecoveryOutcome = FlowOutcome | RecoveryTypes["Done"];

interface RecoveryFlowsDependencies {
  readonly access: FlowAccess;
  readonly engine: FlowEngine;
  readonly flows: Pick<FlowStore, "findWithIdentity">;
  readonly table: FlowTable<RecoveryTypes>;
  readonly challenges: Challenges;
}

/** Getting back into an account whose secret is lost. What may be done, and when, is the table in steps.ts. */
export class RecoveryFlows {
  readonly #deps: RecoveryFlowsDependencies;
  readonly #flows: KindFlows<RecoveryTypes>;

  constructor(deps: RecoveryFlowsDependencies) {
    this.#deps = deps;
    this.#flows = new KindFlows(deps, {
      kind: "recovery",
      table: deps.table,
      lifetimeMs: ({ settings }) => settings.recovery.lifetimeMs,
      again: (_tenant, { data: { state } }) => {
        return { purpose: {}, state: { at: "choose_method", typed: typedAt(state) } };
      },
      assertOpen,
    });
  }

  /** What the holder of a recovery sees. */
  get view(): FlowView {
    return this.#flows.view;
  }

  /** Begins a recovery. Throws RECOVERY_DISABLED, LINK_INVALID, RETURN_TO_NOT_ALLOWED. */
  async create(caller: FlowCaller, start: AddressStart): Promise<CreatedFlow> {
    const { access, challenges } = this.#deps;
    access.assertClient(caller, start.client);
    if (start.linkToken !== "") {
      return this.#flows.createByLink(caller, challenges, start, {
        stateOf: (state, parent) => {
          const end = endOf(parent);
          return end === undefined ? state : { ...state, at: "stop_recovery", until: end.toISOString() };
        },
      });
    }
    assertOpen(caller.tenant, {});
    return this.#flows.create(caller, start, { purpose: {}, state: { at: "choose_method" } });
  }

  /**
   * Asks whose an account is that nobody has claimed: one of its addresses was shown elsewhere, `by` that method. Only to be stored with
   * what it follows.
   */
  draftClaim(caller: FlowCaller, start: CallerStart, target: ContactAddress, by: MethodKind) {
    const state = { at: "claim_account", sentTo: target.value, target, by } as const;
    return this.#deps.engine.draft(caller, this.#flows.view, {
      ...start,
      purpose: { asksWhose: true },
      state,
    });
  }

  /** The flow as its holder sees it, or a fresh one in its place. Throws RECOVERY_DISABLED. */
  show(caller: FlowCaller, flowId: string, read: ReadFlow): Promise<FlowFound> {
    return this.#flows.show(caller, flowId, read);
  }

  /** Tries what was submitted. */
  async submit(
    caller: FlowCaller,
    submitted: AddressSubmission | FilledForm,
    read?: ReadFlow,
  ): Promise<RecoveryOutcome> {
    const { access, flows } = this.#deps;
    const digest = access.digestOf(caller.tenant, submitted.flowId);
    const { flow, identity, credentials } =
      read ?? (await flows.findWithIdentity(caller.tenant, "recovery", digest));
    return this.#flows.submit<AddressSubmission>(caller, submitted, flow, ({ address }) => ({
      address,
      identity,
      credentials,
    }));
  }
}

/** What an operator began, and what only asks whose an account is, works also where people cannot begin it themselves. */
function assertOpen({ settings }: Tenant, { operator, asksWhose = false }: RecoveryPurpose): void {
  const isOpen = settings.recovery.enabled || operator !== undefined || asksWhose;
  if (!isOpen) throw domainError("RECOVERY_DISABLED", {});
}
