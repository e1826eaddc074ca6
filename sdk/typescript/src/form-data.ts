// SPDX-License-Identifier: Apache-2.0
import { type DescMessage, fromJson, type MessageShape } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import { type Flow, FlowKind } from "../../../gen/ostiary/flow/v1/flow_pb.js";
import { type FormNode, InputType } from "../../../gen/ostiary/flow/v1/form_pb.js";
import {
  type SubmitLoginFlowRequest,
  SubmitLoginFlowRequestSchema,
} from "../../../gen/ostiary/flow/v1/login_service_pb.js";
import {
  type SubmitRecoveryFlowRequest,
  SubmitRecoveryFlowRequestSchema,
} from "../../../gen/ostiary/flow/v1/recovery_service_pb.js";
import {
  type SubmitRegistrationFlowRequest,
  SubmitRegistrationFlowRequestSchema,
} from "../../../gen/ostiary/flow/v1/registration_service_pb.js";
import {
  type SubmitSettingsFlowRequest,
  SubmitSettingsFlowRequestSchema,
} from "../../../gen/ostiary/flow/v1/settings_service_pb.js";
import {
  type SubmitVerificationFlowRequest,
  SubmitVerificationFlowRequestSchema,
} from "../../../gen/ostiary/flow/v1/verification_service_pb.js";
import { JsonTree, parseNodeName } from "./form-path.ts";
import { setTraits, type TraitInput } from "./form-traits.ts";
import { valueOfInput } from "./form-value.ts";

/** The request of a Submit method; `$typeName` tells which. */
export type SubmitRequest =
  | SubmitLoginFlowRequest
  | SubmitRegistrationFlowRequest
  | SubmitVerificationFlowRequest
  | SubmitRecoveryFlowRequest
  | SubmitSettingsFlowRequest;

const schemas = {
  [FlowKind.LOGIN]: SubmitLoginFlowRequestSchema,
  [FlowKind.REGISTRATION]: SubmitRegistrationFlowRequestSchema,
  [FlowKind.VERIFICATION]: SubmitVerificationFlowRequestSchema,
  [FlowKind.RECOVERY]: SubmitRecoveryFlowRequestSchema,
  [FlowKind.SETTINGS]: SubmitSettingsFlowRequestSchema,
};

/**
 * Turns a filled-in HTML form into the request that submits a flow: the fields that every step sends, and those of
 * the pressed button's step. `pressed` is the button's node or the name of its step. A fourth argument, the
 * schema of the request, gives its type to a page that knows which kind of flow it draws.
 *
 * Only what the flow's form offers is read from the data; everything else in it is ignored. Values get the types that
 * their nodes ask for: numbers are numbers, options are what they were on the server. What was left empty is left out.
 *
 * Of traits only what changed is sent, as the merge patch that the server takes: a field that was emptied is null, a box whose
 * tick was taken away is false, a list of which an item changed is sent whole, without those that were emptied, so `[]` when
 * the last one went. A box that had no value and gets no tick is false if it is required, and else left out. A form that
 * nobody touched changes nothing, whatever browsers make of values that their controls cannot hold. Throws a TypeError if the
 * flow has no such button.
 */
export function formDataToRequest(flow: Flow, data: FormData, pressed: FormNode | string): SubmitRequest;
export function formDataToRequest<Request extends SubmitRequest>(
  flow: Flow,
  data: FormData,
  pressed: FormNode | string,
  schema: GenMessage<Request>,
): Request;
export function formDataToRequest(
  flow: Flow,
  data: FormData,
  pressed: FormNode | string,
  wanted?: GenMessage<SubmitRequest>,
): SubmitRequest {
  const schema = schemaOf(flow);
  if (wanted !== undefined && wanted.typeName !== schema.typeName) {
    throw new TypeError(`the flow is submitted with a ${schema.name}, not with a ${wanted.name}`);
  }
  return build(schema, flow, data, stepOf(flow, pressed));
}

function build<Desc extends DescMessage>(
  schema: Desc,
  flow: Flow,
  data: FormData,
  step: string,
): MessageShape<Desc> {
  const steps = stepsOf(schema);
  if (!steps.has(step)) {
    throw new TypeError(`the step "${step}" is newer than this version of @ostiary/sdk: update it`);
  }
  const tree = new JsonTree();
  tree.ensure(step);
  const traits: TraitInput[] = [];
  for (const node of flow.form?.nodes ?? []) {
    if (node.kind.case !== "input") continue;
    const path = parseNodeName(node.name);
    // A field of another step is not sent: of two methods on one page, only the chosen one gets a secret.
    if (path === undefined || (steps.has(path[0]) && path[0] !== step)) continue;
    const input = node.kind.value;
    const texts = data.getAll(node.name).filter((entry) => typeof entry === "string");
    const isTrait = path[0] === "traits" && path.length > 1 && input.type !== InputType.HIDDEN;
    if (isTrait) traits.push({ path, input, texts });
    else {
      const value = valueOfInput(input, texts);
      if (value !== undefined) tree.set(path, value);
    }
  }
  setTraits(tree, traits);
  // Set last, from the flow itself, so that no field of the page can put others in their place.
  tree.set(["flowId"], flow.id);
  tree.set(["csrfToken"], flow.csrfToken);
  // So that nothing is put back that was changed elsewhere since the form was drawn.
  if (flow.traitsEtag) tree.set(["traitsEtag"], flow.traitsEtag);
  // Fields that a newer server offers and this contract does not know are left out; it asks again if it needs them.
  return fromJson(schema, tree.toObject(), { ignoreUnknownFields: true });
}

function schemaOf(flow: Flow): GenMessage<SubmitRequest> {
  switch (flow.kind) {
    case FlowKind.LOGIN:
    case FlowKind.REGISTRATION:
    case FlowKind.VERIFICATION:
    case FlowKind.RECOVERY:
    case FlowKind.SETTINGS:
      return schemas[flow.kind];
    default:
      throw new TypeError(
        `flows of kind ${flow.kind} are newer than this version of @ostiary/sdk: update it`,
      );
  }
}

/** The steps that the request can have, by their JSON names. */
function stepsOf(schema: DescMessage): ReadonlySet<string> {
  const oneof = schema.oneofs.find((candidate) => candidate.name === "step");
  return new Set(oneof?.fields.map((field) => field.jsonName));
}

function stepOf(flow: Flow, pressed: FormNode | string): string {
  if (typeof pressed !== "string") {
    if (pressed.kind.case === "button") return pressed.kind.value.step;
    throw new TypeError(`the node "${pressed.name}" is not a button`);
  }
  const offered = (flow.form?.nodes ?? []).flatMap(({ kind }) =>
    kind.case === "button" ? [kind.value.step] : [],
  );
  if (!offered.includes(pressed)) {
    throw new TypeError(`the flow has no button for the step "${pressed}", only for: ${offered.join(", ")}`);
  }
  return pressed;
}
