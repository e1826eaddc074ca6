import { domainError } from "./errors.ts";
import { type Instant, instantOf } from "./instant.ts";

/** When something is to end, as a caller says it: at a time, or some time after it was made. */
export type Expiration =
  | { readonly kind: "time"; readonly time: Date }
  | { readonly kind: "lifetime"; readonly milliseconds: number };

/**
 * The end that a caller asks for. Throws REQUEST_INVALID for a time that is not after `now`, or is after `latest`; `limits` says
 * both to people.
 */
export function endOfExpiration(
  expiration: Expiration,
  now: Date,
  { latest, limits }: { readonly latest: Date; readonly limits: string },
): Instant {
  if (expiration.kind === "lifetime") return instantOf(new Date(now.getTime() + expiration.milliseconds));
  const { time } = expiration;
  // Not by "not earlier": every comparison with an invalid date is false.
  if (time > now && time <= latest) return instantOf(time);
  throw domainError(
    "REQUEST_INVALID",
    {},
    { violations: [{ field: "expireTime", description: limits, reason: "RANGE" }] },
  );
}
