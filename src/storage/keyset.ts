import { domainError } from "../domain/errors.ts";
import { maxPageBytes } from "../domain/paging/page-bytes.ts";
import type { Page, PageRequest } from "../domain/ports.ts";

/** A page's position in a list that is ordered by time of creation and id, newest first. */
interface Position {
  readonly createdAt: Date | null;
  readonly id: string | null;
}

/** The condition that leaves what comes after the position: parameters for time and id, null on the first page. */
export function afterPosition(table: string, createdAt: string, id: string): string {
  return `(${createdAt}::timestamptz IS NULL OR (${table}.created_at, ${table}.id) < (${createdAt}, ${id}::uuid))`;
}

/** Reads the position that `toPage` gave out. */
export function positionOf(page: PageRequest): Position {
  if (page.after === undefined) return { createdAt: null, id: null };
  const [createdAt, id] = page.after;
  const time = new Date(createdAt ?? "");
  if (id === undefined || Number.isNaN(time.getTime())) throw domainError("PAGE_TOKEN_INVALID", {});
  return { createdAt: time, id };
}

/**
 * The rows of a page up to the size of an answer, and one row more. The database does not send the documents of the others, which
 * would be thrown away. `rows` selects the page with its length in `bytes`; `order` is by its columns.
 */
export function rowsThatFit(rows: string, order: string): string {
  return `SELECT *, found > count(*) OVER () AS is_cut
    FROM (
      SELECT p.*, count(*) OVER () AS found,
        sum(p.bytes) OVER (ORDER BY ${order} ROWS UNBOUNDED PRECEDING) - p.bytes AS bytes_before
      FROM (${rows}) p
    ) page
    WHERE bytes_before < ${maxPageBytes} ORDER BY ${order}`;
}

/** The length of documents as text, which is about what they need in an answer. */
export function bytesOf(...columns: readonly string[]): string {
  return `${columns.map((column) => `octet_length(${column}::text)`).join(" + ")} AS bytes`;
}

/** A row of `rowsThatFit`. */
export interface FittingRow {
  /** Whether rows were left out. */
  readonly is_cut: boolean;
}

/** Makes a page of one row more than was asked for: if it is there, or rows were left out, there is a next page. */
export function toPage<T>(
  rows: readonly T[],
  size: number,
  positionOf: (item: T) => readonly string[],
  isCut = false,
): Page<T> {
  const items = rows.slice(0, size);
  const last = items.at(-1);
  const next = (rows.length > size || isCut) && last !== undefined ? positionOf(last) : undefined;
  return { items, next, positionOf };
}

/** The position of a row that has a time of creation and an id. */
export function byCreation(item: { readonly createdAt: Date; readonly id: string }): readonly string[] {
  return [item.createdAt.toISOString(), item.id];
}
