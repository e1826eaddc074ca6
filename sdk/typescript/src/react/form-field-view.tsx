// SPDX-License-Identifier: Apache-2.0
import { type JSX, useEffect, useRef, useState } from "react";
import { conditionAttributes } from "../form/conditions.ts";
import { listenToControls } from "../form/controls.ts";
import type { FormField } from "../form/field.ts";
import { watchRules } from "../form/password-rules.ts";
import { englishFormTexts, type FormTexts } from "../form/texts.ts";
import { ErrorsView, HintView, LinkView, RulesView } from "./said-view.tsx";

/** The properties of `FormFieldView`. */
export interface FormFieldViewProps {
  readonly field: FormField;
  /** Default: English. */
  readonly texts?: FormTexts | undefined;
  /** Hides a password that is shown; it is set while the form is sent. */
  readonly concealed?: boolean | undefined;
}

/** One field with its label, hint and errors, for pages that put a form together by hand. */
export function FormFieldView({
  field,
  texts = englishFormTexts,
  concealed,
}: FormFieldViewProps): JSX.Element {
  const isCheckbox = field.control === "checkbox";
  const label = (
    <label className="ostiary-label" htmlFor={field.ids.control}>
      {field.label}
      {field.optional ? <span className="ostiary-optional"> ({texts.optional})</span> : null}
    </label>
  );
  const control = <Control field={field} texts={texts} concealed={concealed ?? false} />;
  const drawn = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const form = drawn.current?.closest("form");
    if (!form) return;
    listenToControls(form);
    watchRules(form);
  }, []);
  return (
    <div
      ref={drawn}
      className="ostiary-field"
      data-control={field.control}
      {...conditionAttributes(field.shownWhile)}
    >
      {isCheckbox ? control : label}
      {isCheckbox ? label : control}
      <RulesView field={field} texts={texts} />
      <HintView id={field.ids.hint} text={field.hint} />
      <LinkView link={field.link} texts={texts} />
      <ErrorsView id={field.ids.errors} errors={field.errors} />
    </div>
  );
}

interface ControlProps {
  readonly field: FormField;
  readonly texts: FormTexts;
  readonly concealed: boolean;
}

function Control({ field, texts, concealed }: ControlProps): JSX.Element {
  const properties = propertiesOf(field.attributes);
  switch (field.control) {
    case "select":
      return (
        <select className="ostiary-input" {...properties} defaultValue={field.value}>
          {field.offersNone ? <option value="">{texts.choose}</option> : null}
          {field.options.map(({ value, label }) => (
            <option key={value} value={value}>
              {label}
            </option>
          ))}
        </select>
      );
    case "textarea":
      return <textarea className="ostiary-input" {...properties} defaultValue={field.value} />;
    case "checkbox":
      return <input className="ostiary-input" {...properties} defaultChecked={field.checked} />;
    case "password":
      return <Secret field={field} texts={texts} concealed={concealed} />;
    case "text":
      return <input className="ostiary-input" {...properties} defaultValue={field.value} />;
    default:
      return field.control satisfies never;
  }
}

function Secret({ field, texts, concealed }: ControlProps): JSX.Element {
  const [shown, setShown] = useState(false);
  const visible = shown && !concealed;
  return (
    <div className="ostiary-secret">
      <input
        className="ostiary-input"
        {...propertiesOf(field.attributes)}
        type={visible ? "text" : "password"}
      />
      <button
        type="button"
        className="ostiary-reveal"
        aria-controls={field.ids.control}
        aria-label={visible ? texts.hidePassword : texts.showPassword}
        onClick={() => setShown(!visible)}
      >
        {visible ? texts.hide : texts.show}
      </button>
    </div>
  );
}

/** React has names of its own for some attributes of HTML. */
const reactNames: Readonly<Record<string, string>> = {
  autocapitalize: "autoCapitalize",
  autocomplete: "autoComplete",
  enterkeyhint: "enterKeyHint",
  inputmode: "inputMode",
  minlength: "minLength",
  readonly: "readOnly",
  spellcheck: "spellCheck",
  tabindex: "tabIndex",
};

/** The attributes of an element as React calls them. */
export function propertiesOf(attributes: FormField["attributes"]): Record<string, string | true> {
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [reactNames[name] ?? name, value]),
  );
}
