// SPDX-License-Identifier: Apache-2.0
import type { JsonValue } from "@bufbuild/protobuf";
import type { InputNode } from "../../../gen/ostiary/flow/v1/form_pb.js";
import type { JsonTree, NodePath } from "./form-path.ts";
import { drawnValueOf, type FilledIn, readInput } from "./form-value.ts";

/** A field of the form for a trait. */
export interface TraitInput {
  readonly path: NodePath;
  readonly input: InputNode;
  /** What the page sends for it. */
  readonly texts: readonly string[];
}

/**
 * Puts into a request what somebody changed of traits, as the merge patch (RFC 7396) that the server takes: null for what was
 * emptied, nothing for what is as it was drawn, a list whole or not at all. What the server could not save (`unsaved`) is sent
 * again as it stands.
 */
export function setTraits(tree: JsonTree, traits: readonly TraitInput[]): void {
  const lists = new Map<string, TraitInput[]>();
  for (const trait of traits) {
    if (trait.input.listItem) {
      const key = JSON.stringify(trait.path.slice(0, -1));
      const items = lists.get(key);
      if (items === undefined) lists.set(key, [trait]);
      else items.push(trait);
      continue;
    }
    const value = changeOf(trait.input, readInput(trait.input, trait.texts));
    if (value !== undefined) tree.set(trait.path, value);
  }
  for (const items of lists.values()) setList(tree, items);
}

/** The new value, null for none; undefined if there is nothing to send. */
function changeOf(input: InputNode, filledIn: FilledIn): JsonValue | undefined {
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
    default: {
      const unreachable: never = filledIn;
      return unreachable;
    }
  }
}

function setList(tree: JsonTree, items: readonly TraitInput[]): void {
  const read = items.map(({ path, input, texts }) => ({
    index: Number(path.at(-1)),
    input,
    filledIn: readInput(input, texts),
  }));
  if (read.every(({ input, filledIn }) => filledIn.kind === "untouched" && !input.unsaved)) return;
  const list = read
    .sort((left, right) => left.index - right.index)
    .flatMap(({ input, filledIn }) => {
      if (filledIn.kind === "emptied") return [];
      const value = filledIn.kind === "value" ? filledIn.value : drawnValueOf(input);
      return value === undefined ? [] : [value];
    });
  const [path] = items.map((item) => item.path);
  const [first = "", ...rest] = path?.slice(0, -1) ?? [];
  tree.set([first, ...rest], list);
}
