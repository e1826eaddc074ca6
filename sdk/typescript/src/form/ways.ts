// SPDX-License-Identifier: Apache-2.0
import { MethodKind } from "../../../../gen/ostiary/common/v1/method_kind_pb.js";
import type { FormButton, FormElement, FormPart } from "./describe-form.ts";

/* How the ways to go on are told apart: what has an "or" above it, and what is put away. */

/** Whether a part is set apart from those above it by "or". */
export function beginsAnotherWay(
  above: readonly FormPart[],
  elements: readonly FormElement[],
  buttons: readonly FormButton[],
  isChoice: boolean,
): boolean {
  const hasFields = hasControls({ elements });
  const seenFields = above.some((part) => part.step !== undefined && hasControls(part));
  if (hasFields) return seenFields;
  const isBelowButtons = above.some((part) => part.buttons.length > 0);
  if (isChoice) return isBelowButtons;
  // Of several ways without fields only the first: they belong together.
  return isOtherWay(buttons) && isBelowButtons && !isOtherWay(above.at(-1)?.buttons ?? []);
}

function hasControls({ elements }: Pick<FormPart, "elements">): boolean {
  return elements.some(({ kind }) => kind === "field" || kind === "group" || kind === "list");
}

/** Whether buttons try a method beside the one that the form is for first. */
function isOtherWay(buttons: readonly FormButton[]): boolean {
  return buttons.some(({ method }) => method !== undefined) && !buttons.some(({ primary }) => primary);
}

/** The most other ways that are shown at once. */
const mostShown = 2;

/** Puts other ways away where there are many; not those of other providers, nor the one that was used last. */
export function withPutAway(parts: readonly FormPart[]): readonly FormPart[] {
  const isOther = ({ section, buttons }: FormPart) =>
    section === undefined && isOtherWay(buttons) && buttons.every(({ method }) => method !== MethodKind.OIDC);
  const others = parts.filter(isOther);
  if (others.length <= mostShown) return parts;
  const first = others.find(({ buttons }) => !buttons.some(({ lastUsed }) => lastUsed));
  return parts.map((part) => {
    if (!isOther(part) || part.buttons.some(({ lastUsed }) => lastUsed)) return part;
    // What opens them sets them apart.
    return { ...part, putAway: true, alternative: part !== first && part.alternative };
  });
}
