// SPDX-License-Identifier: Apache-2.0
import type { Flow } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import type { Node } from "../../../gen/ostiary/flow/v1/form_pb.js";
import type {
  LoginCompleted,
  SubmitLoginFlowResponse,
} from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import type {
  RegistrationCompleted,
  SubmitRegistrationFlowResponse,
} from "../../../gen/ostiary/flow/v1/registration_service_pb.js";
import type { Ostiary } from "./client.ts";
import { keepTyped } from "./form/keep-typed.ts";
import { formDataToRequest, type SubmitRequest } from "./form-data.ts";

/** What came of a submit, for a page that draws any kind of flow. */
export type SubmitOutcome =
  /** It worked. Go on to `completed.returnTo`, or keep `completed.sessionToken` in a native client. */
  | { readonly kind: "completed"; readonly completed: LoginCompleted | RegistrationCompleted }
  /** Something was not accepted: draw the flow again, with its messages. `reason` is for programs. */
  | { readonly kind: "rejected"; readonly reason: string; readonly flow: Flow }
  /** It came too late: draw this fresh flow instead. It holds what was typed, except secrets. */
  | { readonly kind: "expired"; readonly flow: Flow };

/**
 * Submits a filled-in HTML form, whatever its flow is for: `formDataToRequest`, the method that fits, and its
 * answer in one shape. Throws what these throw; a wrong password is an outcome, not an error.
 */
export async function submit(
  ostiary: Pick<Ostiary, "login" | "registration">,
  flow: Flow,
  data: FormData,
  pressed: Node | string,
): Promise<SubmitOutcome> {
  const { outcome } = await send(ostiary, formDataToRequest(flow, data, pressed));
  switch (outcome.case) {
    case "completed":
      return { kind: "completed", completed: outcome.value };
    case "rejected":
      return { kind: "rejected", reason: outcome.value.reason, flow: outcome.value.flow ?? flow };
    case "expired":
      if (outcome.value.replacement === undefined) break;
      return { kind: "expired", flow: keepTyped(outcome.value.replacement, data) };
    case undefined:
      break;
    default: {
      const unreachable: never = outcome;
      return unreachable;
    }
  }
  throw new Error("the server's answer is newer than this version of @ostiary/sdk: update it");
}

function send(
  ostiary: Pick<Ostiary, "login" | "registration">,
  request: SubmitRequest,
): Promise<SubmitLoginFlowResponse | SubmitRegistrationFlowResponse> {
  switch (request.$typeName) {
    case "ostiary.flow.v1.SubmitLoginFlowRequest":
      return ostiary.login.submitLoginFlow(request);
    case "ostiary.flow.v1.SubmitRegistrationFlowRequest":
      return ostiary.registration.submitRegistrationFlow(request);
    default: {
      const unreachable: never = request;
      return unreachable;
    }
  }
}
