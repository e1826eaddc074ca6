import type { Form } from "../../form/form.ts";
import type { JsonObject } from "../../json.ts";
import type { FlowKind } from "../../kinds.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { FlowAccount, FlowRecord, FlowStage } from "./flow.ts";
import type { FlowStart } from "./flow-engine.ts";
import type { Typed } from "./kept-outcome.ts";
import { type ContextOf, type FlowTable, type KindTypes, offeredSteps, stateRule } from "./table.ts";

/** What a kind of flow adds to the rules that all flows share. */
export interface FlowView {
  readonly kind: FlowKind;
  lifetimeMs(tenant: Tenant): number;
  /** Where an active flow stands. */
  stage(tenant: Tenant, flow: FlowRecord): FlowStage;
  /** The form of an active flow. If `typed` is given, it is filled in with that. */
  form(tenant: Tenant, flow: FlowRecord, typed?: Typed): Form;
  /** The start of the flow in the place of an expired one: what was filled in, nothing that was proven, and no secret. */
  again(tenant: Tenant, expired: FlowRecord): FlowStart;
  /** Whose account the flow changes, where its holder is shown that. */
  account?(flow: FlowRecord): FlowAccount | undefined;
  /** The etag of the traits that the form is drawn from. */
  traitsEtag?(flow: FlowRecord): string | undefined;
  /** The traits that were typed, without write-only traits. */
  readable(tenant: Tenant, flow: FlowRecord, traits: JsonObject): JsonObject;
}

/** What a flow's holder sees, by the table of its kind. `context`: what the rules know beside the flow. */
export function viewOf<K extends KindTypes>(
  table: FlowTable<K>,
  context: (tenant: Tenant, flow: FlowRecord) => ContextOf<K>,
  own: Omit<FlowView, "stage" | "form">,
): FlowView {
  return {
    ...own,
    stage: (tenant, flow) => {
      const seen = context(tenant, flow);
      const rule = stateRule(table, seen.state);
      return { kind: rule.stage, ...("facts" in rule && rule.facts(seen)) } as FlowStage;
    },
    form: (tenant, flow, typed = {}) => {
      const seen = context(tenant, flow);
      const rule = stateRule(table, seen.state);
      const nodes = offeredSteps(table, seen).flatMap((step) => step.nodes(seen, typed));
      return { messages: [], ...rule.texts(seen), nodes: [...(rule.nodes?.(seen, typed) ?? []), ...nodes] };
    },
  };
}
