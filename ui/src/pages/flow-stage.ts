import type { SubmittedForm } from "@ostiary/sdk/form";
import type { Flow } from "@ostiary/sdk/v1/flow";
import type { TakenErrand } from "../errand.ts";
import type { MeanwhileWords } from "../language/words.ts";
import type { arrival, Said } from "../navigation.ts";

/** What is shown in the place of a flow, or the flow. */
export type Stage =
  | { readonly kind: "loading" }
  /** The login that the flow waited for is completed; what was submitted is carried out. */
  | { readonly kind: "resuming"; readonly flow: Flow }
  | { readonly kind: "failed"; readonly error: unknown }
  | { readonly kind: "flow"; readonly flow: Flow; readonly notice: Notice | undefined }
  /** What the flow was for is done, here or elsewhere. */
  | { readonly kind: "done"; readonly goOn: () => void }
  /** Somebody has signed in to an account that will be deleted. */
  | { readonly kind: "marked"; readonly purgeTime: Date; readonly goOn: (says?: Said) => void }
  | { readonly kind: "deleted"; readonly purgeTime: Date; readonly returnTo: string };

/**
 * What is said above a form that its visitor did not expect: `replaced` where the flow had expired, `another account` where somebody else
 * has signed in.
 */
export type Notice = "replaced" | "another account" | keyof MeanwhileWords;

/** A flow on its page, and what can be done with it. */
export interface FlowInUse {
  readonly stage: Stage;
  /** The flow that waits for a login, while that is drawn in its place. */
  readonly waiting: Flow | undefined;
  onSubmit(submitted: SubmittedForm): Promise<void>;
  /** Leaves the login that a change waits for. */
  cancel(): Promise<void>;
  /** Goes on without what the flow offers. */
  goOn(returnTo: string, says?: Said): void;
  retry(): void;
}

/** The steps that a form offers, as a text to compare. */
export function stepsOf({ form }: Flow): string {
  return form?.nodes.map(({ kind, step }) => (kind.case === "button" ? step : "")).join() ?? "";
}

/** Whether a form has a button that leads back to the step before. */
export function offersBack({ form }: Flow): boolean {
  return form?.nodes.some(({ kind, step }) => kind.case === "button" && step === "back") ?? false;
}

/** What is filled in on the page now. */
export function typedNow(): FormData {
  const form = document.querySelector<HTMLFormElement>("form.ostiary-form");
  return form === null ? new FormData() : new FormData(form);
}

/** What is said above the form of a page that was just opened. */
export function noticeOf(
  came: ReturnType<typeof arrival>,
  {
    isFilledIn,
    isOfAnother,
    isDoneElsewhere,
  }: Omit<TakenErrand, "flow"> & { readonly isDoneElsewhere: boolean },
): Notice | undefined {
  if (came.replaced) return "replaced";
  if (came.done) return "created";
  if (came.interrupted) return "interrupted";
  if (isOfAnother) return "another account";
  if (isFilledIn) return "filledIn";
  return isDoneElsewhere ? "done" : undefined;
}

/** A moment of the contract. */
export function dateOf({ seconds }: { readonly seconds: bigint }): Date {
  return new Date(Number(seconds) * 1000);
}
