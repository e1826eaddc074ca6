// SPDX-License-Identifier: Apache-2.0
import type { MethodKind } from "../../../../gen/ostiary/common/v1/method_kind_pb.js";
import type { ClientKind } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import { type FormMessage, FormMessageType, type FormNode } from "../../../../gen/ostiary/flow/v1/form_pb.js";
import type { FormTexts, Translate } from "./texts.ts";

/** How a form is drawn. */
export interface FormOptions {
  /** Default: the server's own sentences, which are in English. */
  readonly translate?: Translate | undefined;
  /**
   * The language of the page (BCP 47): titles that an identity schema has in it are shown in it, and spans of time. Default: titles
   * as they come, and English.
   */
  readonly language?: string | undefined;
  /** Words in place of `englishFormTexts`. */
  readonly texts?: Partial<FormTexts> | undefined;
  /** The method that this browser signed in with last, as `lastUsedMethod` gives it. It is marked. Default: none is. */
  readonly lastUsedMethod?: MethodKind | undefined;
  /**
   * What the person signs in with whose password is asked for, where the form does not say: for programs that keep passwords. Default: it
   * is not known.
   */
  readonly username?: string | undefined;
  /** What the ids of the controls begin with, if there are several forms on one page. Default `ostiary`. */
  readonly idPrefix?: string | undefined;
  /**
   * The kind of client whose flows are drawn; a flow of another one is refused with a FlowClientError. Default
   * `ClientKind.BROWSER`. Only the page of a native app (`server.native_origins`) sets `ClientKind.NATIVE`.
   */
  readonly client?: ClientKind | undefined;
}

/** How the fields of a form are drawn. */
export interface FieldOptions extends FormOptions {
  /**
   * Whether numbers are shown, and typed, as people of the language write them. The form must then give them as the server reads them:
   * call `listenToControls` for it. `renderForm` and `FlowForm` do both. Default false: with a point, and nothing else.
   */
  readonly localNumbers?: boolean | undefined;
}

/** A message as it is drawn. */
export interface FormMessageView {
  /** The permanent number. */
  readonly id: number;
  readonly kind: "info" | "error" | "success";
  readonly text: string;
}

/** Translates a message. */
export function viewMessage(message: FormMessage, { translate, language }: FormOptions): FormMessageView {
  const text = inLanguage(message.translations, language) ?? translate?.(message) ?? message.text;
  return { id: message.id, kind: kindOf(message.type), text };
}

/** What is said of a node: what helps, and what is wrong with its value. */
export function saidOf(
  { help, messages }: FormNode,
  options: FormOptions,
): { readonly hints: readonly string[]; readonly errors: readonly FormMessageView[] } {
  const said = [help ?? [], messages].flat().map((message) => viewMessage(message, options));
  return {
    hints: said.filter(({ kind }) => kind !== "error").map(({ text }) => text),
    errors: said.filter(({ kind }) => kind === "error"),
  };
}

/** What the server has in the language of the page, or in the same language elsewhere. */
export function inLanguage(
  translations: Readonly<Record<string, string>>,
  language: string | undefined,
): string | undefined {
  if (language === undefined) return undefined;
  const tags = Object.keys(translations);
  const same = (tag: string, other: string) => tag.toLowerCase() === other.toLowerCase();
  const [primary = ""] = language.split("-");
  const tag = tags.find((each) => same(each, language)) ?? tags.find((each) => same(each, primary));
  return tag === undefined ? undefined : translations[tag];
}

function kindOf(type: FormMessageType): FormMessageView["kind"] {
  switch (type) {
    case FormMessageType.ERROR:
      return "error";
    case FormMessageType.SUCCESS:
      return "success";
    default:
      return "info";
  }
}
