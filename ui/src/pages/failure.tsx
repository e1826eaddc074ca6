import type { JSX } from "react";
import { describeError } from "../describe-error.ts";
import { useWords } from "../language/index.ts";

/** Says that a page could not be filled, and offers to try again. */
export function Failure({
  error,
  retry,
}: {
  readonly error: unknown;
  readonly retry: () => void;
}): JSX.Element {
  const words = useWords();
  return (
    <div role="alert" className="stack">
      <p className="ostiary-message" data-kind="error">
        {describeError(error, words)}
      </p>
      <button type="button" className="ostiary-button" data-importance="secondary" onClick={retry}>
        {words.tryAgain}
      </button>
    </div>
  );
}
