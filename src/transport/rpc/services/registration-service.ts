import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type RegistrationService as Contract,
  type CreateRegistrationFlowRequest,
  type SubmitRegistrationFlowRequest,
  SubmitRegistrationFlowResponseSchema,
} from "../../../../gen/ostiary/flow/v1/registration_service_pb.js";
import type { OAuth2Flows } from "../../../domain/flow/oauth2/oauth2-flows.ts";
import type { RegistrationFlows } from "../../../domain/flow/registration/registration-flows.ts";
import { toClientData } from "../../../domain/flow/shared/client-data.ts";
import { callOf } from "../call.ts";
import { fromStruct } from "../convert/common.ts";
import { fromClient, toFlow } from "../convert/flow.ts";
import { acceptCreated, answerBegun, answerSignIn } from "./flow-answer.ts";
import { type FlowSubmits, stepOf } from "./flow-submits.ts";

interface Deps {
  readonly flows: RegistrationFlows;
  readonly oauth2: OAuth2Flows;
  readonly submits: FlowSubmits;
}

/** ostiary.flow.v1.RegistrationService. */
export class RegistrationService implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async createRegistrationFlow(request: CreateRegistrationFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const { flows, oauth2 } = this.#deps;
    const start = {
      client: fromClient(request.client),
      returnTo: request.returnTo,
      clientData: toClientData(fromStruct(request.clientData)),
      schemaId: request.schemaId,
      linkToken: request.linkToken,
      invitationToken: request.invitationToken,
    };
    if (request.loginChallenge !== "") {
      return answerBegun(call, await oauth2.beginRegistration(call, request.loginChallenge, start));
    }
    const created = await flows.create(call, start);
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
