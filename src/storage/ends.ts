import { type Instant, instantOf, type Never, never } from "../domain/instant.ts";

/** The end in a column: NULL says that there is none. Throws for a column that the statement did not return. */
export function endOf(column: Date | null): Instant | Never {
  return column === null ? never : instantOf(column);
}

/** An end as its column is written. */
export function endColumn(end: Instant | Never): Date | null {
  return end === never ? null : end;
}
