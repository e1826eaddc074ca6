import { expect, vi } from "vitest";
import { administer } from "./postgres.ts";

/**
 * Does what the schedule does every few minutes: announces a job. Waits until a worker listens, because one that connects anew
 * finds the job only at its next poll, half a minute later.
 */
export async function announceJob(url: string, name: string): Promise<void> {
  const statement = `SELECT graphile_worker.add_job($1) FROM (
      SELECT FROM pg_stat_activity
       WHERE datname = current_database() AND application_name = 'ostiary jobs' AND state = 'idle'
         AND query LIKE 'LISTEN "jobs:insert"%' LIMIT 1
    ) listener`;
  await vi.waitFor(
    async () => expect(await administer(url, (query) => query(statement, [name]))).toHaveLength(1),
    { timeout: 10_000 },
  );
}
