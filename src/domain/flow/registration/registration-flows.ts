import type { FilledForm } from "../../form/form-submission.ts";
import type { FlowSubmission, SubmittedStep } from "../../form/submission.ts";
import { withoutWriteOnly } from "../../identity/own-traits.ts";
import type { Invitations } from "../../invitation/invitations.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient, MethodKind } from "../../kinds.ts";
import { stepOf, type VouchedAccount } from "../../method/method.ts";
import type { Challenges } from "../challenge/challenges.ts";
import type { OAuth2HandOvers } from "../oauth2/hand-over.ts";
import type {
  CreatedFlow,
  FlowCaller,
  FlowFound,
  FlowOutcome,
  OAuth2Origin,
  ReadFlow,
} from "../shared/flow.ts";
import type { FlowAccess } from "../shared/flow-access.ts";
import type { FlowEngine } from "../shared/flow-engine.ts";
import { type CallerStart, KindFlows } from "../shared/kind-flows.ts";
import type { FlowTable, RecordOf } from "../shared/table.ts";
import { assertOpen, registrationPurpose } from "./invited.ts";
import type { SignUp } from "./sign-up.ts";
import { firstState, type RegistrationTypes, type SchemaOf } from "./state.ts";

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
  /** The request of the OAuth2 server that it is for. */
  readonly oauth2?: OAuth2Origin | undefined;
}

interface RegistrationFlowsDependencies {
  readonly access: FlowAccess;
  readonly engine: FlowEngine;
  readonly table: FlowTable<RegistrationTypes>;
  readonly challenges: Challenges;
  readonly signUp: Pick<SignUp, "isWhole" | "filledIn">;
  readonly invitations: Pick<Invitations, "open">;
  readonly schemaOf: SchemaOf;
  readonly handOvers: Pick<OAuth2HandOvers, "after">;
}

/** Making an account. What may be done, and when, is the table in steps.ts. */
export class RegistrationFlows {
  readonly #deps: RegistrationFlowsDependencies;
  readonly #flows: KindFlows<RegistrationTypes>;

  constructor(deps: RegistrationFlowsDependencies) {
    this.#deps = deps;
    this.#flows = new KindFlows(deps, {
      kind: "registration",
      table: deps.table,
      lifetimeMs: (tenant) => tenant.settings.registration.lifetimeMs,
      readable: (tenant, flow, traits) => withoutWriteOnly(deps.schemaOf(tenant, flow), traits),
      again: (tenant, { data: { purpose, state } }) => {
        const traits = "traits" in state ? state.traits : undefined;
        return { purpose, state: firstState(tenant, traits) };
      },
      assertOpen,
    });
  }

  /**
   * Begins a registration, or goes on with one from a link that was opened. Throws REGISTRATION_DISABLED, LINK_INVALID,
   * INVITATION_REQUIRED, INVITATION_INVALID, and SCHEMA_NOT_FOUND for a schema that is not on offer. One round trip, with a
   * link or an invitation two.
   */
  async create(caller: FlowCaller, start: RegistrationStart): Promise<CreatedFlow> {
    const { access, challenges, invitations } = this.#deps;
    const { tenant } = caller;
    access.assertClient(caller, start.client);
    if (start.linkToken !== "") return this.#flows.createByLink(caller, challenges, start);
    const purpose = await registrationPurpose(invitations, tenant, start);
    return this.#flows.create(caller, start, { purpose, state: firstState(tenant) });
  }

  /**
   * The registration of somebody for whose account elsewhere somebody has vouched. Only to be stored with what it follows. `goesOn` makes
   * the account where nothing is missing.
   */
  draftVouched(caller: FlowCaller, start: CallerStart, kind: MethodKind, vouched: VouchedAccount) {
    const { engine, signUp } = this.#deps;
    const { tenant } = caller;
    const purpose = { schemaId: tenant.settings.defaultSchemaId };
    const state = signUp.filledIn(tenant, { data: { purpose } }, vouched);
    const { record, created } = engine.draft(caller, this.#flows.view, { ...start, purpose, state });
    const { flow } = created;
    const goesOn = async (): Promise<RegistrationOutcome> => {
      const isWhole = signUp.isWhole(tenant, record as RecordOf<RegistrationTypes>);
      if (!isWhole) return { kind: "next_step", flow };
      const step = { name: stepOf({ kind }), fields: {} };
      const csrfToken = flow.csrfToken?.reveal() ?? "";
      const submission = { flowId: flow.id.reveal(), csrfToken, traits: {}, step };
      return this.submit(caller, submission, { flow: record, identity: undefined, credentials: [] });
    };
    return { begins: record, goesOn };
  }

  /** The flow as its holder sees it, or a fresh one in its place. Throws REGISTRATION_DISABLED, INVITATION_REQUIRED. */
  show(caller: FlowCaller, flowId: string, read: ReadFlow): Promise<FlowFound> {
    return this.#flows.show(caller, flowId, read);
  }

  /** Tries what was submitted. Two round trips where a password succeeds, beside the throttle's one. Throws RATE_LIMITED. */
  async submit(
    caller: FlowCaller,
    submitted: RegistrationSubmission | FilledForm,
    read?: ReadFlow,
  ): Promise<RegistrationOutcome> {
    const { engine } = this.#deps;
    const found = read?.flow ?? (await engine.find(caller.tenant, "registration", submitted.flowId));
    const outcome = await this.#flows.submit<RegistrationSubmission>(
      caller,
      submitted,
      found,
      ({ traits }) => ({ traits }),
    );
    return this.#deps.handOvers.after(caller, found, outcome);
  }
}
