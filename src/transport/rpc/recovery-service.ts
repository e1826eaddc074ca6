import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  RecoveryService as Contract,
  CreateRecoveryFlowRequest,
  GetRecoveryFlowRequest,
  SubmitRecoveryFlowRequest,
} from "../../../gen/ostiary/flow/v1/recovery_service_pb.js";
import type { RecoveryFlows } from "../../domain/flow/recovery-flows.ts";
import { callOf } from "./call.ts";
import { fromClient, toFlow } from "./convert/flow.ts";
import {
  acceptCreated,
  flowCallerOf,
  handOverSession,
  stepOf,
  toContinueWith,
  toLoginRequired,
  toOutcome,
} from "./flow-caller.ts";

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

  async getRecoveryFlow(request: GetRecoveryFlowRequest, context: HandlerContext) {
    const flow = await this.#flows.get(flowCallerOf(callOf(context)), request.flowId);
    return { flow: toFlow(flow) };
  }

  async submitRecoveryFlow(request: SubmitRecoveryFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const { flowId, csrfToken } = request;
    const outcome = await this.#flows.submit(flowCallerOf(call, request.deviceToken), {
      flowId,
      csrfToken,
      address: request.address,
      addressId: request.addressId,
      step: stepOf(request.step),
    });
    if (outcome.kind === "login_required") return { outcome: toLoginRequired(call, outcome) };
    if (outcome.kind !== "completed") return { outcome: toOutcome(call, outcome) };
    const { settings, session } = outcome.completed;
    const value = {
      continueWith: toContinueWith({ settings }),
      ...(session !== undefined && (await handOverSession(call, session))),
    };
    return { outcome: { case: "completed" as const, value } };
  }
}
