// SPDX-License-Identifier: Apache-2.0
import type { FormOptions } from "./message-view.ts";
import { type FormTexts, type MessageTexts, translator } from "./texts.ts";

/** Everything that forms and errors say, in one language. Those of this package are in `@ostiary/sdk/texts/`. */
export interface Catalogue {
  /** The language's tag (BCP 47). */
  readonly tag: string;
  /** The words of a form that no message of the server has. */
  readonly form: FormTexts;
  /** The server's messages, of forms and errors. One that is not here is shown in the server's words, which are English. */
  readonly messages: MessageTexts;
}

/**
 * How a form is drawn in the language of a catalogue: for `describeForm`, `renderForm`, `FlowForm` and `describeFailure`. `locale` is how the
 * reader writes numbers and times, such as `de-CH`; default: the catalogue's language.
 */
export function optionsIn(
  { tag, form, messages }: Catalogue,
  locale: string = tag,
): Pick<FormOptions, "translate" | "language" | "texts"> {
  return { translate: translator(messages, locale), language: locale, texts: form };
}

/**
 * Puts other sentences into a catalogue, as a file of texts has them (docs/texts.md): messages by number, with conditions or without, and words
 * by the path of their key, such as `form.optional`. Keys that the catalogue does not know are left out. It also takes a page's own
 * words, of any shape.
 */
export function withTexts<Words extends { readonly messages: MessageTexts }>(
  words: Words,
  texts: Readonly<Record<string, string>>,
): Words {
  const messages = Object.fromEntries(Object.entries(texts).filter(([key]) => /^\d/.test(key)));
  // Sentences of one number belong together: those of the catalogue would be said in place of a new one that has no conditions.
  const replaced = new Set(Object.keys(messages).map(numberOf));
  const kept = Object.entries(words.messages).filter(([key]) => !replaced.has(numberOf(key)));
  return {
    ...withWords(words, texts, ""),
    messages: { ...Object.fromEntries(kept), ...messages },
  };
}

/** The language's direction, for the attribute `dir`. */
export function directionOf(language: string): "ltr" | "rtl" {
  return /^(?:ar|ckb|dv|fa|he|iw|ps|sd|ug|ur|yi)(?:-|$)|-(?:Adlm|Arab|Hebr|Nkoo|Rohg|Thaa)(?:-|$)/i.test(
    language,
  )
    ? "rtl"
    : "ltr";
}

function withWords<Words extends object>(
  words: Words,
  texts: Readonly<Record<string, string>>,
  path: string,
): Words {
  const entries = Object.entries(words).map(([name, value]): [string, unknown] => {
    const key = path + name;
    if (typeof value === "object" && value !== null) return [name, withWords(value, texts, `${key}.`)];
    // A file cannot say that it is in another language.
    const isText = typeof value === "string" && key !== "tag" && Object.hasOwn(texts, key);
    return [name, isText ? texts[key] : value];
  });
  return Object.fromEntries(entries) as Words;
}

function numberOf(key: string): number {
  return Number.parseInt(key, 10);
}
