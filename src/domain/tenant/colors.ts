/*
 * Contrast as WCAG 2.2 measures it, of colours that are `#` and six hexadecimal digits.
 * https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
 */

/** The least contrast of text (WCAG 2.2, success criterion 1.4.3). */
export const textContrast = 4.5;

/** The least contrast of the edges of fields (WCAG 2.2, success criterion 1.4.11). */
export const edgeContrast = 3;

/** The contrast between two colours: 1 to 21. */
export function contrastOf(first: string, second: string): number {
  const [lighter = 0, darker = 0] = [luminanceOf(first), luminanceOf(second)].sort((a, b) => b - a);
  return (lighter + 0.05) / (darker + 0.05);
}

/** A colour between two: `share` 0 is the first, 1 the second. */
export function mix(first: string, second: string, share: number): string {
  const target = channelsOf(second);
  const mixed = channelsOf(first).map((channel, index) =>
    Math.round(channel + ((target[index] ?? channel) - channel) * share),
  );
  return `#${mixed.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
}

/**
 * The colour nearest to one that has the contrast to all of the others, darker or lighter than it. Undefined if there is none.
 */
export function nearestReadable(color: string, others: readonly string[], ratio: number): string | undefined {
  for (let step = 0; step <= steps; step++) {
    for (const end of ["#000000", "#ffffff"]) {
      const candidate = mix(color, end, step / steps);
      if (others.every((other) => contrastOf(candidate, other) >= ratio)) return candidate;
    }
  }
  return undefined;
}

const steps = 50;

function luminanceOf(color: string): number {
  const [red = 0, green = 0, blue = 0] = channelsOf(color).map((channel) => {
    const share = channel / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function channelsOf(color: string): readonly number[] {
  return [1, 3, 5].map((start) => Number.parseInt(color.slice(start, start + 2), 16));
}
