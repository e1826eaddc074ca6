import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  RegistrationService as Contract,
  CreateRegistrationFlowRequest,
  GetRegistrationFlowRequest,
  SubmitRegistrationFlowRequest,
} from "../../../gen/ostiary/flow/v1/registration_service_pb.js";
import type { RegistrationFlows } from "../../domain/flow/registration-flows.ts";
import type { SubmittedStep } from "../../domain/method/method.ts";
import { callOf } from "./call.ts";
import { fromStruct } from "./convert/common.ts";
import { fromClient, toFlow } from "./convert/flow.ts";
import { acceptCreated, flowCallerOf, toOutcome } from "./flow-caller.ts";

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
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async getRegistrationFlow(request: GetRegistrationFlowRequest, context: HandlerContext) {
    const flow = await this.#flows.get(flowCallerOf(callOf(context)), request.flowId);
    return { flow: toFlow(flow) };
  }

  async submitRegistrationFlow(request: SubmitRegistrationFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const outcome = await this.#flows.submit(flowCallerOf(call), {
      flowId: request.flowId,
      csrfToken: request.csrfToken,
      traits: fromStruct(request.traits) ?? {},
      step: stepOf(request),
    });
    return { outcome: toOutcome(call, outcome) };
  }
}

function stepOf({ step }: SubmitRegistrationFlowRequest): SubmittedStep {
  switch (step.case) {
    case "password":
      return { method: "password", fields: { password: step.value.password } };
    case undefined:
      throw new Error("validation lets no request without a step through");
    default: {
      const unreachable: never = step;
      return unreachable;
    }
  }
}
