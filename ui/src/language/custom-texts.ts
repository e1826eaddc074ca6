import { type Catalogue, withTexts } from "@ostiary/sdk/form";

/** A text by the number of its message (`4000006`) or the path of its word (`login.title`). */
type Texts = Readonly<Record<string, string>>;

/** The languages that the operator has texts in, by tag; each with the version of its texts. */
export const customLanguages: ReadonlyMap<string, string> = readMark();

/** The words with the texts that the operator has for a language. If those cannot be loaded, the words as they are. */
export async function withCustomTexts<Words extends Catalogue>(words: Words, tag: string): Promise<Words> {
  const version = customLanguages.get(tag);
  if (version === undefined) return words;
  try {
    const query = new URLSearchParams({ language: tag, v: version });
    const answer = await fetch(`/ui/texts.json?${query}`);
    return answer.ok ? withTexts(words, (await answer.json()) as Texts) : words;
  } catch {
    return words;
  }
}

/** The server writes into the page which texts there are, so that nobody waits for those that there are not. */
function readMark(): ReadonlyMap<string, string> {
  if (typeof document === "undefined") return new Map();
  const content = document.querySelector<HTMLMetaElement>("meta[name='ostiary-texts']")?.content ?? "";
  const pairs = content.split(" ").map((pair) => pair.split("="));
  return new Map(pairs.flatMap(([tag, version]) => (tag && version ? [[tag, version] as const] : [])));
}
