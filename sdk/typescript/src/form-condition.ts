// SPDX-License-Identifier: Apache-2.0
import type { FormNode } from "../../../gen/ostiary/flow/v1/form_pb.js";
import { drawnValueOf, readInput, textOf, textsOf, valueText } from "./form-value.ts";

/** Whether a node of a filled-in form is drawn: it has no condition, or the node that it names holds one of its values. */
export function holds({ condition }: FormNode, nodes: readonly FormNode[], data: FormData): boolean {
  if (condition === undefined) return true;
  const chooser = nodes.find(({ name }) => name === condition.name);
  if (chooser?.kind.case !== "input") return true;
  const filledIn = readInput(chooser.kind.value, textsOf(data, chooser.name));
  const value = filledIn.kind === "value" ? filledIn.value : drawnValueOf(chooser.kind.value);
  const text = filledIn.kind === "emptied" ? "" : valueText(value);
  return condition.values.some((each) => textOf(each) === text);
}

/** Whether a node was drawn before anything was filled in. */
export function heldAsDrawn({ condition }: FormNode, nodes: readonly FormNode[]): boolean {
  if (condition === undefined) return true;
  const chooser = nodes.find(({ name }) => name === condition.name);
  if (chooser?.kind.case !== "input") return true;
  const text = valueText(drawnValueOf(chooser.kind.value));
  return condition.values.some((each) => textOf(each) === text);
}
