// SPDX-License-Identifier: Apache-2.0

/** A span of time: milliseconds, or a number with a unit: `"90s"`, `"15m"`, `"12h"`, `"7d"`. */
export type Span = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A span in milliseconds. Throws a TypeError that names the option if it is not a span within these bounds. */
export function spanMs(option: string, span: Span, leastMs: number, mostMs: number): number {
  const [, amount, unit] = (typeof span === "string" && /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(span)) || [];
  const ms = typeof span === "number" ? span : Number(amount) * (units[unit ?? ""] ?? Number.NaN);
  if (ms >= leastMs && ms <= mostMs) return Math.round(ms);
  throw new TypeError(
    `${option} must be from ${leastMs} to ${mostMs} milliseconds, as a number or like "15m": ${String(span)}`,
  );
}
