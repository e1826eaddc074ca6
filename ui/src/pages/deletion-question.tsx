import { type JSX, useEffect, useRef, useState } from "react";
import { useWords } from "../language/index.ts";

/** Asks whether the account shall really be deleted. Gives what to draw, and the question. */
export function useDeletionQuestion(): {
  readonly drawn: JSX.Element | null;
  readonly ask: () => Promise<boolean>;
} {
  const [answer, setAnswer] = useState<(confirmed: boolean) => void>();
  const ask = () => new Promise<boolean>((resolve) => setAnswer(() => resolve));
  const close = (confirmed: boolean) => {
    setAnswer(undefined);
    answer?.(confirmed);
  };
  return { drawn: answer === undefined ? null : <DeletionQuestion onClose={close} />, ask };
}

function DeletionQuestion({ onClose }: { readonly onClose: (confirmed: boolean) => void }): JSX.Element {
  const { deletion: texts } = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      className="question"
      aria-labelledby="question-title"
      aria-describedby="question-text"
      // Escape closes it as well, and then it is not confirmed.
      onClose={() => onClose(dialog.current?.returnValue === "confirmed")}
    >
      <form method="dialog">
        <h2 id="question-title">{texts.question}</h2>
        <p id="question-text">{texts.consequence}</p>
        {/* The first button has the focus: what is pressed in haste keeps the account. */}
        <button type="submit" className="ostiary-button" data-importance="primary" value="">
          {texts.cancel}
        </button>
        <button type="submit" className="ostiary-button" data-importance="secondary" value="confirmed">
          {texts.confirm}
        </button>
      </form>
    </dialog>
  );
}
