// SPDX-License-Identifier: Apache-2.0
import { type JSX, useEffect, useRef, useState } from "react";
import { conditionAttribute, conditionText } from "../form/conditions.ts";
import type { FormElement, FormList } from "../form/describe-form.ts";
import { englishFormTexts, type FormTexts, fillIn } from "../form/texts.ts";
import { FormFieldView } from "./form-field-view.tsx";

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
          {element.copyable ? (
            <button
              type="button"
              className="ostiary-copy"
              onClick={() => void navigator.clipboard.writeText(element.text)}
            >
              {texts.copy}
            </button>
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
    default: {
      const unreachable: never = element;
      return unreachable;
    }
  }
}

function ListView({
  element,
  texts = englishFormTexts,
  concealed,
}: FormElementViewProps<FormList>): JSX.Element {
  const { label, hint, errors, ids, items, shownWhile } = element;
  const [count, setCount] = useState(items.length);
  const last = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (count > items.length) last.current?.querySelector<HTMLElement>("input, select, textarea")?.focus();
  }, [count, items.length]);
  const described = [hint && ids.hint, errors.length > 0 && ids.errors].filter(Boolean).join(" ");
  const condition = shownWhile && { [conditionAttribute]: conditionText(shownWhile) };
  return (
    <fieldset className="ostiary-list" id={ids.list} aria-describedby={described || undefined} {...condition}>
      <legend className="ostiary-label">{label}</legend>
      {hint === undefined ? null : (
        <p className="ostiary-hint" id={ids.hint}>
          {hint}
        </p>
      )}
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
      {errors.length === 0 ? null : (
        <p className="ostiary-error" id={ids.errors}>
          {errors.map(({ text }) => text).join(" ")}
        </p>
      )}
    </fieldset>
  );
}
