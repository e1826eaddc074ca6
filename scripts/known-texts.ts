// SPDX-License-Identifier: Apache-2.0
// All that people can be told, with the values that its sentences can name: read from the server's messages, the English catalogue of the
// SDK and the English words of the pages.
import { englishFormTexts } from "../sdk/typescript/src/form/texts.ts";
import { english } from "../sdk/typescript/src/texts/en.ts";
import type { ValueKind } from "../src/domain/user-message/check-texts.ts";
import { english as pageWords } from "../ui/src/language/english.ts";
import { everyMessage } from "./every-message.ts";

/** The English sentences by key; those of messages with their conditions. */
export const englishTexts: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(english.messages).map(([key, text]) => [key, String(text)])),
  ...sentencesIn({ form: englishFormTexts }),
  ...sentencesIn({ ...pageWords, tag: undefined }),
};

/** The values that each message and word can name, by their kinds. */
export const textValues: Readonly<Record<string, Readonly<Record<string, ValueKind>>>> = {
  ...valuesOfMessages(),
  ...Object.fromEntries(
    Object.entries(englishTexts)
      .filter(([key]) => !/^\d/.test(key))
      .map(([key, text]) => [key, valuesIn(text)]),
  ),
};

/** The texts of nested words, each by the path of its key. */
function sentencesIn(words: object, path = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, value] of Object.entries(words)) {
    if (typeof value === "string") found[path + name] = value;
    else if (typeof value === "object" && value !== null)
      Object.assign(found, sentencesIn(value, `${path}${name}.`));
  }
  return found;
}

function valuesOfMessages(): Record<string, Record<string, ValueKind>> {
  const values: Record<string, Record<string, ValueKind>> = {};
  for (const { id, context } of everyMessage) {
    const own = values[id] ?? {};
    for (const [name, value] of Object.entries(context)) if (value !== null) own[name] = kindOf(name, value);
    values[id] = own;
  }
  return values;
}

function kindOf(name: string, value: unknown): ValueKind {
  if (typeof value === "number") return "number";
  if (typeof value === "object") return "list";
  return name === "time" || name.endsWith("_time") ? "time" : "text";
}

function valuesIn(text: string): Record<string, ValueKind> {
  return Object.fromEntries(
    [...text.matchAll(/\{(\w+)(?::([\w-]+))?\}/g)].map(([, name = "", format]) => [
      name,
      format === undefined ? "text" : "time",
    ]),
  );
}
