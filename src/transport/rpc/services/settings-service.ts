import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type SettingsService as Contract,
  type CreateSettingsFlowRequest,
  type SubmitSettingsFlowRequest,
  SubmitSettingsFlowResponseSchema,
} from "../../../../gen/ostiary/flow/v1/settings_service_pb.js";
import type { SettingsFlows } from "../../../domain/flow/settings/settings-flows.ts";
import { toClientData } from "../../../domain/flow/shared/client-data.ts";
import { callOf } from "../call.ts";
import { fromStruct } from "../convert/common.ts";
import { fromClient, toFlow } from "../convert/flow.ts";
import { acceptCreated, answerSettings } from "./flow-answer.ts";
import { type FlowSubmits, stepOf } from "./flow-submits.ts";

/** ostiary.flow.v1.SettingsService. */
export class SettingsService implements ServiceImpl<typeof Contract> {
  readonly #deps: { flows: SettingsFlows; submits: FlowSubmits };

  constructor(deps: { flows: SettingsFlows; submits: FlowSubmits }) {
    this.#deps = deps;
  }

  async createSettingsFlow(request: CreateSettingsFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const created = await this.#deps.flows.create(call, {
      client: fromClient(request.client),
      returnTo: request.returnTo,
      clientData: toClientData(fromStruct(request.clientData)),
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async submitSettingsFlow(request: SubmitSettingsFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    return this.#deps.submits.run(
      call,
      request,
      SubmitSettingsFlowResponseSchema,
      (submission) =>
        this.#deps.flows.submit(call, {
          ...submission,
          traits: fromStruct(request.traits) ?? {},
          traitsEtag: request.traitsEtag,
          step: stepOf(request.step),
        }),
      (outcome, profileOf) => answerSettings(call, outcome, profileOf),
    );
  }
}
