declare const instantBrand: unique symbol;

/** A moment that is known to be one: a Date of which every comparison is true or false as one would expect. */
export type Instant = Date & { readonly [instantBrand]: true };

/**
 * That something has no moment: a key that never ends, a session that was not revoked. A word of its own, so that an end that
 * is missing, or that could not be read, is never taken for it.
 */
export type Never = "never";

/** That something has no moment. */
export const never: Never = "never";

/** A date as a moment. Throws for an invalid one: with it, "is it over?" and "is it still good?" would both be false. */
export function instantOf(date: Date): Instant {
  if (Number.isNaN(date.getTime())) throw new RangeError("the date is invalid");
  return date as Instant;
}

/** Whether a moment is there, and has come. */
export function hasPassed(end: Instant | Never, now: Date): boolean {
  // Not `end <= now`: an end that were neither of the two must count as one that has come.
  return end !== never && !(end > now);
}
