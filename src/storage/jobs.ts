import type { Clock, Logger } from "../domain/ports.ts";
import { removeExpired } from "./clean-up.ts";
import type { Database } from "./database.ts";
import { deleteDueAccounts, type LinksDeleted } from "./due-deletions.ts";

/** Work in the background. It may run in any of several servers, twice, and again after it was cut off. */
export interface Job {
  /** How the job is recorded: stays the same, because a queue may hold it over an upgrade. */
  readonly name: (typeof jobNames)[number];
  /** When it runs, as five fields of cron(5), in UTC: once, however many servers there are. */
  readonly schedule: string;
  run(): Promise<void>;
}

/** The names of all jobs. */
export const jobNames = ["remove_expired", "delete_due_accounts"] as const;

/** What the jobs work on. */
export interface JobsOptions {
  /** How long what has ended is still kept. */
  readonly retentionMs: number;
  /** How long messages are kept after they were sent or given up. */
  readonly messageRetentionMs: number;
  /** Default: nobody is told. */
  readonly onLinksDeleted?: LinksDeleted | undefined;
  readonly clock: Clock;
  readonly database: Database;
  readonly logger: Logger;
}

/**
 * All work that may wait. A new job is an entry here, and job-worker.ts runs it. Not here: mail, which has a queue of its own
 * with leases, and what a process does about its own memory and readiness (src/app.ts).
 */
export function scheduledJobs(options: JobsOptions): readonly Job[] {
  const { database, clock, logger, retentionMs, messageRetentionMs, onLinksDeleted } = options;
  return [
    {
      name: "remove_expired",
      schedule: "*/5 * * * *",
      run: async () => {
        const removed = await removeExpired(database, { now: clock.now(), retentionMs, messageRetentionMs });
        logger.info(removed, "removed what has expired");
      },
    },
    {
      name: "delete_due_accounts",
      schedule: "*/5 * * * *",
      run: async () => {
        const accounts = await deleteDueAccounts(database, clock.now(), onLinksDeleted);
        if (accounts > 0) logger.info({ accounts }, "deleted the accounts that were due");
      },
    },
  ];
}
