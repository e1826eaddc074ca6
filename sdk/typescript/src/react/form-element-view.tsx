// SPDX-License-Identifier: Apache-2.0
import { type JSX, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { applyConditions, conditionAttributes } from "../form/conditions.ts";
import { canCopy, copyText } from "../form/copy-text.ts";
import type { FormBox, FormElement, FormGroup, FormList } from "../form/describe-form.ts";
import { focusAfterRemoval } from "../form/focus.ts";
import { printText, saveText } from "../form/keep-text.ts";
import { englishFormTexts, type FormTexts, fillIn } from "../form/texts.ts";
import { FormFieldView, propertiesOf } from "./form-field-view.tsx";
import { ErrorsView, HintView, LinkView } from "./said-view.tsx";

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
    case "group":
      return <GroupView element={element} texts={texts} concealed={concealed} />;
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

function GroupView({ element, texts, concealed }: FormElementViewProps<FormGroup>): JSX.Element {
  const { label, hint, ids, elements } = element;
  return (
    <fieldset className="ostiary-group" aria-describedby={hint === undefined ? undefined : ids.hint}>
      <legend className="ostiary-label">{label}</legend>
      <HintView id={ids.hint} text={hint} />
      {elements.map((inner) => (
        <FormElementView key={inner.name} element={inner} texts={texts} concealed={concealed} />
      ))}
    </fieldset>
  );
}

function ListView({
  element,
  texts = englishFormTexts,
  concealed,
}: FormElementViewProps<FormList>): JSX.Element {
  const { label, hint, errors, link, ids, attributes, boxes, shownWhile } = element;
  return (
    <fieldset className="ostiary-list" {...propertiesOf(attributes)} {...conditionAttributes(shownWhile)}>
      <legend className="ostiary-label">{label}</legend>
      <HintView id={ids.hint} text={hint} />
      {boxes === undefined ? (
        <ItemsView element={element} texts={texts} concealed={concealed} />
      ) : (
        <BoxesView name={element.name} boxes={boxes} />
      )}
      <LinkView link={link} texts={texts} />
      <ErrorsView id={ids.errors} errors={errors} />
    </fieldset>
  );
}

function BoxesView({
  name,
  boxes,
}: {
  readonly name: string;
  readonly boxes: readonly FormBox[];
}): JSX.Element {
  return (
    <div className="ostiary-boxes">
      {/* Says that the boxes were drawn, if none is ticked. */}
      <input type="hidden" name={name} value="" />
      {boxes.map(({ label, checked, attributes }) => (
        <div key={String(attributes.id)} className="ostiary-field" data-control="checkbox">
          <input className="ostiary-input" defaultChecked={checked} {...propertiesOf(attributes)} />
          <label className="ostiary-label" htmlFor={String(attributes.id)}>
            {label}
          </label>
        </div>
      ))}
    </div>
  );
}

function ItemsView({
  element,
  texts = englishFormTexts,
  concealed,
}: FormElementViewProps<FormList>): JSX.Element {
  const { label, items } = element;
  // The indexes of the items that are drawn. One that was added and taken out again leaves a gap.
  const [shown, setShown] = useState(() => items.map((_, index) => index));
  const next = useRef(items.length);
  const drawn = useRef<HTMLDivElement>(null);
  /** What gets the focus after the next drawing: the item that was added, or the one beside the item that is gone. */
  const wanted = useRef<number>(undefined);
  useEffect(() => {
    const { current: index } = wanted;
    if (index === undefined || drawn.current === null) return;
    wanted.current = undefined;
    // The form is not drawn again, so what the new item hides is hidden here.
    const form = drawn.current.closest("form");
    if (form !== null) applyConditions(form);
    const item = drawn.current.querySelector(`:scope > [data-index="${index}"]`);
    const add = drawn.current.parentElement?.querySelector<HTMLElement>(":scope > .ostiary-add");
    focusAfterRemoval(item, add ?? null);
  });
  const addItem = () => {
    const index = next.current++;
    wanted.current = index;
    setShown([...shown, index]);
  };
  const takeOut = (index: number) => {
    const at = shown.indexOf(index);
    wanted.current = shown[at + 1] ?? shown[at - 1] ?? -1;
    setShown(shown.filter((each) => each !== index));
  };
  return (
    <>
      <div className="ostiary-items" ref={drawn}>
        {items.map((_, index) =>
          shown.includes(index) ? null : (
            <input key={element.item(index).name} type="hidden" name={element.item(index).name} value="" />
          ),
        )}
        {shown.map((index) => {
          const item = element.item(index);
          return (
            // biome-ignore lint/a11y/useSemanticElements: its name is for screen readers alone, so it has no legend
            <div key={index} className="ostiary-item" role="group" aria-label={item.label} data-index={index}>
              {item.elements.map((inner) => (
                <FormElementView key={inner.name} element={inner} texts={texts} concealed={concealed} />
              ))}
              {item.canTakeOut ? (
                <button
                  type="button"
                  className="ostiary-remove"
                  aria-label={fillIn(texts.removeNamed, { item: item.label }) ?? texts.remove}
                  onClick={() => takeOut(index)}
                >
                  {texts.remove}
                </button>
              ) : null}
            </div>
          );
        })}
      </div>
      {element.canAdd(shown.length) ? (
        <button
          type="button"
          className="ostiary-add"
          aria-label={fillIn(texts.addTo, { list: label }) ?? texts.add}
          onClick={addItem}
        >
          {texts.add}
        </button>
      ) : null}
    </>
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
