// SPDX-License-Identifier: Apache-2.0
import { ClientKind, type Flow } from "../../../gen/ostiary/flow/v1/flow_pb.js";

/** Thrown for a flow that was made for another kind of client than the one that is to go on with it. */
export class FlowClientError extends Error {
  override readonly name = "FlowClientError";
}

/**
 * Refuses a flow of another kind of client. Security rule (SR-FLOW-3): a page goes on with browser flows alone. A native flow is bound to no
 * browser: a link with its id would have people fill in a flow that the sender completes.
 */
export function assertFlowClient(flow: Flow, expected: ClientKind = ClientKind.BROWSER): void {
  if (flow.client === expected) return;
  const nameOf = (client: ClientKind) => ClientKind[client] ?? "UNSPECIFIED";
  throw new FlowClientError(
    `the flow is one of CLIENT_KIND_${nameOf(flow.client)}, and this page goes on with those of CLIENT_KIND_${nameOf(expected)}`,
  );
}
