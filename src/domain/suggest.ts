import { distance } from "fastest-levenshtein";

/**
 * The candidate with the fewest typing mistakes (an exchanged pair of letters counts as one), if they are at most a third
 * of the word. Undefined if none is that close.
 */
export function closest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  // What is longer than any key needs no comparison.
  let fewest = word.length > 200 ? 0 : Math.floor(word.length / 3) + 1;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - word.length) >= fewest) continue;
    const mistakes = mistakesBetween(word.toLowerCase(), candidate.toLowerCase());
    if (mistakes < fewest) [best, fewest] = [candidate, mistakes];
  }
  return best;
}

// The Levenshtein distance, but an exchange of two neighbours is one mistake.
function mistakesBetween(left: string, right: string): number {
  const exchanged = Array.from({ length: Math.max(0, left.length - 1) }, (_, index) => {
    const pair = `${left[index + 1]}${left[index]}`;
    return 1 + distance(left.slice(0, index) + pair + left.slice(index + 2), right);
  });
  return Math.min(distance(left, right), ...exchanged);
}
