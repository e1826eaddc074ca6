// SPDX-License-Identifier: Apache-2.0
import { fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Flow } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import { InputType, type Node } from "../../../../gen/ostiary/flow/v1/form_pb.js";
import { valueOfInput } from "../form-value.ts";
import { isSecret } from "./field.ts";

/**
 * A flow with what somebody had typed into the form of another one, `former`, so that nobody types it twice when a flow has
 * expired.
 *
 * Security rules: secrets (passwords, codes, hidden values) are not taken over. Nor is anything that was typed for one account
 * taken over into the form of another one, or into that of another kind of flow: in one browser somebody else may have
 * signed in meanwhile. The flow is then given back as it is.
 */
export function keepTyped(flow: Flow, data: FormData, former: Flow): Flow {
  const isSame = flow.kind === former.kind && flow.account?.identityId === former.account?.identityId;
  if (flow.form === undefined || !isSame) return flow;
  const nodes = flow.form.nodes.map((node) => withTyped(node, data));
  return { ...flow, form: { ...flow.form, nodes } };
}

function withTyped(node: Node, data: FormData): Node {
  if (node.kind.case !== "input" || isSecret(node.kind.value)) return node;
  const texts = data.getAll(node.name).filter((entry) => typeof entry === "string");
  // The old form did not ask for it: what the server kept of an earlier one stands. A box that is not ticked sends nothing.
  if (texts.length === 0 && node.kind.value.type !== InputType.CHECKBOX) return node;
  const json = valueOfInput(node.kind.value, texts);
  const value = json === undefined ? undefined : fromJson(ValueSchema, json);
  return { ...node, kind: { case: "input", value: { ...node.kind.value, value } } };
}
