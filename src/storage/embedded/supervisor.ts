import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { keepRunning } from "../../domain/keep-running.ts";
import type { Logger } from "../../domain/ports.ts";
import { type Command, cleanEnvironment } from "./account.ts";
import { endOrphans } from "./processes.ts";

/** How long PostgreSQL may take to stop in order before it is told to stop at once. */
const stopTimeoutMs = 10_000;
/** After so many failed starts in a row it is given up: about a minute. */
const maxFailures = 60;

const readyLine = "database system is ready to accept connections";

/** A PostgreSQL that is kept running. */
export interface SupervisedPostgres {
  /** Stops it in order (SIGINT: clients are cut off, everything is written) and waits for its end. */
  stop(): Promise<void>;
  /** Resolves with the exit code when PostgreSQL has ended for good. */
  readonly exited: Promise<number | null>;
}

/** One run of PostgreSQL. */
interface Run {
  readonly child: ChildProcess;
  /** Resolves when it accepts connections; rejects with its last words if it ends before. */
  readonly ready: Promise<void>;
  readonly ended: Promise<number | null>;
}

/**
 * Starts PostgreSQL on a cluster and resolves when it accepts connections; throws if it ends before. Then keeps it running: starts
 * it again when it dies, until it is stopped. Each run listens at the same address, so that connection pools heal by themselves.
 */
export async function startSupervised(
  command: Command,
  cluster: string,
  logger: Logger,
): Promise<SupervisedPostgres> {
  const stopping = new AbortController();
  let run = startRun(command, logger);
  let hasEnded = false;
  let code: number | null = null;
  const exited = keepRunning(
    async (succeeded) => {
      if (hasEnded) {
        // A failure here is no reason to give up: PostgreSQL says itself what keeps it from starting.
        await endOrphans(cluster, logger).catch((error: unknown) => {
          logger.warn({ err: error }, "processes of the ended PostgreSQL could not be looked for");
        });
        if (stopping.signal.aborted) return;
        run = startRun(command, logger);
      }
      await run.ready.then(succeeded, () => {});
      code = await run.ended;
      hasEnded = true;
      throw new Error("PostgreSQL ended");
    },
    {
      signal: stopping.signal,
      firstPauseMs: 20,
      longestPauseMs: 1_000,
      onFailure: (reason, failures) => {
        if (failures > maxFailures) throw new Error(reason);
        logger.error({ exitCode: code }, "the embedded PostgreSQL ended unexpectedly; starting it again");
      },
    },
  ).then(
    () => code,
    () => code,
  );
  const stop = async () => {
    stopping.abort();
    run.child.kill("SIGINT");
    // SIGQUIT stops without a last checkpoint: nothing is lost, but the next start has to recover.
    const impatience = setTimeout(() => run.child.kill("SIGQUIT"), stopTimeoutMs);
    await exited;
    clearTimeout(impatience);
  };
  await run.ready.catch(async (error) => {
    await stop();
    throw error;
  });
  return { stop, exited };
}

function startRun(command: Command, logger: Logger): Run {
  const child = start(command, ["ignore", "ignore", "pipe"]);
  const ended = new Promise<number | null>((resolve) => {
    child.once("error", () => resolve(null));
    child.once("exit", resolve);
  });
  const ready = new Promise<void>((resolve, reject) => {
    let complaint = "";
    child.once("error", (error) => reject(new Error(`PostgreSQL could not be started: ${error.message}`)));
    child.once("close", () => reject(new Error(`The embedded PostgreSQL did not start: ${complaint}`)));
    if (!child.stderr) return;
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (line.includes(readyLine)) resolve();
      const severity = /\b(LOG|HINT|DETAIL|ERROR|FATAL|PANIC|WARNING):/.exec(line)?.[1];
      if (severity === "FATAL" || severity === "PANIC") complaint = line.slice(line.indexOf(severity));
      // What goes wrong before its log is set up is said without a severity.
      else if (severity === undefined) complaint = `${complaint} ${line}`.trim().slice(0, 300);
      if (severity === "PANIC") logger.error({ postgres: line }, "the embedded PostgreSQL complains");
      else logger.debug({ postgres: line }, "the embedded PostgreSQL says");
    });
  });
  ready.catch(() => {});
  if (child.pid !== undefined && process.platform !== "win32") leash(child.pid, command, ended);
  return { child, ready, ended };
}

/**
 * Ties PostgreSQL's life to ours, also if we are killed: a shell waits at the end of a pipe that only we hold.
 * When it breaks without a word, we are gone, and the shell stops PostgreSQL in order.
 */
function leash(pid: number, { options }: Command, ended: Promise<unknown>): void {
  const script = ["-c", 'read word || kill -INT "$0"', String(pid)];
  const holder = start({ file: "/bin/sh", args: script, options }, ["pipe", "ignore", "ignore"]);
  // Without the leash everything works; after a kill of ours the next start cleans up.
  holder.on("error", () => {});
  holder.stdin?.on("error", () => {});
  // Ended without the word it does what it does when we are killed, and finds nothing left to stop.
  void ended.then(() => holder.stdin?.end("over\n")).catch(() => {});
  holder.unref();
}

/** In a group of its own: the terminal's Ctrl-C is for us, and we stop PostgreSQL after its last client. */
function start({ file, args, options }: Command, stdio: ("pipe" | "ignore")[]): ChildProcess {
  return spawn(file, args, { ...options, cwd: "/", env: cleanEnvironment, stdio, detached: true });
}
