import type { JsonObject } from "../json.ts";

/** A sentence for people with a permanent number to translate it by. */
export interface UserMessage {
  readonly id: number;
  readonly type: "info" | "error" | "success";
  readonly text: string;
  /** The values within the sentence. */
  readonly context: JsonObject;
  /** The sentence in other languages, by their tags, if the schema has them. */
  readonly translations?: Readonly<Record<string, string>> | undefined;
}

/** A message that informs. */
export function info(id: number, text: string, context: JsonObject = {}): UserMessage {
  return { id, type: "info", text, context };
}

/** A message that something is wrong. */
export function error(id: number, text: string, context: JsonObject = {}): UserMessage {
  return { id, type: "error", text, context };
}

/** A message that something has worked. */
export function success(id: number, text: string, context: JsonObject = {}): UserMessage {
  return { id, type: "success", text, context };
}
