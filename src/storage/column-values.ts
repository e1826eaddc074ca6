/** How values are read from columns and written to them where the driver's own way is not ours: entities.ts names these. */
import type { EventActor } from "../domain/event/event.ts";
import type { RequiredAction } from "../domain/identity/required-actions.ts";
import { type Instant, instantOf, type Never, never } from "../domain/instant.ts";
import type { JsonObject } from "../domain/json.ts";
import type { AuthenticationMethod } from "../domain/session/session.ts";
import { readTime } from "./column-types.ts";

export { instantOf };

/** The end in a column: NULL says that there is none. Throws for a column that the statement did not return. */
export function endOf(column: Date | null): Instant | Never {
  return column === null ? never : instantOf(column);
}

/** An end as its column is written. */
export function endColumn(end: Instant | Never): Date | null {
  return end === never ? null : end;
}

/**
 * The text without what PostgreSQL cannot hold: U+0000 and halves of surrogate pairs become U+FFFD. For what a
 * caller's software says of itself; what people enter is refused instead.
 */
export function callerText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** A certificate has the name that its holder chose. */
export function actorColumn(actor: EventActor): JsonObject {
  return actor.kind === "certificate" ? { ...actor, name: callerText(actor.name) } : { ...actor };
}

/** Proofs within a JSON column, where times are texts. */
export function proofsOf(
  column: readonly (Omit<AuthenticationMethod, "completedAt"> & { readonly completedAt: string })[],
): readonly AuthenticationMethod[] {
  return column.map((proof) => ({ ...proof, completedAt: readTime(proof.completedAt) }));
}

/** Required actions within a JSON column, likewise. */
export function requiredActionsOf(
  column: readonly (Omit<RequiredAction, "createdAt"> & { readonly createdAt: string })[],
): readonly RequiredAction[] {
  return column.map((action) => ({ ...action, createdAt: readTime(action.createdAt) }));
}
