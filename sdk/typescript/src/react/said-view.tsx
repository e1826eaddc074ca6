// SPDX-License-Identifier: Apache-2.0
import type { JSX } from "react";
import type { FieldLink, FormField } from "../form/field.ts";
import type { FormMessageView } from "../form/message-view.ts";
import { openMark } from "../form/password-rules.ts";
import { type FormTexts, fillIn } from "../form/texts.ts";

/** What helps with a field, a list or a button; nothing where there is nothing to say. */
export function HintView({
  id,
  text,
}: {
  readonly id: string;
  readonly text: string | undefined;
}): JSX.Element | null {
  if (text === undefined) return null;
  return (
    <p className="ostiary-hint" id={id}>
      {text}
    </p>
  );
}

/** What is wrong with a field or a list; nothing where nothing is. */
export function ErrorsView({
  id,
  errors,
}: {
  readonly id: string;
  readonly errors: readonly FormMessageView[];
}): JSX.Element | null {
  if (errors.length === 0) return null;
  return (
    <p className="ostiary-error" id={id}>
      {errors.map(({ text }) => text).join(" ")}
    </p>
  );
}

/** A page to read before a field is filled in; nothing where there is none. */
export function LinkView({
  link,
  texts,
}: {
  readonly link: FieldLink | undefined;
  readonly texts: FormTexts;
}): JSX.Element | null {
  if (link === undefined) return null;
  const { url, label } = link;
  return (
    <p className="ostiary-hint">
      <a
        className="ostiary-link"
        href={url}
        target="_blank"
        rel="noopener"
        aria-label={fillIn(texts.opensNewTab, { link: label }) ?? label}
      >
        {label}
      </a>
    </p>
  );
}

/** What is asked of a new password; nothing for any other field. Which rules it keeps is shown by `watchRules`. */
export function RulesView({
  field,
  texts,
}: {
  readonly field: FormField;
  readonly texts: FormTexts;
}): JSX.Element | null {
  const { rules, rulesAttributes } = field;
  if (rules.length === 0) return null;
  const mark = openMark(texts);
  return (
    <>
      {/* biome-ignore lint/a11y/noRedundantRoles: lists without marks are none to some screen readers unless they say so */}
      <ul className="ostiary-rules" role="list" {...rulesAttributes}>
        {rules.map(({ name, text }) => (
          <li key={name} data-rule={name}>
            <span className="ostiary-mark" {...mark.attributes}>
              {mark.text}
            </span>{" "}
            <span className="ostiary-rule">{text}</span>
          </li>
        ))}
      </ul>
      <p className="ostiary-rules-status" role="status" />
    </>
  );
}
