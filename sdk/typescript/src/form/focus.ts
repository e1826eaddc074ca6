// SPDX-License-Identifier: Apache-2.0

/**
 * Moves the focus to what somebody must know or do after a submit: the first field or list with an error; where the form only
 * says what comes next, the first field that is to be filled in, since the messages are read out by themselves; else the messages.
 * Returns false if there is none of these; the page then focuses its heading.
 */
export function focusFirstProblem(form: HTMLElement): boolean {
  const wrong = firstInSight<HTMLElement>(form, '[aria-invalid="true"], .ostiary-list[data-invalid]');
  const messages = form.querySelector<HTMLElement>(".ostiary-messages:not(:empty)");
  // A form without messages that names the account, as the one for the password after the name, only asks for more. One of sections
  // offers many things, and none of them is next.
  const saysNext =
    form.querySelector(".ostiary-section") === null &&
    (messages === null
      ? form.dataset.account !== undefined
      : messages.querySelector(':not([data-kind="info"])') === null);
  const next = saysNext ? firstInSight<HTMLInputElement>(form, "input", isToFillIn) : undefined;
  const target = wrong ?? next ?? messages;
  target?.focus();
  return target !== null;
}

/** Moves the focus to the first control of an item that was added to a list. */
export function focusFirstControl(item: HTMLElement): void {
  firstInSight<HTMLElement>(item, "input, select, textarea")?.focus();
}

/** Moves the focus when an item of a list was taken out: to the item beside it, else to the button that adds one. */
export function focusAfterRemoval(beside: Element | null, add: HTMLElement | null): void {
  const control =
    beside instanceof HTMLElement
      ? firstInSight<HTMLElement>(beside, "input:not([type='hidden']), select, textarea")
      : undefined;
  (control ?? add)?.focus();
}

/** The first element that a selector finds and that is not hidden, nor within something that is. */
function firstInSight<Found extends HTMLElement>(
  within: HTMLElement,
  selector: string,
  isMeant: (found: Found) => boolean = () => true,
): Found | undefined {
  const found = Array.from(within.querySelectorAll<Found>(selector));
  return found.find((each) => each.closest("[hidden]") === null && isMeant(each));
}

/** Not a field that people do not see, cannot change or have filled in already. */
function isToFillIn({ type, readOnly, disabled, tabIndex, value }: HTMLInputElement): boolean {
  return type !== "hidden" && !readOnly && !disabled && tabIndex !== -1 && value === "";
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
