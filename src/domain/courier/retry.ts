/** Policy of retries. */
export interface RetryPolicy {
  /** Attempts until a message is given up; those that failed for a reason outside of it do not count. */
  readonly maxAttempts: number;
  /** The pause after the first attempt; it doubles after each further one. */
  readonly firstDelayMs: number;
  /** The longest pause. */
  readonly maxDelayMs: number;
}

/**
 * The pause after the given attempt (1 is the first): exponential, and moved by up to a quarter in either
 * direction, so that what failed together is not tried again together. `chance` lies between 0 and 1.
 */
export function delayAfter(policy: RetryPolicy, attempt: number, chance: number): number {
  // 2^30 seconds are 34 years; the exponent is bounded so that the product stays a number.
  const exponential = policy.firstDelayMs * 2 ** Math.min(30, Math.max(0, attempt - 1));
  return Math.round(Math.min(exponential, policy.maxDelayMs) * (0.75 + chance / 2));
}

/**
 * The pause of a message that waits for something that somebody must put right: as long as it has waited, so that it is tried at growing
 * pauses without counting them, but neither shorter than the first pause nor longer than the longest; and moved as above.
 */
export function delayOfWaiting(policy: RetryPolicy, waitedMs: number, chance: number): number {
  const pauseMs = Math.min(Math.max(waitedMs, policy.firstDelayMs), policy.maxDelayMs);
  return Math.round(pauseMs * (0.75 + chance / 2));
}
