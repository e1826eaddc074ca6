import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  LoginService as Contract,
  CreateLoginFlowRequest,
  GetLoginFlowRequest,
  SubmitLoginFlowRequest,
} from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import type { LoginFlows } from "../../domain/flow/login-flows.ts";
import type { SubmittedStep } from "../../domain/method/method.ts";
import { callOf } from "./call.ts";
import { fromClient, toFlow } from "./convert/flow.ts";
import { acceptCreated, flowCallerOf, toOutcome } from "./flow-caller.ts";

/** ostiary.flow.v1.LoginService. */
export class LoginService implements ServiceImpl<typeof Contract> {
  readonly #flows: LoginFlows;

  constructor({ flows }: { flows: LoginFlows }) {
    this.#flows = flows;
  }

  async createLoginFlow(request: CreateLoginFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const created = await this.#flows.create(flowCallerOf(call), {
      client: fromClient(request.client),
      returnTo: request.returnTo,
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async getLoginFlow(request: GetLoginFlowRequest, context: HandlerContext) {
    const flow = await this.#flows.get(flowCallerOf(callOf(context)), request.flowId);
    return { flow: toFlow(flow) };
  }

  async submitLoginFlow(request: SubmitLoginFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const outcome = await this.#flows.submit(flowCallerOf(call), {
      flowId: request.flowId,
      csrfToken: request.csrfToken,
      identifier: request.identifier,
      deviceToken: request.deviceToken,
      step: stepOf(request),
    });
    return { outcome: toOutcome(call, outcome) };
  }
}

function stepOf({ step }: SubmitLoginFlowRequest): SubmittedStep {
  switch (step.case) {
    case "password":
      return { method: "password", fields: { password: step.value.password } };
    case undefined:
      throw new Error("validation lets no request without a step through");
    default: {
      const unreachable: never = step;
      return unreachable;
    }
  }
}
