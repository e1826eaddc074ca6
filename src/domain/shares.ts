/** The share of one of several processes in what they have together. What is left over goes to the first ones. */
export function shareOf(
  total: number,
  place: { readonly index: number; readonly count: number } | undefined,
): number {
  if (place === undefined) return total;
  return Math.floor(total / place.count) + (place.index < total % place.count ? 1 : 0);
}
