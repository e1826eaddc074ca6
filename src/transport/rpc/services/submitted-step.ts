import type { CreatedFlow, Flow, FlowCaller } from "../../../domain/flow/shared/flow.ts";
import type { SubmittedStep } from "../../../domain/form/submission.ts";
import { browserCookie } from "../../net/cookies.ts";
import type { Call } from "../call.ts";

/** The call, as the flows' rules see it. `deviceToken` is a native client's; empty if it has none. */
export function flowCallerOf(call: Call, deviceToken = ""): FlowCaller {
  call.deviceToken = deviceToken;
  return call;
}

/** The step that was submitted: the name of the field that is set, and the fields within. */
export function stepOf(step: { case: string | undefined; value?: object }): SubmittedStep {
  if (step.case === undefined) throw new Error("validation lets no request without a step through");
  const { $typeName: _name, ...fields } = { $typeName: "", ...step.value };
  return { name: step.case, fields };
}

/** Sets the browser cookie where one was made for the flow, and gives the flow. */
export function acceptCreated(call: Call, { flow, newBrowserToken }: CreatedFlow): Flow {
  if (newBrowserToken !== undefined) call.setCookie(browserCookie(call.tenant, newBrowserToken.reveal()));
  return flow;
}
