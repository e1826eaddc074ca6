import { domainError } from "../domain/errors.ts";
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

/** Makes a page of one row more than was asked for: if it is there, there is a next page. */
export function toPage<T>(
  rows: readonly T[],
  size: number,
  positionOf: (item: T) => readonly string[],
): Page<T> {
  const items = rows.slice(0, size);
  const last = items.at(-1);
  const next = rows.length > size && last !== undefined ? positionOf(last) : undefined;
  return { items, next, positionOf };
}

/** The position of a row that has a time of creation and an id. */
export function byCreation(item: { readonly createdAt: Date; readonly id: string }): readonly string[] {
  return [item.createdAt.toISOString(), item.id];
}
