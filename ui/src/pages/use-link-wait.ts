import type { Flow } from "@ostiary/sdk/v1/flow";
import { useEffect, useRef } from "react";

/** How long a page that waits for a link waits before it looks whether it was opened elsewhere: soon at first, then seldom. */
function lookAfterMs(looks: number): number {
  return looks < 24 ? 5000 : 15_000;
}

/** Looks every now and then, while the page is seen, whether a link that was sent has been opened elsewhere. */
export function useLinkWait(shown: Flow | undefined, lookAgain: (flow: Flow) => void): void {
  const latest = useRef(lookAgain);
  latest.current = lookAgain;
  useEffect(() => {
    if (shown?.stage.case !== "linkSent") return undefined;
    let timer: ReturnType<typeof setTimeout>;
    const wait = (looks: number) => {
      timer = setTimeout(() => {
        if (document.visibilityState === "visible") latest.current(shown);
        wait(looks + 1);
      }, lookAfterMs(looks));
    };
    wait(0);
    return () => clearTimeout(timer);
  }, [shown]);
}
