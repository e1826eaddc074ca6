import { invalid } from "./errors.ts";
import { type Instant, instantOf } from "./instant.ts";

/** The end that a caller asks for: a time, or a lifetime. */
export type Expiration =
  | { readonly kind: "time"; readonly time: Date }
  | { readonly kind: "lifetime"; readonly milliseconds: number };

/** The earliest and latest end that is allowed. */
export interface ExpirationLimits {
  /** The least time from now. Default 1 ms: any time in the future. */
  readonly atLeastMs?: number;
  readonly latest: Date;
  /** The sentence for the error, with both limits. */
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
  // Positive comparisons, because every comparison with an invalid date is false.
  if (time.getTime() - now.getTime() >= atLeastMs && time <= latest) return instantOf(time);
  throw invalid({ field: "expireTime", description, reason: "RANGE" });
}
