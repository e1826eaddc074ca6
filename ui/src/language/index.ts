import { createContext, useContext, useState } from "react";
import { english } from "./english.ts";
import type { Words } from "./words.ts";

/** A language of the pages. */
interface Language {
  readonly tag: string;
  /** As those call it who speak it. */
  readonly name: string;
  readonly load: () => Promise<Words>;
}

/** The languages of the pages; the first stands in for all that are missing, and the others are loaded when they are needed. */
export const languages: readonly [Language, ...Language[]] = [
  { tag: english.tag, name: english.name, load: async () => english },
  { tag: "de", name: "Deutsch", load: async () => (await import("./german.ts")).german },
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

/** A language that cannot be loaded is stood in for. */
function wordsOf({ load }: Language): Promise<Words> {
  return load().catch(() => english);
}

function languageOf(tags: readonly string[]): Language {
  for (const tag of tags) {
    const [language] = tag.toLowerCase().split("-");
    const found = languages.find((candidate) => candidate.tag === language);
    if (found !== undefined) return found;
  }
  return languages[0];
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
