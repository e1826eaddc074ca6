import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  RegistrationService as Contract,
  CreateRegistrationFlowRequest,
  GetRegistrationFlowRequest,
  SubmitRegistrationFlowRequest,
} from "../../../gen/ostiary/flow/v1/registration_service_pb.js";
import type { RegistrationFlows } from "../../domain/flow/registration-flows.ts";
import { callOf } from "./call.ts";
import { fromStruct } from "./convert/common.ts";
import { fromClient, toFlow } from "./convert/flow.ts";
import { toIdentityProfile } from "./convert/identity.ts";
import {
  acceptCreated,
  flowCallerOf,
  handOverDevice,
  handOverSession,
  stepOf,
  toContinueWith,
  toOutcome,
} from "./flow-caller.ts";

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

  async getRegistrationFlow(request: GetRegistrationFlowRequest, context: HandlerContext) {
    const flow = await this.#flows.get(flowCallerOf(callOf(context)), request.flowId);
    return { flow: toFlow(flow) };
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
    if (outcome.kind !== "completed") return { outcome: toOutcome(call, outcome) };
    const { identity, returnTo = "", verification } = outcome.completed;
    const value = {
      ...(await handOverSession(call, outcome.completed)),
      ...handOverDevice(call, outcome.completed),
      identity: toIdentityProfile(identity),
      returnTo,
      continueWith: toContinueWith({ verification }),
    };
    return { outcome: { case: "completed" as const, value } };
  }
}
