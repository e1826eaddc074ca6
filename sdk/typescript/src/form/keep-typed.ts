// SPDX-License-Identifier: Apache-2.0
import { create, fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { type Flow, FlowKind } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import {
  type FormNode,
  type InputNode,
  InputType,
  ListItemSchema,
  type ListNode,
} from "../../../../gen/ostiary/flow/v1/form_pb.js";
import { allNodes, listItems } from "../form-list.ts";
import { readInput, textsOf } from "../form-value.ts";
import { isSecret } from "./field.ts";

/**
 * A flow with what somebody had typed into the form of another one, `former`, so that nobody types it twice when a flow has
 * expired. A settings flow takes over only what was changed there: what the account has in the other fields is newer.
 *
 * Security rules: secrets (passwords, codes, hidden values) are not taken over. Nor is anything that was typed for one account
 * taken over into the form of another one, or into that of another kind of flow: in one browser somebody else may have
 * signed in meanwhile. The flow is then given back as it is.
 */
export function keepTyped(flow: Flow, data: FormData, former: Flow): Flow {
  const isSame = flow.kind === former.kind && flow.account?.identityId === former.account?.identityId;
  if (flow.form === undefined || !isSame) return flow;
  const old = former.kind === FlowKind.SETTINGS ? (former.form?.nodes ?? []) : [];
  const before = new Map(
    allNodes(old).flatMap(({ name, kind }) => (kind.case === "input" ? [[name, kind.value] as const] : [])),
  );
  const nodes = flow.form.nodes.map((node) => withTyped(node, data, before));
  return { ...flow, form: { ...flow.form, nodes } };
}

function withTyped(node: FormNode, data: FormData, former: ReadonlyMap<string, InputNode>): FormNode {
  if (node.kind.case === "list") return listWithTyped(node, node.kind.value, data, former);
  if (node.kind.case !== "input" || node.kind.value.readOnly || isSecret(node.kind.value)) return node;
  const input = node.kind.value;
  const before = former.get(node.name);
  const texts = textsOf(data, node.name);
  // The old form did not ask for it: what the server kept of an earlier one stands. A box that is not ticked sends nothing.
  if (texts.length === 0 && input.type !== InputType.CHECKBOX) return node;
  if (before !== undefined && !before.unsaved && readInput(before, texts).kind === "untouched") return node;
  const filledIn = readInput(input, texts);
  if (filledIn.kind === "untouched") return node;
  const value = filledIn.kind === "value" ? fromJson(ValueSchema, filledIn.value) : undefined;
  return { ...node, kind: { case: "input", value: { ...input, value, unsaved: true } } };
}

/** A list with what was typed into its items, and with those that were added. */
function listWithTyped(
  node: FormNode,
  list: ListNode,
  data: FormData,
  former: ReadonlyMap<string, InputNode>,
): FormNode {
  if (list.readOnly) return node;
  const items = listItems(node, [...data.keys()]).flatMap(({ nodes, isNew }) => {
    const typed = nodes.map((each) => withTyped(each, data, former));
    const isChanged = typed.some((each, at) => each !== nodes[at]);
    return isNew && !isChanged ? [] : [{ typed, isChanged }];
  });
  if (!items.some(({ isChanged }) => isChanged)) return node;
  const drawn = items.map(({ typed }) => create(ListItemSchema, { nodes: typed }));
  return { ...node, kind: { case: "list", value: { ...list, items: drawn, unsaved: true } } };
}
