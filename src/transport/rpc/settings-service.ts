import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  SettingsService as Contract,
  CreateSettingsFlowRequest,
  SubmitSettingsFlowRequest,
} from "../../../gen/ostiary/flow/v1/settings_service_pb.js";
import type { SettingsFlows } from "../../domain/flow/settings-flows.ts";
import { callOf } from "./call.ts";
import { fromStruct } from "./convert/common.ts";
import { fromClient, toFlow } from "./convert/flow.ts";
import { answerSettings } from "./flow-answer.ts";
import { acceptCreated, flowCallerOf, stepOf } from "./flow-caller.ts";

/** ostiary.flow.v1.SettingsService. */
export class SettingsService implements ServiceImpl<typeof Contract> {
  readonly #flows: SettingsFlows;

  constructor({ flows }: { flows: SettingsFlows }) {
    this.#flows = flows;
  }

  async createSettingsFlow(request: CreateSettingsFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const created = await this.#flows.create(flowCallerOf(call), {
      client: fromClient(request.client),
      returnTo: request.returnTo,
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async submitSettingsFlow(request: SubmitSettingsFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const { flowId, csrfToken } = request;
    const outcome = await this.#flows.submit(flowCallerOf(call), {
      flowId,
      csrfToken,
      traits: fromStruct(request.traits) ?? {},
      step: stepOf(request.step),
    });
    return answerSettings(call, outcome);
  }
}
