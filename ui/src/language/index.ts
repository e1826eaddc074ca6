import { createContext, useContext, useState } from "react";
import { english } from "./english.ts";
import { german } from "./german.ts";
import type { Words } from "./words.ts";

/** The languages of the pages; the first stands in for all that are missing. */
export const languages: readonly Words[] = [english, german];

/** What the pages say, in the language that was chosen. */
export const LanguageContext = createContext<Words>(english);

/** What the pages say, in the language that was chosen. */
export function useWords(): Words {
  return useContext(LanguageContext);
}

/** The language, that of the browser unless another one was chosen, and how to choose one. */
export function useLanguage(): readonly [Words, (tag: string) => void] {
  const [words, setWords] = useState(() => languageOf([chosenTag(), ...navigator.languages]));
  // Before anything is drawn or asked, so that screen readers and the server know as well.
  document.documentElement.lang = words.tag;
  return [
    words,
    (tag) => {
      keepTag(tag);
      setWords(languageOf([tag]));
    },
  ];
}

const storageKey = "ostiary.language";

function languageOf(tags: readonly string[]): Words {
  for (const tag of tags) {
    const [language] = tag.toLowerCase().split("-");
    const found = languages.find((candidate) => candidate.tag === language);
    if (found !== undefined) return found;
  }
  return english;
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
