import type { Clock, Logger } from "../domain/ports.ts";
import { removeExpired } from "./clean-up.ts";
import type { Database } from "./database.ts";
import { deleteDueAccounts, type LinksDeleted } from "./due-deletions.ts";
import { makeMonths } from "./event-partitions.ts";
import { type EventRetention, removeOldEvents } from "./event-retention.ts";
import { forgetDeleted } from "./forget-deleted.ts";

/** Work in the background. It may run in any of several servers, twice, and again after it was cut off. */
export interface Job {
  /** How the job is recorded: stays the same, because a queue may hold it over an upgrade. */
  readonly name: (typeof jobNames)[number];
  /** When it runs, as five fields of cron(5), in UTC: once, however many servers there are. */
  readonly schedule: string;
  run(): Promise<void>;
}

/** The names of all jobs. */
export const jobNames = [
  "remove_expired",
  "delete_due_accounts",
  "forget_deleted",
  "make_event_months",
] as const;

const dayMs = 86_400_000;

/** What the jobs work on. */
export interface JobsOptions {
  /** How long what has ended is still kept. */
  readonly retentionMs: number;
  /** How long messages are kept after they were sent or given up. */
  readonly messageRetentionMs: number;
  /** How long events are kept. Default: for ever. */
  readonly eventRetention?: EventRetention | undefined;
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
  const { database, clock, logger, retentionMs, messageRetentionMs, eventRetention, onLinksDeleted } =
    options;
  return [
    {
      name: "remove_expired",
      schedule: "*/5 * * * *",
      run: async () => {
        const now = clock.now();
        const removed = await removeExpired(database, { now, retentionMs, messageRetentionMs });
        const ofEvents = eventRetention && (await removeOldEvents(database, now, eventRetention));
        logger.info({ ...removed, ...ofEvents }, "removed what has expired");
      },
    },
    {
      name: "forget_deleted",
      schedule: "*/5 * * * *",
      run: async () => {
        // What is sent is removed after its retention; a day more for what waited to be sent.
        const since = new Date(clock.now().getTime() - messageRetentionMs - dayMs);
        const forgotten = await forgetDeleted(database, since);
        if (forgotten.eventsOfDeleted + forgotten.messagesOfDeleted > 0) {
          logger.info(forgotten, "removed what was left of identities that were deleted");
        }
      },
    },
    {
      name: "make_event_months",
      schedule: "*/5 * * * *",
      run: async () => {
        const months = await makeMonths(database, clock.now());
        if (months > 0) logger.info({ months }, "made room for the events of the months to come");
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
