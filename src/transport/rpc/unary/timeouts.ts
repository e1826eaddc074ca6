import { malformed } from "./decode.ts";

// Longer than any call may take; also what setTimeout can hold.
const longestMs = 2 ** 31 - 1;

/**
 * The deadline of a Connect call in milliseconds (`Connect-Timeout-Ms`, at most ten digits); undefined without one.
 * Throws REQUEST_MALFORMED.
 */
export function parseConnectTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  if (!/^\d{1,10}$/.test(header)) throw malformed("Connect-Timeout-Ms must be at most ten digits.");
  return Math.min(Number(header), longestMs);
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
 * The deadline of a gRPC or gRPC-Web call in milliseconds (`grpc-timeout`: at most eight digits and a unit);
 * undefined without one. Throws REQUEST_MALFORMED.
 */
export function parseGrpcTimeout(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(header) ?? [];
  const factor = unitMs[unit];
  if (digits === undefined || factor === undefined) {
    throw malformed("grpc-timeout must be at most eight digits and one of H, M, S, m, u, n.");
  }
  return Math.min(Number(digits) * factor, longestMs);
}
