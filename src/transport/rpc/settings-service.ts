import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  SettingsService as Contract,
  CreateSettingsFlowRequest,
  GetSettingsFlowRequest,
  SubmitSettingsFlowRequest,
} from "../../../gen/ostiary/flow/v1/settings_service_pb.js";
import type { SettingsFlows } from "../../domain/flow/settings-flows.ts";
import { callOf } from "./call.ts";
import { fromStruct, toTimestamp } from "./convert/common.ts";
import { fromClient, toFlow } from "./convert/flow.ts";
import { toIdentityProfile } from "./convert/identity.ts";
import {
  acceptCreated,
  flowCallerOf,
  handOverSession,
  stepOf,
  toLoginRequired,
  toOutcome,
} from "./flow-caller.ts";

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

  async getSettingsFlow(request: GetSettingsFlowRequest, context: HandlerContext) {
    const flow = await this.#flows.get(flowCallerOf(callOf(context)), request.flowId);
    return { flow: toFlow(flow) };
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
    if (outcome.kind === "saved") {
      const value = { flow: toFlow(outcome.flow), identity: toIdentityProfile(outcome.identity) };
      return { outcome: { case: "saved" as const, value } };
    }
    if (outcome.kind === "login_required") return { outcome: toLoginRequired(call, outcome) };
    if (outcome.kind === "deletion_scheduled") {
      const { client, deleteAt, returnTo = "" } = outcome;
      if (client === "browser") await call.browser.clear();
      const value = { deleteTime: toTimestamp(deleteAt), returnTo };
      return { outcome: { case: "deletionScheduled" as const, value } };
    }
    if (outcome.kind !== "completed") return { outcome: toOutcome(call, outcome) };
    const { identity, session, returnTo = "" } = outcome.completed;
    const value = {
      ...(await handOverSession(call, session)),
      identity: toIdentityProfile(identity),
      returnTo,
    };
    return { outcome: { case: "completed" as const, value } };
  }
}
