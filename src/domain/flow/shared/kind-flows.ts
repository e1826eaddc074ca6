import { type FilledForm, submissionOf } from "../../form/form-submission.ts";
import type { FlowSubmission, SubmittedStep } from "../../form/submission.ts";
import type { IdentityId } from "../../ids.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowClient, FlowKind } from "../../kinds.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { Challenges } from "../challenge/challenges.ts";
import type { Confirming } from "../challenge/state.ts";
import type {
  CreatedFlow,
  FlowCaller,
  FlowFound,
  FlowOutcome,
  FlowRecord,
  OAuth2Origin,
  ReadFlow,
} from "./flow.ts";
import type { FlowAccess } from "./flow-access.ts";
import type { FlowEngine } from "./flow-engine.ts";
import { type FlowView, viewOf } from "./flow-view.ts";
import type { AttemptOf, ContextOf, FlowTable, KindTypes, RecordOf } from "./table.ts";

/** One kind of flow. */
export interface FlowKindRules<K extends KindTypes> {
  readonly kind: FlowKind;
  /** What may be done, and when. */
  readonly table: FlowTable<K>;
  lifetimeMs(tenant: Tenant): number;
  /** The fresh flow in the place of an expired one: what was filled in, nothing that was proven, and no secret. */
  again(
    tenant: Tenant,
    expired: RecordOf<K>,
  ): {
    readonly purpose: K["Purpose"];
    readonly state: K["State"];
    readonly identityId?: IdentityId | undefined;
  };
  /** The traits that were typed, without write-only traits. */
  readable?(tenant: Tenant, flow: RecordOf<K>, traits: JsonObject): JsonObject;
  /** Throws if the tenant allows no flow for this. Asked at every step, of those who hold the flow, and of a fresh flow. */
  assertOpen?(tenant: Tenant, purpose: K["Purpose"]): void;
}

/** What a caller begins a flow with. */
export interface CallerStart {
  readonly client: FlowClient;
  readonly returnTo: string | undefined;
  readonly clientData?: JsonObject | undefined;
  readonly oauth2?: OAuth2Origin | undefined;
}

interface KindFlowsDependencies {
  readonly access: FlowAccess;
  readonly engine: FlowEngine;
}

/** The flows of one kind whose rules need nothing but the flow: begun, shown, submitted. */
export class KindFlows<K extends KindTypes> {
  readonly #deps: KindFlowsDependencies;
  readonly #rules: FlowKindRules<K>;
  readonly view: FlowView;

  constructor(deps: KindFlowsDependencies, rules: FlowKindRules<K>) {
    this.#deps = deps;
    this.#rules = rules;
    this.view = viewOf<K>(
      rules.table,
      // A kind whose rules know more has a view of its own.
      (tenant, flow) => ({ tenant, flow, state: own<K>(flow).data.state }) as unknown as ContextOf<K>,
      {
        kind: rules.kind,
        lifetimeMs: (tenant) => rules.lifetimeMs(tenant),
        readable: (tenant, flow, traits) => rules.readable?.(tenant, own<K>(flow), traits) ?? {},
        again: (tenant, flow) => {
          const { client, returnTo, data } = flow;
          const begun = rules.again(tenant, own<K>(flow));
          rules.assertOpen?.(tenant, begun.purpose);
          return { client, returnTo, clientData: data.clientData, oauth2: data.oauth2, ...begun };
        },
      },
    );
  }

  /** Begins a flow. */
  create(
    caller: FlowCaller,
    start: CallerStart,
    begun: ReturnType<FlowKindRules<K>["again"]>,
  ): Promise<CreatedFlow> {
    const { client, returnTo, clientData, oauth2 } = start;
    return this.#deps.engine.create(caller, this.view, { client, returnTo, clientData, oauth2, ...begun });
  }

  /** Begins the flow that an opened link leads to, with what the flow that holds the link was begun for. Throws LINK_INVALID. */
  async createByLink(
    caller: FlowCaller,
    challenges: Challenges,
    start: CallerStart & { readonly linkToken: string },
    {
      purposeOf = (purpose) => purpose,
      stateOf = (state) => state,
    }: {
      readonly purposeOf?: (purpose: K["Purpose"]) => K["Purpose"];
      /** Where the flow begins, by what the flow that holds the link is. Default: with the click that uses the link. */
      readonly stateOf?: (state: Confirming, parent: FlowRecord) => K["State"];
    } = {},
  ): Promise<CreatedFlow> {
    const { tenant } = caller;
    const { state, parent } = await challenges.open(tenant, this.#rules.kind, start.linkToken);
    const purpose = purposeOf(own<K>(parent).data.purpose);
    this.#rules.assertOpen?.(tenant, purpose);
    const { identityId } = state.target;
    const begun = { purpose, state: stateOf(state, parent), identityId };
    const { oauth2 } = parent.data;
    if (oauth2 === undefined) {
      return this.create(caller, { ...start, returnTo: start.returnTo || parent.returnTo }, begun);
    }
    // Security rule (SR-OAUTH-2): the request of an OAuth2 server is answered in the browser that came with it. A link that is opened in
    // another one signs in there, and no more.
    const isSame = this.#deps.access.isBrowserOf(caller, parent);
    return this.create(caller, isSame ? { ...start, oauth2 } : start, begun);
  }

  /** The flow as its holder sees it, or a fresh one in its place. */
  show(caller: FlowCaller, flowId: string, { flow }: ReadFlow): Promise<FlowFound> {
    return this.#deps.engine.show(caller, this.view, flowId, flow);
  }

  /** Takes a step. `found`: the flow as it was read. `attempt`: what the step is tried with beside the flow. */
  async submit<Submission extends FlowSubmission & { readonly step: SubmittedStep }>(
    caller: FlowCaller,
    submitted: Submission | FilledForm,
    found: FlowRecord | undefined,
    attempt: (submission: Submission, flow: RecordOf<K>) => K["Attempt"],
  ): Promise<FlowOutcome | K["Done"]> {
    const { tenant } = caller;
    // Not before the caller has shown that the flow is theirs.
    const { record } = this.#deps.access.hold(caller, found);
    this.#rules.assertOpen?.(tenant, own<K>(record).data.purpose);
    const entered = await this.#deps.engine.enter(caller, this.view, found, submitted);
    if (entered.kind !== "entered") return entered;
    const flow = own<K>(entered.record);
    const submission = submissionOf(submitted, () => this.view.form(tenant, flow).nodes) as Submission;
    const { flowId, step } = submission;
    const common = { caller, tenant, flow, flowId, step, state: flow.data.state };
    return this.#deps.engine.take<K>(this.#rules.table, this.view, {
      ...common,
      ...attempt(submission, flow),
    } as AttemptOf<K>);
  }
}

/** A flow of a kind, which the row says. */
export function own<K extends KindTypes>(flow: FlowRecord): RecordOf<K> {
  return flow as RecordOf<K>;
}
