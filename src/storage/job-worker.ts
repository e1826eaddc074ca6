import type { Runner } from "graphile-worker";
import { Pool } from "pg";
import { keepRunning } from "../domain/keep-running.ts";
import type { Logger } from "../domain/ports.ts";
import { applySettings, clientOf } from "./connection.ts";
import { type PoolFigures, poolFigures } from "./figures.ts";
import type { Job } from "./jobs.ts";

/** The running jobs. */
export interface JobWorker {
  /** Its connections; undefined while it has none. */
  figures(): PoolFigures | undefined;
  /** Waits for the job under way. */
  stop(): Promise<void>;
}

interface JobWorkerOptions {
  readonly jobs: readonly Job[];
  /** Asked at each connect: the password may have been changed. */
  readonly url: () => string;
  readonly logger: Logger;
  /** Told of the end of each run. */
  readonly onRun?: ((run: JobRun) => void) | undefined;
}

/** A run of a job that has ended. */
export interface JobRun {
  readonly job: string;
  readonly outcome: "succeeded" | "failed";
}

/**
 * Runs jobs on graphile-worker, which keeps its own schema `graphile_worker`. Returns at once: the worker is loaded and its
 * schema made in the background. If the database is away, the worker is started again until it is back.
 */
export function startJobWorker(options: JobWorkerOptions): JobWorker {
  const { logger } = options;
  const stopping = new AbortController();
  let pool: Pool | undefined;
  const holdPool = (current: Pool | undefined) => {
    pool = current;
  };
  const finished = keepRunning((succeeded) => runWorker(options, stopping.signal, succeeded, holdPool), {
    signal: stopping.signal,
    firstPauseMs: 250,
    longestPauseMs: 10_000,
    onFailure: (error) => logger.warn({ error }, "the job worker ended; starting it again"),
  });
  return {
    figures: () => pool && poolFigures("jobs", pool),
    stop: () => {
      stopping.abort();
      return finished;
    },
  };
}

/** Ends when it is stopped; throws when the worker gives up, because the database is away. */
async function runWorker(
  { jobs, url, logger, onRun }: JobWorkerOptions,
  stopping: AbortSignal,
  succeeded: () => void,
  holdPool: (pool: Pool | undefined) => void,
): Promise<void> {
  const { Logger: WorkerLogger, run } = await import("graphile-worker");
  // A pool of its own: a job that waits never takes a connection from a call. One listens, one works, one plans.
  const pool = new Pool({
    Client: clientOf(url),
    max: 3,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    application_name: "ostiary jobs",
    onConnect: applySettings,
  });
  holdPool(pool);
  const onLoss = (error: Error) => {
    if (!stopping.aborted) logger.warn({ error: error.message }, "a connection of the job worker was lost");
  };
  // Unheard, either would end the process (see database.ts).
  pool.on("error", onLoss);
  pool.on("connect", (client) => client.on("error", onLoss));
  let runner: Runner | undefined;
  // It may have stopped by itself this very moment; then there is nothing to do.
  const stop = () => void runner?.stop().catch(() => {});
  stopping.addEventListener("abort", stop);
  try {
    runner = await run({
      pgPool: pool,
      concurrency: 1,
      // Otherwise an end that cannot be recorded would be a rejection that nobody handles; so the worker ends, and is started again.
      preset: { worker: { completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
      // New jobs are announced by NOTIFY. Polling finds failed jobs that are due again, and what was announced while nobody listened.
      pollInterval: 30_000,
      // Ours is the order of stopping.
      noHandleSignals: true,
      logger: new WorkerLogger(() => (level, message, meta) => {
        const log = level === "error" || level === "warning" ? logger.warn : logger.debug;
        log.call(logger, { error: errorText(meta) }, `job worker: ${message}`);
      }),
      // Never more than one of each waits.
      crontab: jobs.map(({ name, schedule }) => `${schedule} ${name} ?jobKey=${name}&max=3`).join("\n"),
      taskList: Object.fromEntries(jobs.map((job) => [job.name, watched(job, onRun)])),
    });
    succeeded();
    if (stopping.aborted) stop();
    await runner.promise;
    if (!stopping.aborted) throw new Error("the worker ended by itself");
  } finally {
    stopping.removeEventListener("abort", stop);
    holdPool(undefined);
    await pool.end();
  }
}

function watched(job: Job, onRun: JobWorkerOptions["onRun"]): () => Promise<void> {
  return async () => {
    let outcome: JobRun["outcome"] = "failed";
    try {
      await job.run();
      outcome = "succeeded";
    } finally {
      onRun?.({ job: job.name, outcome });
    }
  };
}

function errorText(meta: unknown): string | undefined {
  if (typeof meta !== "object" || meta === null || !("error" in meta)) return undefined;
  return meta.error instanceof Error ? meta.error.message : undefined;
}
