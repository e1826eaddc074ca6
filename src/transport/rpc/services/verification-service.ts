import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type VerificationService as Contract,
  type CreateVerificationFlowRequest,
  type SubmitVerificationFlowRequest,
  SubmitVerificationFlowResponseSchema,
} from "../../../../gen/ostiary/flow/v1/verification_service_pb.js";
import { toClientData } from "../../../domain/flow/shared/client-data.ts";
import type { VerificationFlows } from "../../../domain/flow/verification/verification-flows.ts";
import { callOf } from "../call.ts";
import { fromStruct } from "../convert/common.ts";
import { fromClient, toFlow } from "../convert/flow.ts";
import { acceptCreated, answerVerification } from "./flow-answer.ts";
import { type FlowSubmits, stepOf } from "./flow-submits.ts";

/** ostiary.flow.v1.VerificationService. */
export class VerificationService implements ServiceImpl<typeof Contract> {
  readonly #deps: { flows: VerificationFlows; submits: FlowSubmits };

  constructor(deps: { flows: VerificationFlows; submits: FlowSubmits }) {
    this.#deps = deps;
  }

  async createVerificationFlow(request: CreateVerificationFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const created = await this.#deps.flows.create(call, {
      client: fromClient(request.client),
      returnTo: request.returnTo,
      clientData: toClientData(fromStruct(request.clientData)),
      linkToken: request.linkToken,
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async submitVerificationFlow(request: SubmitVerificationFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    call.deviceToken = request.deviceToken;
    return this.#deps.submits.run(
      call,
      request,
      SubmitVerificationFlowResponseSchema,
      (submission) =>
        this.#deps.flows.submit(call, {
          ...submission,
          address: request.address,
          step: stepOf(request.step),
        }),
      (outcome) => answerVerification(call, outcome),
    );
  }
}
