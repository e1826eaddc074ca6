import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  VerificationService as Contract,
  CreateVerificationFlowRequest,
  SubmitVerificationFlowRequest,
} from "../../../gen/ostiary/flow/v1/verification_service_pb.js";
import type { VerificationFlows } from "../../domain/flow/verification-flows.ts";
import { callOf } from "./call.ts";
import { fromClient, toFlow } from "./convert/flow.ts";
import { answerVerification } from "./flow-answer.ts";
import { acceptCreated, flowCallerOf, stepOf } from "./flow-caller.ts";

/** ostiary.flow.v1.VerificationService. */
export class VerificationService implements ServiceImpl<typeof Contract> {
  readonly #flows: VerificationFlows;

  constructor({ flows }: { flows: VerificationFlows }) {
    this.#flows = flows;
  }

  async createVerificationFlow(request: CreateVerificationFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const created = await this.#flows.create(flowCallerOf(call), {
      client: fromClient(request.client),
      returnTo: request.returnTo,
      linkToken: request.linkToken,
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async submitVerificationFlow(request: SubmitVerificationFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const { flowId, csrfToken } = request;
    const outcome = await this.#flows.submit(flowCallerOf(call, request.deviceToken), {
      flowId,
      csrfToken,
      address: request.address,
      step: stepOf(request.step),
    });
    return answerVerification(call, outcome);
  }
}
