// SPDX-License-Identifier: Apache-2.0
import { create, fromJson } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { type Flow, FlowKind } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import {
  type FormNode,
  InputType,
  ListItemSchema,
  type ListNode,
} from "../../../../gen/ostiary/flow/v1/form_pb.js";
import { allNodes, itemNodes, listItems } from "../form-list.ts";
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
  // Only in settings what was drawn counts: nothing but this form adds to what a flow of another kind has kept.
  const drawn = former.kind === FlowKind.SETTINGS ? allNodes(former.form?.nodes ?? []) : [];
  const before = new Map(drawn.map((node) => [node.name, node] as const));
  const nodes = flow.form.nodes.map((node) =>
    node.kind.case === "list"
      ? listWithTyped(node, node.kind.value, data, before)
      : withTyped(node, textsOf(data, node.name), before.get(node.name)),
  );
  return { ...flow, form: { ...flow.form, nodes } };
}

/** A node with what was typed into the one in its place in the former form. */
function withTyped(node: FormNode, texts: readonly string[], former: FormNode | undefined): FormNode {
  if (node.kind.case !== "input" || node.kind.value.readOnly || isSecret(node.kind.value)) return node;
  const input = node.kind.value;
  // The old form did not ask for it: what the server kept of an earlier one stands. A box that is not ticked sends nothing.
  if (texts.length === 0 && input.type !== InputType.CHECKBOX) return node;
  const before = former?.kind.case === "input" && !former.kind.value.unsaved ? former.kind.value : undefined;
  if (before !== undefined && readInput(before, texts).kind === "untouched") return node;
  const filledIn = readInput(input, texts);
  if (filledIn.kind === "untouched") return node;
  const value = filledIn.kind === "value" ? fromJson(ValueSchema, filledIn.value) : undefined;
  return { ...node, kind: { case: "input", value: { ...input, value, unsaved: true } } };
}

/**
 * A list with what was typed into its items. An item that was added, or is gone by now, comes after all that there are: at its own
 * index there may be one that was added elsewhere.
 */
function listWithTyped(
  node: FormNode,
  list: ListNode,
  data: FormData,
  former: ReadonlyMap<string, FormNode>,
): FormNode {
  if (list.readOnly) return node;
  const old = former.get(node.name) ?? node;
  // None of the items of a list that was not accepted is what the server has.
  const isOldUnsaved = old.kind.case === "list" && old.kind.value.unsaved;
  const items = [...list.items];
  let isChanged = false;
  for (const { index, isNew } of listItems(old, [...data.keys()])) {
    const place = isNew ? items.length : Math.min(index, items.length);
    const nodes = itemNodes(node, place);
    const typed = nodes.map((each) => {
      const name = `${node.name}.${index}${each.name.slice(`${node.name}.${place}`.length)}`;
      return withTyped(each, textsOf(data, name), isOldUnsaved ? undefined : former.get(name));
    });
    if (typed.every((each, at) => each === nodes[at])) continue;
    isChanged = true;
    items[place] = create(ListItemSchema, { nodes: typed });
  }
  if (!isChanged) return node;
  return { ...node, kind: { case: "list", value: { ...list, items, unsaved: true } } };
}
