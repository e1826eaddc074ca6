import { domainError } from "./errors.ts";
import { type Instant, instantOf } from "./instant.ts";

/** When something is to end, as a caller says it: at a time, or some time after it was made. */
export type Expiration =
  | { readonly kind: "time"; readonly time: Date }
  | { readonly kind: "lifetime"; readonly milliseconds: number };

/** Between which times an end may lie. */
export interface ExpirationLimits {
  /** How long after now at the earliest. Default 1 ms: any time that is still to come. */
  readonly atLeastMs?: number;
  readonly latest: Date;
  /** The sentence that says both. */
  readonly description: string;
}

/** The end that a caller asks for. Throws REQUEST_INVALID for a time beyond the limits; lifetimes have theirs in the contract. */
export function endOfExpiration(
  expiration: Expiration,
  now: Date,
  { atLeastMs = 1, latest, description }: ExpirationLimits,
): Instant {
  if (expiration.kind === "lifetime") return instantOf(new Date(now.getTime() + expiration.milliseconds));
  const { time } = expiration;
  // Not by "not earlier": every comparison with an invalid date is false.
  if (time.getTime() - now.getTime() >= atLeastMs && time <= latest) return instantOf(time);
  throw domainError(
    "REQUEST_INVALID",
    {},
    { violations: [{ field: "expireTime", description, reason: "RANGE" }] },
  );
}
