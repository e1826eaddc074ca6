import type { MethodKind } from "../../kinds.ts";
import type { MethodMemory } from "../../method/method.ts";

/** A method that has more to ask, and what it remembers. */
export interface ContinuedMethod {
  readonly kind: MethodKind;
  readonly memory: MethodMemory;
}

/**
 * A flow whose browser goes on elsewhere. It stays where it stands: those who come back without an answer find all that was on offer.
 */
export interface Away {
  readonly away?: ContinuedMethod | undefined;
}

/** What a method remembers where a flow stands: the one that alone goes on, or the one that the browser is away for. */
export function memoryAt(state: object, kind: MethodKind): MethodMemory | undefined {
  const { method, away } = state as { readonly method?: ContinuedMethod } & Away;
  return [method, away].find((each) => each?.kind === kind)?.memory;
}
