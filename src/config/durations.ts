/**
 * Reads a duration such as `15m`, `1h30m`, `7d` or `500ms` to milliseconds. Units are d, h, m, s and ms, the greater
 * ones first, each once; decimals are allowed (`1.5h`). `0` needs no unit. Undefined if it is anything else, is
 * finer than a millisecond or longer than a hundred years.
 */
export function parseDuration(text: string): number | undefined {
  if (text === "0") return 0;
  if (text.length > 40) return undefined;
  const match = durationPattern.exec(text);
  if (match === null || text === "") return undefined;
  let sum = 0;
  for (const [index, [, size]] of units.entries()) sum += Number(match[index + 1] ?? 0) * size;
  const rounded = Math.round(sum);
  if (Math.abs(sum - rounded) > 1e-6 || rounded > longestMs) return undefined;
  return rounded;
}

/** Writes milliseconds as a duration that `parseDuration` reads. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  let rest = ms;
  let text = "";
  for (const [unit, size] of units) {
    const count = Math.floor(rest / size);
    if (count > 0) text += `${count}${unit}`;
    rest -= count * size;
  }
  return text;
}

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

const longestMs = 100 * 365.25 * 86_400_000;
const durationPattern = new RegExp(
  `^${units.map(([unit]) => `(?:(\\d+(?:\\.\\d+)?)${unit}(?![a-z]))?`).join("")}$`,
);
