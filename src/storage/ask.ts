/** Sends a statement on one and the same connection each time. */
export type Ask = <Row extends object>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

/** Runs work in a transaction of that connection, for what belongs to no tenant. */
export async function inTransaction<T>(ask: Ask, work: () => Promise<T>): Promise<T> {
  await ask("BEGIN ISOLATION LEVEL READ COMMITTED");
  try {
    const result = await work();
    await ask("COMMIT");
    return result;
  } catch (error) {
    // The connection may be what has failed; the server then takes it back by itself.
    await ask("ROLLBACK").catch(() => {});
    throw error;
  }
}
