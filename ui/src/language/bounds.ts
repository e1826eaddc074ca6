import { fillIn, type MessageContext, type MessageTexts } from "@ostiary/sdk/form";

/** Sentences about numbers, with the numbers as the language writes them. */
export function boundsIn(language: string, sentences: Readonly<Record<number, string>>): MessageTexts {
  return Object.fromEntries(
    Object.entries(sentences).map(([id, sentence]) => [
      id,
      (context: MessageContext) => fillIn(sentence, written(context, language)),
    ]),
  );
}

function written(context: MessageContext, language: string): MessageContext {
  const format = new Intl.NumberFormat(language, { maximumFractionDigits: 20 });
  return Object.fromEntries(
    Object.entries(context).map(([name, value]) => [
      name,
      typeof value === "number" ? format.format(value) : value,
    ]),
  );
}
