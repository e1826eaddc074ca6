// SPDX-License-Identifier: Apache-2.0
import { type JSX, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { applyConditions, conditionAttributes } from "../form/conditions.ts";
import { canCopy, copyText } from "../form/copy-text.ts";
import type { FormElement, FormList } from "../form/describe-form.ts";
import { focusFirstControl } from "../form/focus.ts";
import { printText, saveText } from "../form/keep-text.ts";
import { englishFormTexts, type FormTexts, fillIn } from "../form/texts.ts";
import { FormFieldView, propertiesOf } from "./form-field-view.tsx";
import { ErrorsView, HintView } from "./said-view.tsx";

/** The properties of `FormElementView`. */
export interface FormElementViewProps<Element = FormElement> {
  readonly element: Element;
  /** Default: English. */
  readonly texts?: FormTexts | undefined;
  /** Whether a shown password is hidden again; true while the form is sent. */
  readonly concealed?: boolean | undefined;
}

/** Draws one element of a form above its buttons, for pages that put a form together by hand. */
export function FormElementView({
  element,
  texts = englishFormTexts,
  concealed,
}: FormElementViewProps): JSX.Element | null {
  switch (element.kind) {
    case "field":
      return <FormFieldView field={element} texts={texts} concealed={concealed} />;
    case "list":
      return <ListView element={element} texts={texts} concealed={concealed} />;
    case "text":
      return (
        <>
          {element.label === undefined ? null : <p className="ostiary-label">{element.label}</p>}
          <p className="ostiary-text">{element.text}</p>
          {element.copyable ? <CopyButton text={element.text} texts={texts} /> : null}
          {element.keepable ? (
            <>
              <button
                type="button"
                className="ostiary-save"
                onClick={() => saveText(element.name, element.text)}
              >
                {texts.save}
              </button>
              <button type="button" className="ostiary-print" onClick={printText}>
                {texts.print}
              </button>
            </>
          ) : null}
        </>
      );
    case "image":
      return <img className="ostiary-image" src={element.source} alt={element.alternativeText} />;
    case "anchor":
      return (
        <a className="ostiary-link" href={element.url}>
          {element.label}
        </a>
      );
    default:
      return element satisfies never;
  }
}

function ListView({
  element,
  texts = englishFormTexts,
  concealed,
}: FormElementViewProps<FormList>): JSX.Element {
  const { label, hint, errors, ids, items, attributes, shownWhile } = element;
  const [count, setCount] = useState(items.length);
  const last = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (count === items.length || last.current === null) return;
    // The form is not drawn again, so what the new item hides is hidden here.
    const form = last.current.closest("form");
    if (form !== null) applyConditions(form);
    focusFirstControl(last.current);
  }, [count, items.length]);
  return (
    <fieldset className="ostiary-list" {...propertiesOf(attributes)} {...conditionAttributes(shownWhile)}>
      <legend className="ostiary-label">{label}</legend>
      <HintView id={ids.hint} text={hint} />
      <div className="ostiary-items">
        {Array.from({ length: count }, (_, index) => index).map((index) => (
          <div key={index} className="ostiary-item" ref={index === count - 1 ? last : undefined}>
            {element.item(index).map((field) => (
              <FormFieldView key={field.name} field={field} texts={texts} concealed={concealed} />
            ))}
          </div>
        ))}
      </div>
      {element.canAdd(count) ? (
        <button
          type="button"
          className="ostiary-add"
          aria-label={fillIn(texts.addTo, { list: label }) ?? texts.add}
          onClick={() => setCount(count + 1)}
        >
          {texts.add}
        </button>
      ) : null}
      <ErrorsView id={ids.errors} errors={errors} />
    </fieldset>
  );
}

function CopyButton({
  text,
  texts,
}: {
  readonly text: string;
  readonly texts: FormTexts;
}): JSX.Element | null {
  const [said, setSaid] = useState("");
  // A page that a server has drawn offers it as soon as the browser takes over.
  const isOffered = useSyncExternalStore(never, canCopy, () => false);
  if (!isOffered) return null;
  const copy = async () => setSaid((await copyText(text)) ? texts.copied : texts.notCopied);
  return (
    <>
      <button type="button" className="ostiary-copy" onClick={() => void copy()}>
        {texts.copy}
      </button>
      <p className="ostiary-status" role="status">
        {said}
      </p>
    </>
  );
}

/** Subscribes to what never changes. */
function never(): () => void {
  return () => {};
}
