import type { Runner } from "graphile-worker";
import { Pool } from "pg";
import type { Clock, Logger } from "../domain/ports.ts";
import { removeExpired } from "./clean-up.ts";
import { applySettings, clientOf } from "./connection.ts";
import type { Database } from "./database.ts";
import { deleteDueAccounts } from "./due-deletions.ts";

/** The name of the clean-up's job. */
const cleanUpTask = "remove_expired";
/** The name of the job that deletes the accounts that are due. */
const deletionTask = "delete_due_accounts";
/** Every five minutes, once however many servers there are; never more than one of each waiting. */
const crontab = [cleanUpTask, deletionTask]
  .map((task) => `*/5 * * * * ${task} ?jobKey=${task}&max=3`)
  .join("\n");

/** The longest pause between two attempts to start the worker. */
const longestPauseMs = 10_000;

/** The running jobs. */
export interface Jobs {
  /** Waits for the job under way. */
  stop(): Promise<void>;
}

/** What the jobs work on. */
export interface JobsOptions {
  /** How long what has ended is still kept. */
  readonly retentionMs: number;
  /** How long messages are kept after they were sent or given up. */
  readonly messageRetentionMs: number;
  readonly clock: Clock;
  readonly database: Database;
  readonly logger: Logger;
}

/**
 * Starts the server's scheduled jobs on graphile-worker, which keeps its own schema `graphile_worker`. Returns at
 * once: the worker is loaded and its schema made in the background. If the database is away, the worker is started
 * again until it is back.
 */
export async function startJobs(options: JobsOptions): Promise<Jobs> {
  const keeper = new WorkerKeeper(options);
  return { stop: () => keeper.stop() };
}

class WorkerKeeper {
  readonly #options: JobsOptions;
  readonly #finished: Promise<void>;
  #stopping = false;
  #runner: Runner | undefined;
  #wake: (() => void) | undefined;

  constructor(options: JobsOptions) {
    this.#options = options;
    this.#finished = this.#keepRunning().catch((error: unknown) => {
      options.logger.error({ err: error }, "the job worker ended");
    });
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    // It may have stopped by itself this very moment; then there is nothing to do.
    await this.#runner?.stop().catch(() => {});
    await this.#finished;
  }

  async #keepRunning(): Promise<void> {
    let pauseMs = 250;
    while (!this.#stopping) {
      const startedAt = Date.now();
      try {
        await this.#runOnce();
      } catch (error) {
        // The database is away, or the worker gave up because it was: it is started again.
        const reason = error instanceof Error ? error.message : String(error);
        this.#options.logger.warn({ error: reason }, "the job worker ended; starting it again");
      }
      pauseMs = Date.now() - startedAt > 60_000 ? 250 : Math.min(longestPauseMs, pauseMs * 2);
      if (!this.#stopping) await this.#pause(pauseMs);
    }
  }

  async #runOnce(): Promise<void> {
    const { database, logger } = this.#options;
    // A pool of its own: a job that waits never takes a connection from a call. One listens, one works, one plans.
    const pool = new Pool({
      Client: clientOf(() => database.url),
      max: 3,
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
      application_name: "ostiary jobs",
      onConnect: applySettings,
    });
    const onLoss = (error: Error) => {
      if (!this.#stopping) logger.warn({ error: error.message }, "a connection of the job worker was lost");
    };
    // Unheard, either would end the process (see database.ts).
    pool.on("error", onLoss);
    pool.on("connect", (client) => client.on("error", onLoss));
    try {
      const runner = await this.#start(pool);
      this.#runner = runner;
      if (this.#stopping) await runner.stop().catch(() => {});
      await runner.promise;
    } finally {
      this.#runner = undefined;
      await pool.end();
    }
  }

  async #start(pool: Pool): Promise<Runner> {
    const { Logger: WorkerLogger, run } = await import("graphile-worker");
    const { database, clock, retentionMs, messageRetentionMs, logger } = this.#options;
    return run({
      pgPool: pool,
      concurrency: 1,
      // Ours is the order of stopping.
      noHandleSignals: true,
      logger: new WorkerLogger(() => (level, message, meta) => {
        const log = level === "error" || level === "warning" ? logger.warn : logger.debug;
        log.call(logger, { error: errorText(meta) }, `job worker: ${message}`);
      }),
      crontab,
      taskList: {
        [cleanUpTask]: async () => {
          const removed = await removeExpired(database, {
            now: clock.now(),
            retentionMs,
            messageRetentionMs,
          });
          logger.info(removed, "removed what has expired");
        },
        [deletionTask]: async () => {
          const accounts = await deleteDueAccounts(database, clock.now());
          if (accounts > 0) logger.info({ accounts }, "deleted the accounts that were due");
        },
      },
    });
  }

  async #pause(milliseconds: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = undefined;
  }
}

function errorText(meta: unknown): string | undefined {
  if (typeof meta !== "object" || meta === null || !("error" in meta)) return undefined;
  return meta.error instanceof Error ? meta.error.message : undefined;
}
