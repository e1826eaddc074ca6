import type { NewSession } from "../domain/session/session.ts";
import { writeSession } from "./rows.generated.ts";

/** A session as one JSON parameter, which `sessionRow.record` unfolds; its digest is a parameter of its own. */
export function sessionParameter(session: NewSession): string {
  return JSON.stringify(writeSession(session));
}
