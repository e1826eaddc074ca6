import type { Logger } from "../domain/ports.ts";
import type { Database } from "./database.ts";

/** How long after its last run a job counts as late: three runs of the shortest schedule. */
const lateAfterSeconds = 15 * 60;
/** Interval of looking. */
const intervalMs = 60_000;
/** Looks after which a job that is still late is named again. */
const tellAgainLooks = 15;

/** A job that has not come to its end for too long, on any server. */
export interface LateJob {
  readonly name: string;
  /** Seconds since it was planned, if it waits or runs; else since it was last planned. */
  readonly seconds: number;
}

interface JobWatchOptions {
  readonly database: Database;
  readonly logger: Logger;
  /** The jobs that are to run again and again. */
  readonly names: readonly string[];
}

/**
 * Warns of jobs that no server has run for a quarter of an hour, while they are late. It asks on the connections of calls, so that
 * what stops the jobs does not stop it. Returns what stops it.
 */
export function watchJobs(options: JobWatchOptions): () => void {
  const { database, logger, names } = options;
  const late = new Map<string, number>();
  const look = async () => {
    const found = await findLateJobs(database, names);
    for (const { name, seconds } of found) {
      const looks = late.get(name) ?? 0;
      late.set(name, looks + 1);
      if (looks % tellAgainLooks === 0)
        logger.warn({ job: name, seconds }, "a job has not been done for long");
    }
    for (const name of late.keys()) {
      if (found.some((job) => job.name === name)) continue;
      late.delete(name);
      logger.info({ job: name }, "a job that was late is done");
    }
  };
  // A database that is away is reported by the watch on it.
  const timer = setInterval(() => void look().catch(() => {}), intervalMs);
  return () => clearInterval(timer);
}

/**
 * The late ones of these jobs. The worker removes a job when it is done, and notes when it planned it last. So one that waits,
 * runs or fails is there since it was planned, and one that nobody plans any more was planned long ago.
 */
export async function findLateJobs(database: Database, names: readonly string[]): Promise<LateJob[]> {
  return database.query<LateJob>(
    undefined,
    {
      text: `SELECT name, seconds FROM (
          SELECT c.identifier AS name, extract(epoch FROM now() - least(
            coalesce(c.last_execution, c.known_since),
            (SELECT min(j.created_at) FROM graphile_worker.jobs j WHERE j.task_identifier = c.identifier)
          ))::int AS seconds
          FROM graphile_worker._private_known_crontabs c WHERE c.identifier = ANY ($1)
        ) planned
        WHERE seconds > ${lateAfterSeconds} ORDER BY name`,
    },
    [names],
  );
}
