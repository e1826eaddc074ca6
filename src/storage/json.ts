/**
 * The text without what PostgreSQL cannot hold: U+0000 and halves of surrogate pairs become U+FFFD. For what a
 * caller's software says of itself; what people enter is refused instead.
 */
export function unpaired(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}
