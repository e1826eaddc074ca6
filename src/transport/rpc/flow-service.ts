import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import type {
  FlowService as Contract,
  GetFlowRequest,
  SubmitFormRequest,
} from "../../../gen/ostiary/flow/v1/flow_service_pb.js";
import type { AnyFlows } from "../../domain/flow/any-flows.ts";
import { callOf } from "./call.ts";
import { toFlow } from "./convert/flow.ts";
import { fromValues } from "./convert/value.ts";
import { answerForm } from "./flow-answer.ts";
import { acceptCreated, flowCallerOf } from "./flow-caller.ts";

/** ostiary.flow.v1.FlowService. */
export class FlowService implements ServiceImpl<typeof Contract> {
  readonly #flows: AnyFlows;

  constructor({ flows }: { flows: AnyFlows }) {
    this.#flows = flows;
  }

  async getFlow({ flowId }: GetFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const found = await this.#flows.get(flowCallerOf(call), flowId);
    return found.kind === "found"
      ? { flow: toFlow(found.flow), replaced: false }
      : { flow: toFlow(acceptCreated(call, found.replacement)), replaced: true };
  }

  async submitForm(request: SubmitFormRequest, context: HandlerContext) {
    const call = callOf(context);
    const { flowId, csrfToken, step: pressed } = request;
    const values = fromValues(request.values);
    const caller = flowCallerOf(call, request.deviceToken);
    return answerForm(call, await this.#flows.submit(caller, { flowId, csrfToken, pressed, values }));
  }
}
