import { type FilledForm, submissionOf } from "../../form/form-submission.ts";
import type { FlowSubmission, SubmittedStep } from "../../form/submission.ts";
import type { CompiledSchema } from "../../identity/compiled-schema.ts";
import { withoutWriteOnly } from "../../identity/own-traits.ts";
import type { Invitations } from "../../invitation/invitations.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient } from "../../kinds.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Challenges } from "../challenge/challenges.ts";
import type { CreatedFlow, FlowCaller, FlowFound, FlowOutcome, ReadFlow } from "../shared/flow.ts";
import type { FlowKeeper } from "../shared/flow-keeper.ts";
import { type FlowView, viewOf } from "../shared/flow-view.ts";
import type { FlowTable, RecordOf } from "../shared/table.ts";
import { assertOpen, registrationPurpose } from "./invited.ts";
import type { RegistrationTypes } from "./state.ts";
import { firstState } from "./steps.ts";

/** What came of a submit to a registration. */
export type RegistrationOutcome = FlowOutcome | RegistrationTypes["Done"];

/** What was submitted to a registration flow. */
export interface RegistrationSubmission extends FlowSubmission {
  /** A merge patch of what the flow has already. */
  readonly traits: JsonObject;
  readonly step: SubmittedStep;
}

/** What a registration flow begins with. */
export interface RegistrationStart {
  readonly client: FlowClient;
  readonly returnTo: string;
  /** Empty: the default one. */
  readonly schemaId: string;
  /** Of a link that was opened; else empty. */
  readonly linkToken: string;
  /** Empty: none. */
  readonly invitationToken: string;
  readonly clientData?: JsonObject | undefined;
}

type RegistrationFlow = RecordOf<RegistrationTypes>;

interface RegistrationFlowsDependencies {
  readonly keeper: FlowKeeper;
  readonly table: FlowTable<RegistrationTypes>;
  readonly challenges: Challenges;
  readonly invitations: Pick<Invitations, "open">;
  readonly schemaOf: (tenant: Tenant, flow: RegistrationFlow) => CompiledSchema;
}

/** Making an account. What may be done, and when, is the table in steps.ts. */
export class RegistrationFlows {
  readonly #deps: RegistrationFlowsDependencies;
  readonly #view: FlowView;

  constructor(deps: RegistrationFlowsDependencies) {
    this.#deps = deps;
    this.#view = viewOf<RegistrationTypes>(
      deps.table,
      (tenant, flow) => ({
        tenant,
        flow: flow as RegistrationFlow,
        state: (flow as RegistrationFlow).data.state,
      }),
      {
        kind: "registration",
        lifetimeMs: (tenant) => tenant.settings.registration.lifetimeMs,
        readable: (tenant, flow, traits) =>
          withoutWriteOnly(deps.schemaOf(tenant, flow as RegistrationFlow), traits),
        again: (tenant, flow) => {
          const { client, returnTo, data } = flow as RegistrationFlow;
          const { purpose, state, clientData } = data;
          return { client, returnTo, purpose, state: firstState(tenant, state), clientData };
        },
      },
    );
  }

  /**
   * Begins a registration, or goes on with one from a link that was opened. Throws REGISTRATION_DISABLED, LINK_INVALID,
   * INVITATION_REQUIRED, INVITATION_INVALID, and SCHEMA_NOT_FOUND for a schema that is not on offer. One round trip, with a
   * link or an invitation two.
   */
  async create(caller: FlowCaller, start: RegistrationStart): Promise<CreatedFlow> {
    const { keeper, challenges, invitations } = this.#deps;
    const { tenant } = caller;
    const { client, returnTo, linkToken, clientData } = start;
    keeper.assertClient(caller, client);
    if (linkToken === "") {
      const purpose = await registrationPurpose(invitations, tenant, start);
      const state = firstState(tenant);
      return keeper.create(caller, this.#view, { client, returnTo, purpose, state, clientData });
    }
    const { state, parent } = await challenges.open(tenant, "registration", linkToken);
    const { purpose } = (parent as RegistrationFlow).data;
    assertOpen(tenant, purpose);
    return keeper.create(caller, this.#view, {
      ...{ client, purpose, state, clientData },
      returnTo: returnTo || parent.returnTo,
    });
  }

  /** The flow as its holder sees it, or a fresh one in its place. Throws REGISTRATION_DISABLED, INVITATION_REQUIRED. */
  async show(caller: FlowCaller, flowId: string, { flow }: ReadFlow): Promise<FlowFound> {
    const { keeper } = this.#deps;
    const held = keeper.hold(caller, flow);
    if (held.kind === "expired") assertOpen(caller.tenant, (held.record as RegistrationFlow).data.purpose);
    return keeper.show(caller, this.#view, flowId, flow);
  }

  /** Tries what was submitted. Two round trips where a password succeeds, beside the throttle's one. Throws RATE_LIMITED. */
  async submit(
    caller: FlowCaller,
    submitted: RegistrationSubmission | FilledForm,
    read?: ReadFlow,
  ): Promise<RegistrationOutcome> {
    const { keeper, table } = this.#deps;
    const { tenant } = caller;
    const found = read?.flow ?? (await keeper.find(tenant, "registration", submitted.flowId));
    // Also for flows that began while registration was open; but not before the caller has shown that it is theirs.
    assertOpen(tenant, (keeper.hold(caller, found).record as RegistrationFlow).data.purpose);
    const entered = await keeper.enter(caller, this.#view, found, submitted);
    if (entered.kind !== "entered") return entered;
    const flow = entered.record as RegistrationFlow;
    const { flowId, step, traits } = submissionOf(submitted, () => this.#view.form(tenant, flow).nodes);
    const { state } = flow.data;
    return keeper.take<RegistrationTypes>(table, this.#view, {
      ...{ caller, tenant, flow, flowId, state, step, traits },
    });
  }
}
