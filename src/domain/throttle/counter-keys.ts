import { hexOf } from "../bytes.ts";
import type { KeyedDigests } from "../ports.ts";
import type { Limit, SharedLimitName } from "../tenant/throttle-settings.ts";

/**
 * The key of a counter: a keyed digest of the limit and its subject. So the table tells nobody who was tried, nor can
 * anybody without the sealing secret find out by trying names.
 */
export function counterKey(digests: KeyedDigests, limit: SharedLimitName, subject: string): Uint8Array {
  return digests.make("throttle", `${limit}\0${subject}`);
}

/** The subject of a device's counters: its token, which is bound to one identity. */
export function deviceSubject(tokenDigest: Uint8Array): string {
  return hexOf(tokenDigest);
}

/** A limit in microseconds. */
export function inMicroseconds({ count, periodMs }: Limit): {
  readonly costUs: number;
  readonly periodUs: number;
} {
  const costUs = Math.max(1, Math.round((periodMs * 1000) / count));
  // A multiple of the cost, so that rounding does not lose an attempt.
  return { costUs, periodUs: costUs * count };
}
