// SPDX-License-Identifier: Apache-2.0

/**
 * Moves the focus to what somebody must know or do after a submit: the first field with an error; where the form only says
 * what comes next, the first field that is to be filled in, since the messages are read out by themselves; else the messages.
 * Returns false if there is none of these; the page then focuses its heading.
 */
export function focusFirstProblem(form: HTMLElement): boolean {
  const field = form.querySelector<HTMLElement>('[aria-invalid="true"]');
  const messages = form.querySelector<HTMLElement>(".ostiary-messages:not(:empty)");
  // A form that says whose account it is about has gone on from one that did not know.
  const saysNext =
    messages === null
      ? form.dataset.account !== undefined
      : messages.querySelector(':not([data-kind="info"])') === null;
  const next = saysNext
    ? Array.from(form.querySelectorAll<HTMLInputElement>("input")).find(isToFillIn)
    : undefined;
  const target = field ?? next ?? messages;
  target?.focus();
  return target !== null;
}

/** Not a field that is hidden, out of sight or filled in already. */
function isToFillIn({ type, hidden, tabIndex, value }: HTMLInputElement): boolean {
  return type !== "hidden" && !hidden && tabIndex !== -1 && value === "";
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
