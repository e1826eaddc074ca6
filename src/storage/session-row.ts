import type { IdleSince } from "../domain/session/lifetime.ts";
import type { NewSession } from "../domain/session/session.ts";
import { writeSession } from "./rows.generated.ts";

/** When sessions must have been used since to be active, as one JSON parameter. */
export function idleParameter(since: IdleSince | undefined): string | undefined {
  return since && JSON.stringify(since);
}

/** Whether a session was used since then; `session` names its row, `since` is a parameter of `idleParameter`. */
export function usedSince(session: string, since: string): string {
  return `COALESCE(${session}.last_used_at > (${since}::jsonb ->> ${session}.assurance_level)::timestamptz, true)`;
}

/** A session as one JSON parameter, which `sessionRow.record` unfolds; its digest is a parameter of its own. */
export function sessionParameter(session: NewSession): string {
  return JSON.stringify(writeSession(session));
}
