import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type LoginService as Contract,
  type CreateLoginFlowRequest,
  LoginPurpose as ProtoLoginPurpose,
  type SubmitLoginFlowRequest,
  SubmitLoginFlowResponseSchema,
} from "../../../../gen/ostiary/flow/v1/login_service_pb.js";
import type { LoginFlows, LoginStart } from "../../../domain/flow/login/login-flows.ts";
import type { OAuth2Flows } from "../../../domain/flow/oauth2/oauth2-flows.ts";
import { toClientData } from "../../../domain/flow/shared/client-data.ts";
import { callOf } from "../call.ts";
import { fromStruct } from "../convert/common.ts";
import { fromDemands } from "../convert/demand.ts";
import { fromClient, toFlow } from "../convert/flow.ts";
import { acceptCreated, answerBegun, answerSignIn } from "./flow-answer.ts";
import { type FlowSubmits, stepOf } from "./flow-submits.ts";

interface Deps {
  readonly flows: LoginFlows;
  readonly oauth2: OAuth2Flows;
  readonly submits: FlowSubmits;
}

/** ostiary.flow.v1.LoginService. */
export class LoginService implements ServiceImpl<typeof Contract> {
  readonly #deps: Deps;

  constructor(deps: Deps) {
    this.#deps = deps;
  }

  async createLoginFlow(request: CreateLoginFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const { flows, oauth2 } = this.#deps;
    const client = fromClient(request.client);
    const clientData = toClientData(fromStruct(request.clientData));
    if (request.loginChallenge !== "") {
      const begun = await oauth2.beginLogin(call, request.loginChallenge, { client, clientData });
      return answerBegun(call, begun);
    }
    const created = await flows.create(call, {
      client,
      returnTo: request.returnTo,
      clientData,
      purpose: fromPurpose(request.purpose),
      demands: fromDemands(request.demands),
      linkToken: request.linkToken,
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async submitLoginFlow(request: SubmitLoginFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    call.deviceToken = request.deviceToken;
    return this.#deps.submits.run(
      call,
      request,
      SubmitLoginFlowResponseSchema,
      (submission) =>
        this.#deps.flows.submit(call, {
          ...submission,
          identifier: request.identifier,
          traits: fromStruct(request.traits) ?? {},
          step: stepOf(request.step),
        }),
      (outcome, profileOf) => answerSignIn(call, outcome, profileOf),
    );
  }
}

/** The purpose of a login; unspecified: to sign in. */
function fromPurpose(purpose: ProtoLoginPurpose): LoginStart["purpose"] {
  if (purpose === ProtoLoginPurpose.REFRESH) return "refresh";
  return purpose === ProtoLoginPurpose.STEP_UP ? "step_up" : "sign_in";
}
