import { retryAfterOf } from "@ostiary/sdk";
import { type JSX, useEffect, useRef, useState } from "react";
import { describeError, type Way, waysOn } from "../describe-error.ts";
import { useWords } from "../language/index.ts";
import { navigate } from "../navigation.ts";

interface FailureProps {
  readonly error: unknown;
  /** Tries again, without what was refused where that cannot be had. */
  readonly retry: () => void;
  /** What leads on. Default: as the error says. */
  readonly ways?: readonly Way[] | undefined;
}

/** Says why something did not work, and offers what leads on. The first button gets the focus where a page asks for it. */
export function Failure({ error, retry, ways = waysOn(error) }: FailureProps): JSX.Element {
  const words = useWords();
  const { leftMs, isCounting } = useWait(error);
  const labels: Readonly<Record<Way, string>> = { ...words.ways, tryAgain: words.tryAgain };
  const follow = (way: Way) => {
    switch (way) {
      case "signIn":
        return navigate("login");
      case "goOn":
        return navigate("");
      case "reload":
        return window.location.reload();
      case "startAgain":
      case "tryAgain":
        return retry();
      default:
        return way satisfies never;
    }
  };
  return (
    <div className="stack">
      <p
        className="ostiary-message"
        data-kind="error"
        role="alert"
        aria-live={isCounting ? "off" : undefined}
      >
        {leftMs === 0 ? words.form.tryAgainNow : describeError(error, words, leftMs)}
      </p>
      {ways.map((way, index) => (
        <button
          key={way}
          type="button"
          className="ostiary-button"
          data-importance={index === 0 ? "primary" : "secondary"}
          aria-disabled={way === "tryAgain" && leftMs !== undefined && leftMs > 0 ? "true" : undefined}
          onClick={(event) => {
            if (event.currentTarget.ariaDisabled !== "true") follow(way);
          }}
        >
          {labels[way]}
        </button>
      ))}
    </div>
  );
}

/** How long an error asks to wait still, in milliseconds; undefined if it does not. It is read out once, and then only shown. */
function useWait(error: unknown): { readonly leftMs: number | undefined; readonly isCounting: boolean } {
  const [leftMs, setLeftMs] = useState(() => retryAfterOf(error));
  const [isCounting, setCounting] = useState(false);
  const began = useRef(0);
  useEffect(() => {
    const waitMs = retryAfterOf(error);
    setLeftMs(waitMs);
    setCounting(false);
    if (waitMs === undefined) return undefined;
    began.current = performance.now();
    const timer = setInterval(() => {
      const left = began.current + waitMs - performance.now();
      setLeftMs(Math.max(left, 0));
      setCounting(left > 0);
      if (left <= 0) clearInterval(timer);
    }, 1000);
    return () => clearInterval(timer);
  }, [error]);
  return { leftMs, isCounting };
}
