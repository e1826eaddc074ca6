// SPDX-License-Identifier: Apache-2.0
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { type Flow, FlowKind } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import {
  type FormNode,
  InputType,
  type ListItem,
  ListItemSchema,
  type ListNode,
} from "../../../../gen/ostiary/flow/v1/form_pb.js";
import { heldValues, itemName, itemNodes, listItems, tickedValues } from "../form-list.ts";
import { isTakenOut } from "../form-traits.ts";
import { readInput, textOf, textsOf } from "../form-value.ts";
import { isSecret } from "./field.ts";

/**
 * A flow with what somebody had typed into the form of another one, `former`, so that nobody types it twice when a flow has
 * expired. A settings flow takes over only what was changed there: what the account has in the other fields is newer.
 *
 * Security rules (SR-FLOW-3): secrets (passwords, codes, hidden values) are not taken over. Nor is anything that was typed for one account
 * taken over into the form of another one, or into that of another kind of flow: in one browser somebody else may have
 * signed in meanwhile. The flow is then given back as it is.
 */
export function keepTyped(flow: Flow, data: FormData, former: Flow): Flow {
  const isSame = flow.kind === former.kind && flow.account?.identityId === former.account?.identityId;
  if (flow.form === undefined || !isSame) return flow;
  // Only in settings what was drawn counts: nothing but this form adds to what a flow of another kind has kept.
  const drawn = former.kind === FlowKind.SETTINGS ? (former.form?.nodes ?? []) : [];
  const before = new Map(drawn.map((node) => [node.name, node] as const));
  const nodes = flow.form.nodes.map((node) =>
    node.kind.case === "list"
      ? listWithTyped(node, node.kind.value, data, before.get(node.name) ?? node)
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
  if (former !== undefined && isUntouched(former, texts)) return node;
  const filledIn = readInput(input, texts);
  if (filledIn.kind === "untouched") return node;
  const value = filledIn.kind === "value" ? fromJson(ValueSchema, filledIn.value) : undefined;
  return { ...node, kind: { case: "input", value: { ...input, value, unsaved: true } } };
}

/** Whether nobody filled in a field of the former form: it holds what the server has. */
function isUntouched({ kind }: FormNode, texts: readonly string[]): boolean {
  if (kind.case !== "input" || kind.value.readOnly) return true;
  return !kind.value.unsaved && readInput(kind.value, texts).kind === "untouched";
}

/**
 * A list with what was typed into its items. Elsewhere items may have been added and taken out meanwhile, so an item that was
 * changed is looked for by what it held. One that is gone, and one that was added, comes after all others.
 */
function listWithTyped(node: FormNode, list: ListNode, data: FormData, former: FormNode): FormNode {
  if (list.readOnly) return node;
  const ticked = tickedValues(former, data);
  if (ticked !== undefined) return withTicked(node, list, ticked, heldValues(former));
  // The items of a list that was not accepted are not what the server has, so only their index tells them apart.
  const isSaved = former.kind.case === "list" && !former.kind.value.unsaved;
  const items = [...list.items];
  const gone = new Set<number>();
  const isAt = (place: number, nodes: readonly FormNode[]) =>
    items[place] === list.items[place] && isSameItem(items[place]?.nodes ?? [], nodes);
  for (const { index, nodes: before, isNew } of listItems(former, [...data.keys()])) {
    let place = isNew ? items.length : Math.min(index, items.length);
    if (isSaved && !isNew) {
      const isLeft = isTakenOut(itemName(node, index), before, data);
      if (!isLeft && before.every((each) => isUntouched(each, textsOf(data, each.name)))) continue;
      place = [index, ...list.items.keys()].find((each) => isAt(each, before)) ?? items.length;
      if (isLeft) gone.add(place);
      if (isLeft) continue;
    }
    const nodes = itemNodes(node, place);
    const typed = nodes.map((each) => {
      const name = `${node.name}.${index}${each.name.slice(`${node.name}.${place}`.length)}`;
      return withTyped(each, textsOf(data, name), undefined);
    });
    const isChanged = typed.some((each, at) => each !== nodes[at]);
    if (isChanged) items[place] = create(ListItemSchema, { nodes: typed });
  }
  if (items.every((item, at) => item === list.items[at] && !gone.has(at))) return node;
  const kept = items.filter((_, at) => !gone.has(at)).map((item, at) => renumbered(node, item, at));
  return { ...node, kind: { case: "list", value: { ...list, items: kept, unsaved: true } } };
}

/** An item at another place, with the names that its nodes have there. */
function renumbered(list: FormNode, { nodes }: ListItem, index: number): ListItem {
  const [first] = nodes;
  const old = first && /^\.\d+/.exec(first.name.slice(list.name.length))?.[0];
  const isThere = old === undefined || old === `.${index}`;
  const rename = (name: string) => itemName(list, index) + name.slice(list.name.length + (old?.length ?? 0));
  return create(ListItemSchema, {
    nodes: isThere
      ? nodes
      : nodes.map((node) => ({
          ...node,
          name: rename(node.name),
          condition: node.condition && { ...node.condition, name: rename(node.condition.name) },
          groups: node.groups.map((group) => ({ ...group, name: rename(group.name) })),
        })),
  });
}

/** A list of boxes with the ticks that somebody gave it. */
function withTicked(
  node: FormNode,
  list: ListNode,
  ticked: readonly JsonValue[],
  before: readonly JsonValue[],
): FormNode {
  if (ticked.length === before.length && ticked.every((value, at) => value === before[at])) return node;
  const items = ticked.map((value, index) =>
    create(ListItemSchema, {
      nodes: itemNodes({ ...node, kind: { case: "list", value: { ...list, items: [] } } }, index).map(
        (each) => withValue(each, value),
      ),
    }),
  );
  return { ...node, kind: { case: "list", value: { ...list, items, unsaved: true } } };
}

function withValue(node: FormNode, value: JsonValue): FormNode {
  if (node.kind.case !== "input") return node;
  const typed = fromJson(ValueSchema, value);
  return { ...node, kind: { case: "input", value: { ...node.kind.value, value: typed, unsaved: true } } };
}

/** Whether two items hold the same. */
function isSameItem(one: readonly FormNode[], other: readonly FormNode[]): boolean {
  return one.length === other.length && one.every((node, at) => heldBy(node) === heldBy(other[at]));
}

function heldBy(node: FormNode | undefined): string {
  return node?.kind.case === "input" ? textOf(node.kind.value.value) : "";
}
