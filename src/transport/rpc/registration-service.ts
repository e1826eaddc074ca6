import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  RegistrationService as Contract,
  CreateRegistrationFlowRequest,
  SubmitRegistrationFlowRequest,
} from "../../../gen/ostiary/flow/v1/registration_service_pb.js";
import type { RegistrationFlows } from "../../domain/flow/registration-flows.ts";
import { callOf } from "./call.ts";
import { fromStruct } from "./convert/common.ts";
import { fromClient, toFlow } from "./convert/flow.ts";
import { answerSignIn } from "./flow-answer.ts";
import { acceptCreated, flowCallerOf, stepOf } from "./flow-caller.ts";

/** ostiary.flow.v1.RegistrationService. */
export class RegistrationService implements ServiceImpl<typeof Contract> {
  readonly #flows: RegistrationFlows;

  constructor({ flows }: { flows: RegistrationFlows }) {
    this.#flows = flows;
  }

  async createRegistrationFlow(request: CreateRegistrationFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const created = await this.#flows.create(flowCallerOf(call), {
      client: fromClient(request.client),
      returnTo: request.returnTo,
      schemaId: request.schemaId,
      linkToken: request.linkToken,
      invitationToken: request.invitationToken,
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async submitRegistrationFlow(request: SubmitRegistrationFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const { flowId, csrfToken } = request;
    const outcome = await this.#flows.submit(flowCallerOf(call), {
      flowId,
      csrfToken,
      traits: fromStruct(request.traits) ?? {},
      step: stepOf(request.step),
    });
    return answerSignIn(call, outcome);
  }
}
