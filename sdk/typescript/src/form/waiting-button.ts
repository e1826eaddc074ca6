// SPDX-License-Identifier: Apache-2.0
import { countDown } from "./count-down.ts";
import { spanOf } from "./span.ts";
import { type FormTexts, fillIn } from "./texts.ts";

/** A button that waits, as it is drawn now. */
export interface WaitingButton {
  readonly label: string;
  readonly waits: boolean;
  /** What to say to screen readers, once it does not wait any more. The seconds are not said: that would be a word each second. */
  readonly said: string;
}

/**
 * Counts down on a button until `end`, a time of `performance.now()`, and shows it at once, each second, and at last when it can be pressed.
 * Gives what stops it. Nothing is shown for a button that does not wait.
 */
export function countDownOn(
  { label, end }: { readonly label: string; readonly end: number },
  { language, texts }: { readonly language?: string | undefined; readonly texts: FormTexts },
  show: (shown: WaitingButton) => void,
): () => void {
  const waitMs = end - performance.now();
  if (waitMs <= 0) return () => {};
  const tick = (leftMs: number) => {
    const time = spanOf(leftMs, language);
    const counted = time === undefined ? undefined : fillIn(texts.waits, { label, time });
    show({ label: counted ?? label, waits: true, said: "" });
  };
  tick(waitMs);
  return countDown(waitMs, tick, () =>
    show({ label, waits: false, said: fillIn(texts.waited, { label }) ?? label }),
  );
}
