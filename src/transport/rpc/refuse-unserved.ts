import { domainError } from "../../domain/errors.ts";

/**
 * Refuses fields of the contract that nothing serves yet where a request sets them, by their names as JSON has them: the
 * caller must not believe that they were heeded. Throws FEATURE_OFF.
 */
export function refuseUnserved(fields: Readonly<Record<string, unknown>>): void {
  for (const [field, value] of Object.entries(fields)) {
    if (value !== undefined) throw domainError("FEATURE_OFF", { field });
  }
}
