import { metadataOf, reasonOf } from "@ostiary/sdk";
import { createFlow, type FlowName, getFlow } from "@ostiary/sdk/form";
import { Client, type Flow, FlowState } from "@ostiary/sdk/v1/flow";
import {
  clearFragment,
  flowIdInAddress,
  invitationTokenInAddress,
  keepFlowId,
  linkTokenInAddress,
  returnToInAddress,
} from "../navigation.ts";
import { ostiary } from "../ostiary.ts";

/** The flow that the address names if it can still be used, else a fresh one. */
export async function openFlow(name: FlowName): Promise<Flow> {
  const flow = (await findFlow(name, flowIdInAddress())) ?? (await freshFlow(name));
  keepFlowId(flow.id);
  return flow;
}

/** A fresh flow. */
export async function freshFlow(name: FlowName): Promise<Flow> {
  const start = {
    client: Client.BROWSER,
    returnTo: returnToInAddress(),
    linkToken: linkTokenInAddress(),
    invitationToken: invitationTokenInAddress(),
  };
  const flow = await createFlow(ostiary, name, start).catch((error: unknown) => {
    // A dead link or invitation stays dead: whoever tries again begins without it.
    const reason = reasonOf(error);
    if (reason === "LINK_INVALID" || reason === "INVITATION_INVALID") clearFragment();
    throw error;
  });
  keepFlowId(flow.id);
  return flow;
}

/** Whether a call was refused because the flow cannot be used any more, so that a fresh one goes on. */
export function isFlowGone(error: unknown): boolean {
  const reason = reasonOf(error);
  return reason !== undefined && gone.has(reason);
}

const gone: ReadonlySet<string> = new Set([
  "FLOW_NOT_FOUND",
  "FLOW_COMPLETED",
  "FLOW_EXPIRED",
  "FLOW_CLIENT_MISMATCH",
  "CSRF_TOKEN_MISSING",
  "CSRF_TOKEN_INVALID",
]);

async function findFlow(name: FlowName, flowId: string | undefined): Promise<Flow | undefined> {
  if (flowId === undefined) return undefined;
  try {
    const flow = await getFlow(ostiary, name, flowId);
    return flow.state === FlowState.ACTIVE ? flow : undefined;
  } catch (error) {
    if (!isFlowGone(error)) throw error;
    return findFlow(name, metadataOf(error).replacement_flow_id);
  }
}
