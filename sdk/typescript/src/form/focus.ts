// SPDX-License-Identifier: Apache-2.0

/**
 * Moves the focus to what somebody must know after a submit: the first field with an error, else the messages of
 * the form. Returns false if there is neither; the page then focuses its heading.
 */
export function focusFirstProblem(form: HTMLElement): boolean {
  const field = form.querySelector<HTMLElement>('[aria-invalid="true"]');
  const messages = form.querySelector<HTMLElement>(".ostiary-messages:not(:empty)");
  const target = field ?? messages;
  target?.focus();
  return target !== null;
}

/**
 * The button that a press of Enter within a control means: that of the step which the control belongs to, else the
 * primary one. The browser by itself would press the first button of the form. Undefined: leave it to the browser.
 */
export function buttonForEnter(event: {
  readonly key: string;
  readonly target: EventTarget | null;
}): HTMLButtonElement | undefined {
  if (event.key !== "Enter" || !(event.target instanceof HTMLInputElement)) return undefined;
  const part = event.target.closest(".ostiary-part");
  return (
    part?.querySelector<HTMLButtonElement>('button[type="submit"]') ??
    event.target.form?.querySelector<HTMLButtonElement>('button[data-importance="primary"]') ??
    undefined
  );
}
