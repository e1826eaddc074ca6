// SPDX-License-Identifier: Apache-2.0
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
 * Counts down on a button until `end`, a time of `Date.now()`, and shows it each second and at last when it can be pressed. Gives what
 * stops it. Nothing is shown for a button that does not wait. A wrong clock changes nothing, since only spans are measured.
 */
export function countDown(
  { label, end }: { readonly label: string; readonly end: number },
  { language, texts }: { readonly language?: string | undefined; readonly texts: FormTexts },
  show: (shown: WaitingButton) => void,
): () => void {
  if (end <= Date.now()) return () => {};
  const tick = () => {
    const leftMs = end - Date.now();
    if (leftMs <= 0) {
      clearInterval(timer);
      return show({ label, waits: false, said: fillIn(texts.waited, { label }) ?? label });
    }
    const time = spanOf(leftMs, language);
    const counted = time === undefined ? undefined : fillIn(texts.waits, { label, time });
    show({ label: counted ?? label, waits: true, said: "" });
  };
  const timer = setInterval(tick, 1000);
  tick();
  return () => clearInterval(timer);
}
