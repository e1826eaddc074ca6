import type { JSX } from "react";
import { useWords } from "../language/index.ts";

/** A time in the language of the page; nothing for none. */
export function Time({
  time,
}: {
  readonly time: { readonly seconds: bigint } | undefined;
}): JSX.Element | null {
  const { locale } = useWords();
  if (time === undefined) return null;
  const date = dateOf(time);
  return <time dateTime={date.toISOString()}>{describeTime(date, locale)}</time>;
}

/** A time of the contract, to the second. */
export function dateOf({ seconds }: { readonly seconds: bigint }): Date {
  return new Date(Number(seconds) * 1000);
}

/** A time in words. */
export function describeTime(date: Date, locale: string): string {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(date);
}
