import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type RegistrationService as Contract,
  type CreateRegistrationFlowRequest,
  type SubmitRegistrationFlowRequest,
  SubmitRegistrationFlowResponseSchema,
} from "../../../../gen/ostiary/flow/v1/registration_service_pb.js";
import type { RegistrationFlows } from "../../../domain/flow/registration/registration-flows.ts";
import { toClientData } from "../../../domain/flow/shared/client-data.ts";
import { callOf } from "../call.ts";
import { fromStruct } from "../convert/common.ts";
import { fromClient, toFlow } from "../convert/flow.ts";
import { acceptCreated, answerSignIn } from "./flow-answer.ts";
import { type FlowSubmits, stepOf } from "./flow-submits.ts";

/** ostiary.flow.v1.RegistrationService. */
export class RegistrationService implements ServiceImpl<typeof Contract> {
  readonly #deps: { flows: RegistrationFlows; submits: FlowSubmits };

  constructor(deps: { flows: RegistrationFlows; submits: FlowSubmits }) {
    this.#deps = deps;
  }

  async createRegistrationFlow(request: CreateRegistrationFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const created = await this.#deps.flows.create(call, {
      client: fromClient(request.client),
      returnTo: request.returnTo,
      clientData: toClientData(fromStruct(request.clientData)),
      schemaId: request.schemaId,
      linkToken: request.linkToken,
      invitationToken: request.invitationToken,
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async submitRegistrationFlow(request: SubmitRegistrationFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    return this.#deps.submits.run(
      call,
      request,
      SubmitRegistrationFlowResponseSchema,
      (submission) =>
        this.#deps.flows.submit(call, {
          ...submission,
          traits: fromStruct(request.traits) ?? {},
          step: stepOf(request.step),
        }),
      (outcome, profileOf) => answerSignIn(call, outcome, profileOf),
    );
  }
}
