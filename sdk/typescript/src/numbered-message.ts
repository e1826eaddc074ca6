// SPDX-License-Identifier: Apache-2.0
import type { JsonObject } from "@bufbuild/protobuf";

/** A sentence of the server for people, in a form or with an error, with the permanent number to translate it by. */
export interface NumberedMessage {
  /** Permanent. */
  readonly id: number;
  /** The sentence in English. */
  readonly text: string;
  /** The values within the sentence. */
  readonly context?: JsonObject | undefined;
}
