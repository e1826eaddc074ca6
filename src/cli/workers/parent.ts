import cluster from "node:cluster";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { startEmbeddedDatabase } from "../../app.ts";
import { prepare } from "../../app-prepare.ts";
import type { AppOptions } from "../../app-types.ts";
import type { LoadedConfig } from "../../config/load-config.ts";
import type { CommandContext } from "../context.ts";
import { describeFailure, UserError } from "../describe-failure.ts";
import { type Lifetime, stopAllowanceMs, watchProcess } from "../process-lifetime.ts";
import { WorkerPool } from "./worker-pool.ts";

/** How long a worker that is replaced waits at most for calls on connections that have none. */
const longestPatienceMs = 2_000;

interface WorkersOptions {
  readonly count: number;
  /** Loads the configuration as it is now. Throws a ConfigError. */
  readonly load: () => LoadedConfig;
  /** Reads what the configuration file says now; undefined without one. Throws a ConfigError. */
  readonly readText: () => string | undefined;
}

/**
 * `ostiary serve` with several workers. This process serves nothing: it owns the embedded database, keeps the workers running and
 * passes on what signals ask for. Resolves with the exit code, as `serve` does.
 *
 * The workers share the listening sockets by node:cluster, each taking connections from the system's queue by itself. So a worker that
 * is killed takes only its own connections with it. Connections that this process takes and hands on, which is the default, are in
 * nobody's hands for a moment: their clients would wait in vain when the worker is killed.
 */
export async function serveByWorkers(
  options: AppOptions,
  context: CommandContext,
  { count, load, readText }: WorkersOptions,
): Promise<number> {
  const { config, logger } = options;
  await prepare(options);
  const lifetime = watchProcess(options, context);
  const steps: (() => Promise<void>)[] = [];
  try {
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    const database = config.embedded ? await startEmbeddedDatabase(options, count) : undefined;
    if (database !== undefined) {
      steps.push(() => database.stop());
      const giveUp = (error: unknown) => failLater(lifetime, error);
      void database.failed.then(giveUp).catch(giveUp);
    }
    const graceMs = durationMs(config.config.server.shutdownTimeout);
    const pool = new WorkerPool({
      count,
      fileText: config.fileText?.reveal(),
      embeddedUrl: database?.url,
      forceMs: graceMs + stopAllowanceMs,
      patienceMs: Math.min(longestPatienceMs, graceMs / 2),
      logger,
    });
    steps.push(() => pool.stop());
    const lines = await pool.start();
    lifetime.onServing({
      reload: async () => {
        // Read once, so that all workers get the same, and tried here first, so that what is wrong is said once.
        const fileText = readText();
        const use = config.renew(fileText);
        await pool.renew(fileText);
        use();
      },
      restart: async () => {
        const next = load();
        assertSameParent(config, next);
        await prepare({ ...options, config: next });
        await pool.replace(next.fileText?.reveal());
        logger.info({ workers: count }, "all workers were replaced");
      },
    });
    if (!lifetime.isEnding()) context.print(lines.join("\n"));
    const end = await lifetime.ended;
    if (end.kind === "failed") {
      logger.error({ err: end.error }, end.message);
      for (const line of describeFailure(end.error)) context.warn(`ostiary: ${line}`);
    }
    await stopAll(steps);
    if (end.kind === "asked") context.print("Stopped.");
    return end.kind === "asked" ? 0 : 1;
  } catch (error) {
    await stopAll(steps);
    if (!lifetime.isEnding()) throw error;
    logger.warn({ err: error }, "did not stop cleanly");
    return lifetime.wasAsked() ? 0 : 1;
  } finally {
    lifetime.close();
  }
}

function failLater(lifetime: Lifetime, error: unknown): void {
  // Stopping ends the database as well, which is then no failure.
  if (!lifetime.isEnding()) lifetime.fail(error, "the server can no longer serve");
}

/** Stops in the reverse order of starting, once. */
async function stopAll(steps: (() => Promise<void>)[]): Promise<void> {
  for (const step of steps.splice(0).reverse()) await step();
}

/** What the parent itself has taken from the configuration stays as it is until it is started again. */
function assertSameParent({ config: before }: LoadedConfig, { config: after }: LoadedConfig): void {
  const changed = [
    before.server.workers !== after.server.workers ? ["server.workers"] : [],
    (before.database.url === undefined) !== (after.database.url === undefined) ? ["database.url"] : [],
    before.database.dataDirectory !== after.database.dataDirectory ? ["database.data_directory"] : [],
  ].flat();
  if (changed.length > 0) throw new UserError(`${changed.join(", ")} cannot change while the server runs`);
}
