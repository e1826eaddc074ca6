import { type JSX, useEffect, useRef, useState } from "react";
import { useWords } from "../language/index.ts";

interface Asked {
  readonly text: string;
  readonly answer: (confirmed: boolean) => void;
}

/** Asks before something is done that cannot be undone. Gives what to draw, and how to ask. */
export function useQuestion(): {
  readonly drawn: JSX.Element | null;
  readonly ask: (text: string) => Promise<boolean>;
} {
  const [asked, setAsked] = useState<Asked>();
  const ask = (text: string) => new Promise<boolean>((answer) => setAsked({ text, answer }));
  const close = (confirmed: boolean) => {
    setAsked(undefined);
    asked?.answer(confirmed);
  };
  return { drawn: asked === undefined ? null : <Question text={asked.text} onClose={close} />, ask };
}

function Question({
  text,
  onClose,
}: {
  readonly text: string;
  readonly onClose: (confirmed: boolean) => void;
}): JSX.Element {
  const { question } = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog
      ref={dialog}
      className="question"
      aria-labelledby="question-text"
      // Escape closes it as well, and then it is not confirmed.
      onClose={() => onClose(dialog.current?.returnValue === "confirmed")}
    >
      <form method="dialog">
        <p id="question-text">{text}</p>
        {/* The first button has the focus: what is pressed in haste changes nothing. */}
        <button type="submit" className="ostiary-button" data-importance="primary" value="">
          {question.cancel}
        </button>
        <button
          type="submit"
          className="ostiary-button"
          data-importance="secondary"
          data-danger=""
          value="confirmed"
        >
          {question.confirm}
        </button>
      </form>
    </dialog>
  );
}
