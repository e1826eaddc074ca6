import { create } from "@bufbuild/protobuf";
import type { HandlerContext, ServiceImpl } from "@connectrpc/connect";
import {
  type FlowService as Contract,
  type GetFlowRequest,
  type GetTenantProfileRequest,
  GetTenantProfileResponseSchema,
  type SubmitFormRequest,
  SubmitFormResponseSchema,
} from "../../../../gen/ostiary/flow/v1/flow_service_pb.js";
import type { AnyFlows, FormOutcome } from "../../../domain/flow/any-flows.ts";
import type { TenantProfile, TenantProfiles } from "../../../domain/flow/tenant-profiles.ts";
import { callOf } from "../call.ts";
import { toFlow } from "../convert/flow.ts";
import { toTenantProfile } from "../convert/tenant-profile.ts";
import { fromValues } from "../convert/value.ts";
import { SharedAnswer, share } from "../unary/shared-answer.ts";
import { acceptCreated, answerForm, type FreshForm } from "./flow-answer.ts";
import type { FlowSubmits } from "./flow-submits.ts";

/** How long a page may use a cached profile. It only changes with a restart. */
const profileMaxAgeSeconds = 300;

/** ostiary.flow.v1.FlowService. */
export class FlowService implements ServiceImpl<typeof Contract> {
  readonly #deps: { flows: AnyFlows; profiles: TenantProfiles; submits: FlowSubmits };
  readonly #answers = new WeakMap<TenantProfile, SharedAnswer<typeof GetTenantProfileResponseSchema>>();

  constructor(deps: { flows: AnyFlows; profiles: TenantProfiles; submits: FlowSubmits }) {
    this.#deps = deps;
  }

  async getFlow({ flowId }: GetFlowRequest, context: HandlerContext) {
    const call = callOf(context);
    const found = await this.#deps.flows.get(call, flowId);
    return found.kind === "found"
      ? { flow: toFlow(found.flow), replaced: false }
      : { flow: toFlow(acceptCreated(call, found.replacement)), replaced: true };
  }

  async submitForm(request: SubmitFormRequest, context: HandlerContext) {
    const call = callOf(context);
    const { step: pressed, traitsEtag } = request;
    const values = fromValues(request.values);
    call.deviceToken = request.deviceToken;
    let kind: FormOutcome["kind"] = "login";
    return this.#deps.submits.run(
      call,
      request,
      SubmitFormResponseSchema,
      async (submission) => {
        const form = await this.#deps.flows.submit(call, { ...submission, pressed, values, traitsEtag });
        kind = form.kind;
        return form.outcome;
      },
      (outcome, profileOf) => answerForm(call, { kind, outcome } as FreshForm, profileOf),
    );
  }

  getTenantProfile(_request: GetTenantProfileRequest, context: HandlerContext) {
    const profile = this.#deps.profiles.of(callOf(context).tenant);
    let answer = this.#answers.get(profile);
    if (answer === undefined) {
      const message = create(GetTenantProfileResponseSchema, { profile: toTenantProfile(profile) });
      answer = new SharedAnswer(GetTenantProfileResponseSchema, message, profileMaxAgeSeconds);
      this.#answers.set(profile, answer);
    }
    return share(context, answer);
  }
}
