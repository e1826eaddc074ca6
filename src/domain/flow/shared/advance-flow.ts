import { domainError } from "../../errors.ts";
import type { Tenant } from "../../tenant/tenant.ts";
import type { FlowRecord } from "./flow.ts";
import type { FlowAdvance, FlowStore } from "./store.ts";

/** Moves a flow on, and gives it as it is then. One round trip. Throws FLOW_CHANGED if another submit was first. */
export async function advanceFlow(
  flows: FlowStore,
  tenant: Tenant,
  flow: FlowRecord,
  advance: Pick<FlowAdvance, "data" | "identityId"> & Partial<FlowAdvance>,
): Promise<FlowRecord> {
  const { data, identityId, challenge, consumes, messages = [], events = [] } = advance;
  const held = { digest: flow.digest, revision: flow.revision };
  const written = { data, identityId, challenge, consumes, messages, events };
  if (!(await flows.advance({ tenantId: tenant.id }, held, written))) throw domainError("FLOW_CHANGED", {});
  return { ...flow, revision: flow.revision + 1, data, challenge, identityId };
}
