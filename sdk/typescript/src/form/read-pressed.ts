// SPDX-License-Identifier: Apache-2.0

/** Asks before something is done that cannot be undone. */
export type Confirm = (question: string) => boolean | Promise<boolean>;

/**
 * What a press of a button sends: what the form held then, and the button's value. Undefined if the answer to the button's question
 * is no. Rejects if nobody could be asked.
 */
export async function readPressed(
  form: HTMLFormElement,
  button: HTMLButtonElement,
  confirm: Confirm = (question) => window.confirm(question),
): Promise<{ readonly data: FormData; readonly step: string } | undefined> {
  const { step, question } = button.dataset;
  if (step === undefined) return undefined;
  // Before the question: the form may be another one by the time of the answer.
  const data = new FormData(form, button);
  return question === undefined || (await confirm(question)) ? { data, step } : undefined;
}
