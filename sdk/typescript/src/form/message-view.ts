// SPDX-License-Identifier: Apache-2.0
import type { ClientKind } from "../../../../gen/ostiary/flow/v1/flow_pb.js";
import { type FormMessage, FormMessageType } from "../../../../gen/ostiary/flow/v1/form_pb.js";
import type { FormTexts, Translate } from "./texts.ts";

/** How a form is drawn. */
export interface FormOptions {
  /** Default: the server's own sentences, which are in English. */
  readonly translate?: Translate | undefined;
  /** Words in place of `englishFormTexts`. */
  readonly texts?: Partial<FormTexts> | undefined;
  /** What the ids of the controls begin with, if there are several forms on one page. Default `ostiary`. */
  readonly idPrefix?: string | undefined;
  /**
   * The kind of client whose flows are drawn; a flow of another one is refused with a FlowClientError. Default
   * `ClientKind.BROWSER`. Only the page of a native app (`server.native_origins`) sets `ClientKind.NATIVE`.
   */
  readonly client?: ClientKind | undefined;
}

/** A message as it is drawn. */
export interface FormMessageView {
  /** The permanent number. */
  readonly id: number;
  readonly kind: "info" | "error" | "success";
  readonly text: string;
}

/** Translates a message. */
export function viewMessage(message: FormMessage, { translate }: FormOptions): FormMessageView {
  return { id: message.id, kind: kindOf(message.type), text: translate?.(message) ?? message.text };
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
