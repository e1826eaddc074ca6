// SPDX-License-Identifier: Apache-2.0
import { userMessageOf } from "../errors.ts";
import type { FormOptions } from "./message-view.ts";
import { englishFormTexts } from "./texts.ts";

/** How a form says that its submit has failed. */
export interface FailureOptions extends FormOptions {
  /** What to say if `onSubmit` throws. Default: what the server has for people to read, else that it did not work. */
  describeError?: ((error: unknown) => string) | undefined;
}

/** What a form says when its submit has failed. */
export function describeFailure(error: unknown, options: FailureOptions): string {
  if (options.describeError !== undefined) return options.describeError(error);
  const message = userMessageOf(error);
  if (message === undefined) return { ...englishFormTexts, ...options.texts }.failed;
  return options.translate?.(message) ?? message.text;
}
