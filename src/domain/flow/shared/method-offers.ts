import type { JsonObject } from "../../json.ts";

/** The offers of a method: one, or one for each of the facts where its facts are a list. */
export function offersOf<Kind>(
  kind: Kind,
  facts: JsonObject | readonly JsonObject[] | undefined,
): readonly { readonly kind: Kind; readonly facts?: JsonObject }[] {
  if (facts === undefined) return [{ kind }];
  return [facts].flat().map((each) => ({ kind, facts: each as JsonObject }));
}
