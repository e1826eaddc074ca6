// SPDX-License-Identifier: Apache-2.0
import type { FormElement, FormPart } from "./describe-form.ts";
import { describedBy, type FormField, hintIn } from "./field.ts";
import type { FormOptions } from "./message-view.ts";
import { englishFormTexts, fillIn } from "./texts.ts";

/* What a field says and does because of what is beside it in the form. */

/** Has a code sent by itself that is all that a step asks for, and says so beside it. Not after one was wrong. */
export function withSelfSending(parts: readonly FormPart[], { texts }: FormOptions): readonly FormPart[] {
  const asksMore = parts.some(({ step, fields }) => step === undefined && fields.length > 0);
  return parts.map((part) => {
    const [field, ...others] = part.fields;
    const length = field?.codeLength;
    const isAlone = others.length === 0 && !asksMore && part.step !== undefined && !field?.errors.length;
    if (field === undefined || length === undefined || !isAlone) return part;
    const template = texts?.sendsItself ?? englishFormTexts.sendsItself;
    const said = fillIn(template, { code_length: length }) ?? template;
    const hint = hintIn([...(field.hint === undefined ? [] : [field.hint]), said]);
    const { ids, errors, attributes } = field;
    const sending: FormField = {
      ...field,
      hint,
      attributes: { ...attributes, ...describedBy({ hint, errors, ids }), "data-sends-itself": true },
    };
    return withFields(part, (each) => (each === field ? sending : each));
  });
}

/** Says what the key Enter of a keyboard on a screen does: to the next field, or on with the step. */
export function withEnterKeys(parts: readonly FormPart[]): readonly FormPart[] {
  const typed = (part: FormPart | undefined) =>
    (part?.fields ?? []).filter(({ control, readOnly }) => /text$|^password$/.test(control) && !readOnly);
  return parts.map((part, index) => {
    const own = typed(part);
    const goesOn = part.buttons.length > 0 || typed(parts[index + 1]).length === 0;
    return withFields(part, (field) => {
      if (field.control === "textarea" || !own.includes(field)) return field;
      const enterkeyhint = field === own.at(-1) && goesOn ? "go" : "next";
      return { ...field, attributes: { ...field.attributes, enterkeyhint } };
    });
  });
}

/** A part with other fields in the place of those that it has; the items of lists are drawn as they are. */
function withFields(part: FormPart, change: (field: FormField) => FormField): FormPart {
  const changed = new Map(part.fields.map((field) => [field, change(field)] as const));
  const withChanged = (element: FormElement): FormElement => {
    if (element.kind === "group") return { ...element, elements: element.elements.map(withChanged) };
    return element.kind === "field" ? (changed.get(element) ?? element) : element;
  };
  return {
    ...part,
    fields: part.fields.map((field) => changed.get(field) ?? field),
    elements: part.elements.map(withChanged),
  };
}
