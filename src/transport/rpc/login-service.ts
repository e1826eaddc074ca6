import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  LoginService as Contract,
  CreateLoginFlowRequest,
  GetLoginFlowRequest,
  SubmitLoginFlowRequest,
} from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import type { LoginFlows } from "../../domain/flow/login-flows.ts";
import { callOf } from "./call.ts";
import { fromClient, toFlow } from "./convert/flow.ts";
import { toIdentityProfile } from "./convert/identity.ts";
import {
  acceptCreated,
  flowCallerOf,
  handOverDevice,
  handOverSession,
  stepOf,
  toOutcome,
} from "./flow-caller.ts";

/** ostiary.flow.v1.LoginService. */
export class LoginService implements ServiceImpl<typeof Contract> {
  readonly #flows: LoginFlows;

  constructor({ flows }: { flows: LoginFlows }) {
    this.#flows = flows;
  }

  async createLoginFlow(request: CreateLoginFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const created = await this.#flows.create(flowCallerOf(call), {
      client: fromClient(request.client),
      returnTo: request.returnTo,
      refresh: request.refresh,
      linkToken: request.linkToken,
    });
    return { flow: toFlow(acceptCreated(call, created)) };
  }

  async getLoginFlow(request: GetLoginFlowRequest, context: HandlerContext) {
    const flow = await this.#flows.get(flowCallerOf(callOf(context)), request.flowId);
    return { flow: toFlow(flow) };
  }

  async submitLoginFlow(request: SubmitLoginFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const { flowId, csrfToken } = request;
    const outcome = await this.#flows.submit(flowCallerOf(call, request.deviceToken), {
      flowId,
      csrfToken,
      identifier: request.identifier,
      step: stepOf(request.step),
    });
    if (outcome.kind === "redirect") {
      return {
        outcome: { case: "redirect" as const, value: { url: outcome.url, flow: toFlow(outcome.flow) } },
      };
    }
    if (outcome.kind !== "completed") return { outcome: toOutcome(call, outcome) };
    const { identity, returnTo = "" } = outcome.completed;
    const value = {
      ...(await handOverSession(call, outcome.completed)),
      ...handOverDevice(call, outcome.completed),
      identity: toIdentityProfile(identity),
      returnTo,
    };
    return { outcome: { case: "completed" as const, value } };
  }
}
