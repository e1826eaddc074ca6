import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  RecoveryService as Contract,
  CreateRecoveryFlowRequest,
  SubmitRecoveryFlowRequest,
} from "../../../gen/ostiary/flow/v1/recovery_service_pb.js";
import type { RecoveryFlows } from "../../domain/flow/recovery-flows.ts";
import { callOf } from "./call.ts";
import { fromClient, toFlow } from "./convert/flow.ts";
import { answerRecovery } from "./flow-answer.ts";
import { acceptCreated, flowCallerOf, stepOf } from "./flow-caller.ts";

/** ostiary.flow.v1.RecoveryService. */
export class RecoveryService implements ServiceImpl<typeof Contract> {
  readonly #flows: RecoveryFlows;

  constructor({ flows }: { flows: RecoveryFlows }) {
    this.#flows = flows;
  }

  async createRecoveryFlow(request: CreateRecoveryFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const created = await this.#flows.create(flowCallerOf(call), {
      client: fromClient(request.client),
      returnTo: request.returnTo,
      linkToken: request.linkToken,
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async submitRecoveryFlow(request: SubmitRecoveryFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const { flowId, csrfToken } = request;
    const outcome = await this.#flows.submit(flowCallerOf(call, request.deviceToken), {
      flowId,
      csrfToken,
      address: request.address,
      step: stepOf(request.step),
    });
    return answerRecovery(call, outcome);
  }
}
