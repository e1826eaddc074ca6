// SPDX-License-Identifier: Apache-2.0
import { retryAfterOf, userMessageOf } from "../errors.ts";
import type { FormOptions } from "./message-view.ts";
import { PasskeyError } from "./passkey.ts";
import { spanOf } from "./span.ts";
import { englishFormTexts, fillIn } from "./texts.ts";

/** How a form says that its submit has failed. */
export interface FailureOptions extends FormOptions {
  /**
   * What to say if `onSubmit` throws. Default: `describeFailure`. `waitMs` is how long the button waits still; while that is counted down it
   * is asked again each second.
   */
  readonly describeError?: ((error: unknown, waitMs?: number) => string) | undefined;
}

/**
 * What a form says when its submit has failed: the server's sentence for people, else that it did not work; and when to try again. `waitMs`:
 * how long that is still. Default: as the error says.
 */
export function describeFailure(
  error: unknown,
  options: FailureOptions = {},
  waitMs = retryAfterOf(error),
): string {
  if (options.describeError !== undefined) return options.describeError(error, waitMs);
  const texts = { ...englishFormTexts, ...options.texts };
  if (error instanceof PasskeyError) return texts[error.said];
  const message = userMessageOf(error);
  const text = message === undefined ? texts.failed : (options.translate?.(message) ?? message.text);
  const time = waitMs === undefined ? undefined : spanOf(waitMs, options.language);
  const again = time === undefined ? undefined : fillIn(texts.tryAgainIn, { time });
  return again === undefined ? text : `${text} ${again}`;
}
