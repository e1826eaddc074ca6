import type { SubmittedForm } from "@ostiary/sdk/form";

/** A submit of which nobody knows whether it arrived. */
export interface LostSubmit {
  readonly submitted: SubmittedForm;
  readonly requestId: string;
}

/** The name of a submit: that of the one before if it is the very same, sent again because no answer came. Empty where there is none. */
export function idFor(lost: LostSubmit | undefined, { flow, data, step }: SubmittedForm): string {
  const isSame =
    lost?.submitted.flow === flow &&
    lost.submitted.step === step &&
    JSON.stringify([...lost.submitted.data]) === JSON.stringify([...data]);
  // A browser over plain HTTP has no such ids.
  return isSame ? lost.requestId : (globalThis.crypto?.randomUUID?.() ?? "");
}
