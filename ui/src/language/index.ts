import { directionOf, englishFormTexts } from "@ostiary/sdk/form";
import { createContext, useContext, useState } from "react";
import { customLanguages, withCustomTexts } from "./custom-texts.ts";
import { english } from "./english.ts";
import type { Words } from "./words.ts";

/** A language of the pages. */
interface Language {
  readonly tag: string;
  /** As those call it who speak it. */
  readonly name: string;
  readonly load: () => Promise<Omit<Words, "locale">>;
}

/** What stands in for a language that cannot be loaded: the server's messages are English. */
const fallback = { ...english, form: englishFormTexts, messages: {} };

const builtIn: readonly [Language, ...Language[]] = [
  {
    tag: english.tag,
    name: english.name,
    load: async () => ({ ...english, ...(await import("@ostiary/sdk/texts/en")).english }),
  },
  {
    tag: "de",
    name: "Deutsch",
    load: async () => {
      const [page, catalogue] = await Promise.all([import("./german.ts"), import("@ostiary/sdk/texts/de")]);
      return { ...page.german, ...catalogue.german };
    },
  },
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
export const LanguageContext = createContext<Words>({ ...fallback, locale: localeOf(fallback.tag) });

/** What the pages say, in the language that was chosen. */
export function useWords(): Words {
  return useContext(LanguageContext);
}

/** The language, `first` until another one is chosen, and how to choose one. */
export function useLanguage(first: Words): readonly [Words, (tag: string) => void] {
  const [words, setWords] = useState(first);
  // Before anything is drawn or asked, so that screen readers and the server know as well.
  document.documentElement.lang = words.tag;
  document.documentElement.dir = directionOf(words.tag);
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
  const words = await withCustomTexts(await load().catch(() => fallback), tag);
  return { ...words, locale: localeOf(words.tag) };
}

/** British and American dates differ: of the browser's own kinds of the language, the first. */
function localeOf(tag: string): string {
  const { languages: known = [] } = globalThis.navigator ?? {};
  return known.find((each) => each.toLowerCase().split("-")[0] === tag) ?? tag;
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
