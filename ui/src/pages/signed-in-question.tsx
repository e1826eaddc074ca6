import { fillIn } from "@ostiary/sdk/form";
import type { JSX } from "react";
import { useWords } from "../language/index.ts";

/**
 * Asks somebody who is signed in, and about to sign in or up, which account they mean. Nobody is signed out by an answer: another account
 * takes the place of this one once its owner has signed in, which is said.
 */
export function SignedInQuestion({
  name,
  goOn,
  useAnother,
}: {
  readonly name: string;
  readonly goOn: () => void;
  readonly useAnother: () => void;
}): JSX.Element {
  const { signedIn } = useWords();
  return (
    <div className="stack">
      <p>{fillIn(signedIn.text, { name })}</p>
      <button type="button" className="ostiary-button" data-importance="primary" onClick={goOn}>
        {fillIn(signedIn.goOn, { name })}
      </button>
      <button type="button" className="ostiary-button" data-importance="secondary" onClick={useAnother}>
        {signedIn.useAnother}
      </button>
      <p className="quiet">{signedIn.another}</p>
    </div>
  );
}
