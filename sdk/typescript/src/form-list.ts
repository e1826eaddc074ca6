// SPDX-License-Identifier: Apache-2.0
import type { JsonValue } from "@bufbuild/protobuf";
import type { FormNode } from "../../../gen/ostiary/flow/v1/form_pb.js";
import { parseNodeName } from "./form-path.ts";
import { jsonOf, textsOf, valueText } from "./form-value.ts";

/** An item of a list, as its nodes. */
export interface ListItemNodes {
  readonly index: number;
  readonly nodes: readonly FormNode[];
  /** Whether somebody added it. */
  readonly isNew: boolean;
}

/** The nodes of the item of a list at an index: its own, or a copy of the template. */
export function itemNodes({ name, kind }: FormNode, index: number): readonly FormNode[] {
  if (kind.case !== "list") return [];
  const own = kind.value.items[index];
  if (own !== undefined) return own.nodes;
  // Names within the template are relative to the name of the item.
  const prefix = `${name}.${index}`;
  return kind.value.template.map((node) => ({
    ...node,
    name: prefix + node.name,
    condition: node.condition && { ...node.condition, name: prefix + node.condition.name },
    groups: node.groups.map((group) => ({ ...group, name: prefix + group.name })),
  }));
}

/** Whether a list is drawn as boxes to tick. */
export function isOfBoxes({ kind }: FormNode): boolean {
  return kind.case === "list" && kind.value.choices.length > 0;
}

/** The values that are ticked in a list of boxes; undefined if the boxes were not drawn, which send an empty text as well. */
export function tickedValues(node: FormNode, data: FormData): readonly JsonValue[] | undefined {
  const texts = textsOf(data, node.name);
  if (node.kind.case !== "list" || !isOfBoxes(node) || texts.length === 0) return undefined;
  const values = node.kind.value.choices.flatMap(({ value }) => jsonOf(value) ?? []);
  const ticked = values.filter((value) => texts.includes(valueText(value)));
  // What stays keeps its place.
  const kept = heldValues(node).filter((value) => ticked.includes(value));
  return [...kept, ...ticked.filter((value) => !kept.includes(value))];
}

/** The values of a list of boxes as it was drawn. */
export function heldValues({ kind }: FormNode): readonly JsonValue[] {
  if (kind.case !== "list") return [];
  return kind.value.items.flatMap(({ nodes: [node] }) =>
    node?.kind.case === "input" ? (jsonOf(node.kind.value.value) ?? []) : [],
  );
}

/** The name of an item of a list. An empty text under it says that the item was taken out. */
export function itemName(list: FormNode, index: number): string {
  return `${list.name}.${index}`;
}

/** Whether an item can be taken out. One that only an operator changes must stay, and so must the places of all before it. */
export function canTakeOut({ kind }: FormNode, index: number): boolean {
  if (kind.case !== "list" || kind.value.readOnly) return false;
  const isFixed = (node: FormNode) => node.kind.case === "input" && node.kind.value.readOnly;
  return !kind.value.items.some(({ nodes }, at) => at >= index && nodes.some(isFixed));
}

/** Whether another item can be added to a list with this number of items. */
export function hasRoom({ kind }: FormNode, count: number): boolean {
  if (kind.case !== "list" || kind.value.readOnly || kind.value.template.length === 0) return false;
  return kind.value.maxItems === 0 || count < kind.value.maxItems;
}

/** All items of a list: the items that it was drawn with, and the added items that the names of a filled-in form show. */
export function listItems(list: FormNode, names: readonly string[]): readonly ListItemNodes[] {
  if (list.kind.case !== "list") return [];
  const drawn = list.kind.value.items.length;
  const depth = parseNodeName(list.name)?.length ?? 0;
  const added = new Set<number>();
  for (const name of names) {
    const index = name.startsWith(`${list.name}.`) ? parseNodeName(name)?.[depth] : undefined;
    // Security: only a small number is an index; a page may have other fields with such names.
    if (index !== undefined && /^\d{1,4}$/.test(index) && Number(index) >= drawn) added.add(Number(index));
  }
  const indices = [...Array(drawn).keys(), ...[...added].sort((left, right) => left - right)];
  return indices.map((index) => ({ index, nodes: itemNodes(list, index), isNew: index >= drawn }));
}
