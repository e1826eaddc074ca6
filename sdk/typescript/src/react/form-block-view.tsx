// SPDX-License-Identifier: Apache-2.0
import { type JSX, useEffect, useRef, useState } from "react";
import type { FormButton, FormPart } from "../form/describe-form.ts";
import { type FormBlock, hasErrors } from "../form/layout.ts";
import type { FormTexts } from "../form/texts.ts";
import { countDownOn } from "../form/waiting-button.ts";
import { FormElementView } from "./form-element-view.tsx";
import { HintView } from "./said-view.tsx";

interface FormBlockViewProps {
  readonly block: FormBlock;
  readonly texts: FormTexts;
  readonly language: string | undefined;
  /** Whether a shown password is hidden again. */
  readonly concealed: boolean;
  /** Whether the ways that are put away are open. */
  readonly isOpen: boolean;
  readonly onOpen: (isOpen: boolean) => void;
  /** Called with what is to be said to screen readers, once a button does not wait any more. */
  readonly onWaited: (said: string) => void;
  /** The step that was refused, and waits until it can be sent again. Undefined: none. */
  readonly waitingStep: string | undefined;
}

/** Parts of a form that are drawn together. */
export function FormBlockView(props: FormBlockViewProps): JSX.Element {
  const { block, texts, isOpen, onOpen } = props;
  const parts = block.parts.map((part, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one flow never change places
    <PartView key={index} part={part} {...props} />
  ));
  if (block.kind === "more") {
    return (
      <details
        className="ostiary-more"
        open={isOpen || hasErrors(block)}
        onToggle={(event) => onOpen(event.currentTarget.open)}
      >
        <summary className="ostiary-summary">{texts.anotherWay}</summary>
        {parts}
      </details>
    );
  }
  if (block.section === undefined) return <>{parts}</>;
  const { id, heading, headingId } = block.section;
  return (
    <section className="ostiary-section" data-section={id} aria-labelledby={headingId}>
      <h2 className="ostiary-heading" id={headingId} tabIndex={-1}>
        {heading}
      </h2>
      {parts}
    </section>
  );
}

function PartView({
  part,
  texts,
  language,
  concealed,
  onWaited,
  waitingStep,
}: { readonly part: FormPart } & FormBlockViewProps): JSX.Element {
  return (
    <>
      {part.alternative ? <p className="ostiary-or">{texts.or}</p> : null}
      <div className="ostiary-part">
        {part.elements.map((element) => (
          <FormElementView key={element.name} element={element} texts={texts} concealed={concealed} />
        ))}
        {part.buttons.map((button) => (
          <ButtonView
            key={`${button.step} ${button.label}`}
            button={button}
            texts={texts}
            language={language}
            onWaited={onWaited}
            waitingStep={waitingStep}
          />
        ))}
      </div>
    </>
  );
}

function ButtonView({
  button,
  texts,
  language,
  onWaited,
  waitingStep,
}: { readonly button: FormButton } & Pick<
  FormBlockViewProps,
  "texts" | "language" | "onWaited" | "waitingStep"
>): JSX.Element {
  const { step, label, waitMs, sent, primary, danger, confirmation, icon, hint, lastUsed } = button;
  const [end] = useState(() => performance.now() + waitMs);
  const [shown, setShown] = useState({ label, waits: waitMs > 0 });
  const latest = useRef({ texts, onWaited });
  latest.current = { texts, onWaited };
  useEffect(() => {
    // In another language it goes on from what is left.
    setShown({ label, waits: end > performance.now() });
    return countDownOn({ label, end }, { language, texts: latest.current.texts }, (next) => {
      setShown(next);
      if (!next.waits) latest.current.onWaited(next.said);
    });
  }, [label, end, language]);
  return (
    <>
      {hint === undefined ? null : <HintView {...hint} />}
      <button
        type="submit"
        className="ostiary-button"
        data-step={step}
        data-importance={primary ? "primary" : "secondary"}
        data-danger={danger ? "" : undefined}
        data-question={confirmation}
        data-icon={icon}
        data-last-used={lastUsed ? "" : undefined}
        disabled={shown.waits}
        name={sent?.name}
        value={sent?.value}
        aria-describedby={hint?.id}
        aria-disabled={step === waitingStep ? "true" : undefined}
      >
        {shown.label}
      </button>
    </>
  );
}
