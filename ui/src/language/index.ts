import { createContext, useContext, useState } from "react";
import { customLanguages, withCustomTexts } from "./custom-texts.ts";
import { english } from "./english.ts";
import type { Words } from "./words.ts";

/** A language of the pages. */
interface Language {
  readonly tag: string;
  /** As those call it who speak it. */
  readonly name: string;
  readonly load: () => Promise<Words>;
}

const builtIn: readonly [Language, ...Language[]] = [
  { tag: english.tag, name: english.name, load: async () => english },
  { tag: "de", name: "Deutsch", load: async () => (await import("./german.ts")).german },
];

/**
 * The languages of the pages; the first stands in for all that are missing, and the others are loaded when they are needed. The operator's own
 * come last.
 */
export const languages: readonly [Language, ...Language[]] = [
  ...builtIn,
  ...[...customLanguages.keys()].filter((tag) => builtIn.every((each) => each.tag !== tag)).map(ownLanguage),
];

/** The language of the browser, unless another one was chosen. */
export function firstLanguage(): Promise<Words> {
  return wordsOf(languageOf([chosenTag(), ...navigator.languages]));
}

/** What the pages say, in the language that was chosen. */
export const LanguageContext = createContext<Words>(english);

/** What the pages say, in the language that was chosen. */
export function useWords(): Words {
  return useContext(LanguageContext);
}

/** The language, `first` until another one is chosen, and how to choose one. */
export function useLanguage(first: Words): readonly [Words, (tag: string) => void] {
  const [words, setWords] = useState(first);
  // Before anything is drawn or asked, so that screen readers and the server know as well.
  document.documentElement.lang = words.tag;
  return [
    words,
    (tag) => {
      keepTag(tag);
      void wordsOf(languageOf([tag])).then(setWords);
    },
  ];
}

const storageKey = "ostiary.language";

/** A language of the operator's. What it has no text for is said in the nearest of ours. */
function ownLanguage(tag: string): Language {
  const name = new Intl.DisplayNames([tag], { type: "language" }).of(tag) ?? tag;
  const nearest = findLanguage([tag], builtIn) ?? builtIn[0];
  return { tag, name, load: async () => ({ ...(await nearest.load()), tag, name }) };
}

/** A language that cannot be loaded is stood in for. */
async function wordsOf({ tag, load }: Language): Promise<Words> {
  return withCustomTexts(await load().catch(() => english), tag);
}

function languageOf(tags: readonly string[]): Language {
  return findLanguage(tags, languages) ?? languages[0];
}

/** The first that there is: `de-AT`, else `de`. */
function findLanguage(tags: readonly string[], known: readonly Language[]): Language | undefined {
  for (const tag of tags.map((each) => each.toLowerCase())) {
    const [primary] = tag.split("-");
    const found = known.find((each) => each.tag === tag) ?? known.find((each) => each.tag === primary);
    if (found !== undefined) return found;
  }
  return undefined;
}

// A browser that keeps nothing for this page throws; the choice then lasts until the page is loaded anew.
function chosenTag(): string {
  try {
    return window.localStorage.getItem(storageKey) ?? "";
  } catch {
    return "";
  }
}

function keepTag(tag: string): void {
  try {
    window.localStorage.setItem(storageKey, tag);
  } catch {
    // See above.
  }
}
