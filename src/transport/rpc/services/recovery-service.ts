import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type RecoveryService as Contract,
  type CreateRecoveryFlowRequest,
  type SubmitRecoveryFlowRequest,
  SubmitRecoveryFlowResponseSchema,
} from "../../../../gen/ostiary/flow/v1/recovery_service_pb.js";
import type { RecoveryFlows } from "../../../domain/flow/recovery/recovery-flows.ts";
import { toClientData } from "../../../domain/flow/shared/client-data.ts";
import { callOf } from "../call.ts";
import { fromStruct } from "../convert/common.ts";
import { fromClient, toFlow } from "../convert/flow.ts";
import { acceptCreated, answerRecovery } from "./flow-answer.ts";
import { type FlowSubmits, stepOf } from "./flow-submits.ts";

/** ostiary.flow.v1.RecoveryService. */
export class RecoveryService implements ServiceImpl<typeof Contract> {
  readonly #deps: { flows: RecoveryFlows; submits: FlowSubmits };

  constructor(deps: { flows: RecoveryFlows; submits: FlowSubmits }) {
    this.#deps = deps;
  }

  async createRecoveryFlow(request: CreateRecoveryFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const created = await this.#deps.flows.create(call, {
      client: fromClient(request.client),
      returnTo: request.returnTo,
      clientData: toClientData(fromStruct(request.clientData)),
      linkToken: request.linkToken,
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async submitRecoveryFlow(request: SubmitRecoveryFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    call.deviceToken = request.deviceToken;
    return this.#deps.submits.run(
      call,
      request,
      SubmitRecoveryFlowResponseSchema,
      (submission) =>
        this.#deps.flows.submit(call, {
          ...submission,
          address: request.address,
          step: stepOf(request.step),
        }),
      (outcome, profileOf) => answerRecovery(call, outcome, profileOf),
    );
  }
}
