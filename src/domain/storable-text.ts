/**
 * Whether PostgreSQL can hold a text: it knows no null character, and UTF-8 has no lone surrogates. What cannot be
 * stored is refused, or found nowhere, before a statement fails on it.
 */
export function isStorableText(text: string): boolean {
  return !text.includes("\0") && text.isWellFormed();
}
