import { Migration } from "@mikro-orm/migrations";

/**
 * A migration that adds one index without keeping anybody from writing. It runs outside a transaction, so an attempt that was cut off leaves
 * an invalid index, which the next attempt removes first. It waits for transactions that are open, such as a backup's, but nobody waits
 * behind it; hence without the limit that other migrations have on waiting for a lock.
 */
export abstract class ConcurrentIndex extends Migration {
  /** The index's name and the rest of its definition, after ON: `ostiary.identity (tenant_id, state)`. */
  protected abstract readonly index: readonly [name: string, definition: string];

  override isTransactional(): boolean {
    return false;
  }

  override up(): void {
    const [name, definition] = this.index;
    this.down();
    this.addSql(`CREATE INDEX CONCURRENTLY ${name} ON ${definition}`);
  }

  override down(): void {
    this.addSql("SET lock_timeout = 0");
    this.addSql(`DROP INDEX CONCURRENTLY IF EXISTS ostiary.${this.index[0]}`);
  }
}
