// SPDX-License-Identifier: Apache-2.0
import type { ShownWhile } from "./field.ts";

/** The attribute of an element that is drawn only while another control holds one of some texts. */
export const conditionAttribute = "data-shown-while";

/** The value of that attribute. */
export function conditionText(condition: ShownWhile): string {
  return JSON.stringify(condition);
}

/** Hides and shows what depends on other controls of a form, by what these hold now. What is hidden is sent, and not read. */
export function applyConditions(form: HTMLFormElement): void {
  const data = new FormData(form);
  for (const element of form.querySelectorAll<HTMLElement>(`[${conditionAttribute}]`)) {
    const { name, values } = JSON.parse(element.getAttribute(conditionAttribute) ?? "{}") as ShownWhile;
    const control = form.elements.namedItem(name);
    // A list that is disabled is not in the data.
    const disabled = control instanceof HTMLSelectElement && control.disabled ? control.value : undefined;
    element.hidden = !values.includes(disabled ?? String(data.get(name) ?? ""));
  }
}
