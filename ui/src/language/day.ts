/** A day as people of a language write it: of the browser's own kinds of the language, the first. */
export function describeDay(time: Date, tag: string): string {
  const { languages = [] } = globalThis.navigator ?? {};
  const locale = languages.find((each) => each.toLowerCase().split("-")[0] === tag) ?? tag;
  return new Intl.DateTimeFormat(locale, { dateStyle: "long" }).format(time);
}
