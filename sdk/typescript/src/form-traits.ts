// SPDX-License-Identifier: Apache-2.0
import type { JsonValue } from "@bufbuild/protobuf";
import type { FormNode, InputNode } from "../../../gen/ostiary/flow/v1/form_pb.js";
import { holds } from "./form-condition.ts";
import { heldValues, itemName, listItems, tickedValues } from "./form-list.ts";
import { JsonTree, parseNodeName } from "./form-path.ts";
import { drawnValueOf, type FilledIn, readInput, textsOf } from "./form-value.ts";

/**
 * The traits that somebody changed, by the names of the nodes. An emptied trait is null. A trait that is as it was drawn is
 * left out. A list is whole or left out. A trait that the server could not save (`unsaved`) is sent again as it stands. Traits
 * of a former variant are not sent, because the server empties them.
 */
export function traitChanges(
  nodes: readonly FormNode[],
  data: FormData,
): readonly (readonly [name: string, change: JsonValue])[] {
  return nodes.flatMap((node) => {
    const isField = parseNodeName(node.name) !== undefined && holds(node, nodes, data);
    const change = isField ? changeOf(node, data) : undefined;
    return change === undefined ? [] : [[node.name, change] as const];
  });
}

/** The new value of a node, null for none; undefined if there is nothing to send. */
function changeOf(node: FormNode, data: FormData): JsonValue | undefined {
  const { name, kind } = node;
  if (kind.case === "list") return changedList(node, data);
  if (kind.case !== "input" || kind.value.readOnly) return undefined;
  return changedInput(kind.value, readInput(kind.value, textsOf(data, name)));
}

function changedInput(input: InputNode, filledIn: FilledIn): JsonValue | undefined {
  switch (filledIn.kind) {
    case "emptied":
      return null;
    case "value":
      return filledIn.value;
    case "untouched": {
      if (input.unsaved) return drawnValueOf(input) ?? null;
      // What must be said is said by the form as it was drawn, too.
      return input.value === undefined ? drawnValueOf(input) : undefined;
    }
    default:
      return filledIn satisfies never;
  }
}

function changedList(node: FormNode, data: FormData): JsonValue[] | undefined {
  if (node.kind.case !== "list" || node.kind.value.readOnly) return undefined;
  const ticked = tickedValues(node, data);
  if (ticked !== undefined) {
    const held = heldValues(node);
    const isAsDrawn = ticked.length === held.length && ticked.every((value, at) => value === held[at]);
    return isAsDrawn && !node.kind.value.unsaved ? undefined : [...ticked];
  }
  const depth = (parseNodeName(node.name)?.length ?? 0) + 1;
  const items = listItems(node, [...data.keys()]).map(({ index, nodes, isNew }) =>
    isTakenOut(itemName(node, index), nodes, data)
      ? { isTouched: true, value: undefined }
      : itemOf(nodes, depth, data, isNew),
  );
  if (!node.kind.value.unsaved && items.every(({ isTouched }) => !isTouched)) return undefined;
  return items.flatMap(({ value }) => (value === undefined ? [] : [value]));
}

/** Whether an item of objects was taken out; one of values is so by its own empty text. */
export function isTakenOut(name: string, nodes: readonly FormNode[], data: FormData): boolean {
  return textsOf(data, name).at(-1) === "" && !nodes.some((node) => node.name === name);
}

/** The present value of an item; undefined if it is empty, so that it is taken out. */
function itemOf(nodes: readonly FormNode[], depth: number, data: FormData, isNew: boolean) {
  const tree = new JsonTree();
  let isTouched = false;
  let isFilledIn = false;
  let only: JsonValue | undefined;
  for (const node of nodes) {
    const path = parseNodeName(node.name)?.slice(depth);
    if (node.kind.case !== "input" || path === undefined) continue;
    const input = node.kind.value;
    const isChosen = holds(node, nodes, data);
    const filledIn: FilledIn = isChosen ? readInput(input, textsOf(data, node.name)) : { kind: "untouched" };
    // What was not saved was touched in an earlier form.
    isTouched ||= filledIn.kind !== "untouched" || input.unsaved;
    // Of a variant that was left nothing stays; what was never drawn stays as it is.
    if (!isChosen && (input.value === undefined || holds(node, nodes, new FormData()))) continue;
    const value = filledIn.kind === "value" ? filledIn.value : drawnValueOf(input);
    if (value === undefined || filledIn.kind === "emptied") continue;
    // A checkbox without a tick is not enough to make an item.
    isFilledIn ||= value !== false;
    const [first, ...rest] = path;
    if (first === undefined) only = value;
    else tree.set([first, ...rest], value);
  }
  // An item that nobody touched stays as it was, even if it is empty.
  const isGone = isTouched ? !isFilledIn : isNew;
  return { isTouched, value: isGone ? undefined : (only ?? tree.toObject()) };
}
