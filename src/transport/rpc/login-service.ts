import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  LoginService as Contract,
  CreateLoginFlowRequest,
  SubmitLoginFlowRequest,
} from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import type { LoginFlows } from "../../domain/flow/login-flows.ts";
import { callOf } from "./call.ts";
import { fromClient, toFlow } from "./convert/flow.ts";
import { answerSignIn } from "./flow-answer.ts";
import { acceptCreated, flowCallerOf, stepOf } from "./flow-caller.ts";

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
      refresh: request.refresh,
      linkToken: request.linkToken,
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async submitLoginFlow(request: SubmitLoginFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const { flowId, csrfToken } = request;
    const outcome = await this.#flows.submit(flowCallerOf(call, request.deviceToken), {
      flowId,
      csrfToken,
      identifier: request.identifier,
      step: stepOf(request.step),
    });
    return answerSignIn(call, outcome);
  }
}
