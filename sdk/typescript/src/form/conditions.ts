// SPDX-License-Identifier: Apache-2.0
import type { ShownWhile } from "./field.ts";

/** Of an element that is drawn only while another control holds one of some texts. */
const attribute = "data-shown-while";

/** The attributes of an element that depends on another control; none for one that does not. */
export function conditionAttributes(condition: ShownWhile | undefined): Readonly<Record<string, string>> {
  return condition === undefined ? {} : { [attribute]: JSON.stringify(condition) };
}

/** Hides and shows what depends on other controls of a form, by what these hold now. What is hidden is sent, and not read. */
export function applyConditions(form: HTMLFormElement): void {
  const data = new FormData(form);
  for (const group of form.querySelectorAll<HTMLElement>(".ostiary-group")) group.hidden = false;
  for (const element of form.querySelectorAll<HTMLElement>(`[${attribute}]`)) {
    const { name, values } = JSON.parse(element.getAttribute(attribute) ?? "{}") as ShownWhile;
    const control = form.elements.namedItem(name);
    // A list that is disabled is not in the data.
    const disabled = control instanceof HTMLSelectElement && control.disabled ? control.value : undefined;
    element.hidden = !values.includes(disabled ?? String(data.get(name) ?? ""));
  }
  // The innermost groups come last. A group of which nothing is drawn has no label either.
  for (const group of Array.from(form.querySelectorAll<HTMLElement>(".ostiary-group")).reverse()) {
    const inner = group.querySelectorAll(".ostiary-field, .ostiary-list");
    group.hidden = Array.from(inner).every((each) => each.closest<HTMLElement>("[hidden]") !== null);
  }
}
