import type { JSX } from "react";
import { useWords } from "../language/index.ts";

/** A time in the language of the page; nothing for none. */
export function Time({
  time,
}: {
  readonly time: { readonly seconds: bigint } | undefined;
}): JSX.Element | null {
  const { tag } = useWords();
  if (time === undefined) return null;
  const date = dateOf(time);
  return <time dateTime={date.toISOString()}>{describeTime(date, tag)}</time>;
}

/** A time of the contract, to the second. */
export function dateOf({ seconds }: { readonly seconds: bigint }): Date {
  return new Date(Number(seconds) * 1000);
}

/** A time in words. */
export function describeTime(date: Date, tag: string): string {
  // British and American times differ: of the browser's own kinds of the language, the first.
  const locale = navigator.languages.find((each) => each.toLowerCase().split("-")[0] === tag) ?? tag;
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(date);
}
