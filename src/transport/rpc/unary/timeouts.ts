import { malformed } from "./decode.ts";

/** The cap of deadlines: longer than any call may take, and what setTimeout can hold. */
export const longestTimeoutMs = 2 ** 31 - 1;

/**
 * The deadline of a Connect call in milliseconds (`Connect-Timeout-Ms`: a positive integer of at most ten digits), capped
 * at about 24 days; undefined without one. Throws REQUEST_MALFORMED, also for 0, which is no deadline that could be met.
 */
export function parseConnectTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (!/^\d{1,10}$/.test(header) || Number(header) === 0) {
    throw malformed("Connect-Timeout-Ms must be a positive integer of at most ten digits.");
  }
  return Math.min(Number(header), longestTimeoutMs);
}

const unitMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 1e-3,
  n: 1e-6,
};

/**
 * The deadline of a gRPC or gRPC-Web call in milliseconds (`grpc-timeout`: a positive integer of at most eight digits and
 * a unit), capped at about 24 days; undefined without one. Throws REQUEST_MALFORMED, also for 0.
 */
export function parseGrpcTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  const factor = unitMs[unit];
  if (digits === undefined || factor === undefined || Number(digits) === 0) {
    throw malformed(
      "grpc-timeout must be a positive integer of at most eight digits and one of H, M, S, m, u, n.",
    );
  }
  return Math.min(Number(digits) * factor, longestTimeoutMs);
}
