// SPDX-License-Identifier: Apache-2.0
import { incompleteDate } from "../form-value.ts";
import { readNumber } from "./numbers.ts";

const heard = new WeakSet<HTMLFormElement>();

/**
 * Makes `new FormData(form)` give what the controls of a form mean: numbers as the server reads them, not as people of
 * the language write them, and a date of which only a part was filled in as one that is wrong. A browser would give it as no date,
 * and it would be lost without a word. Needed once for each form that has controls of `describeForm`; the forms of this
 * package do it by themselves.
 */
export function listenToControls(form: HTMLFormElement): void {
  // A number must not be read twice.
  if (heard.has(form)) return;
  heard.add(form);
  form.addEventListener("formdata", ({ formData }) => {
    for (const control of form.querySelectorAll<HTMLInputElement>("input[name]")) {
      if (control.disabled) continue;
      const { number: language } = control.dataset;
      if (language !== undefined) replace(formData, control.name, (text) => readNumber(text, language));
      if (control.validity.badInput) replace(formData, control.name, (text) => text || incompleteDate);
    }
  });
}

function replace(data: FormData, name: string, read: (text: string) => string): void {
  const texts = data.getAll(name);
  data.delete(name);
  for (const text of texts) data.append(name, typeof text === "string" ? read(text) : text);
}
