// SPDX-License-Identifier: Apache-2.0
import type { FormNode } from "../../../gen/ostiary/flow/v1/form_pb.js";
import { parseNodeName } from "./form-path.ts";

/** An item of a list, as its nodes. */
export interface ListItemNodes {
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
  }));
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
  return indices.map((index) => ({ nodes: itemNodes(list, index), isNew: index >= drawn }));
}

/** Nodes, with the nodes of the items of their lists. */
export function allNodes(nodes: readonly FormNode[]): readonly FormNode[] {
  return nodes.flatMap((node) =>
    node.kind.case === "list"
      ? [node, ...node.kind.value.items.flatMap((item) => allNodes(item.nodes))]
      : [node],
  );
}
