import type { Database } from "./database.ts";

/** How many rows one statement removes or changes: few enough that nobody waits for it. */
export const batchSize = 1_000;

/**
 * Sends a statement that takes a batch of rows and returns one for each, until it finds no full batch. Returns how many rows there were. It
 * can be interrupted at any time, and run by several servers at once.
 */
export async function inBatches(
  database: Database,
  text: string,
  values: readonly unknown[],
): Promise<number> {
  let total = 0;
  for (;;) {
    const { length } = await database.query(undefined, { text }, values);
    total += length;
    if (length < batchSize) return total;
  }
}
