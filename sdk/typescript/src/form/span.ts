// SPDX-License-Identifier: Apache-2.0

/** A span of time in words, such as "29 seconds"; undefined in a language that is none. */
export function spanOf(milliseconds: number, language = "en"): string | undefined {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  const [count, unit] = seconds < 90 ? [seconds, "second"] : [Math.ceil(seconds / 60), "minute"];
  try {
    return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long" }).format(count);
  } catch {
    return undefined;
  }
}
