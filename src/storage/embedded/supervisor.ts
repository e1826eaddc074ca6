import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Logger } from "../../domain/ports.ts";
import type { Command } from "./account.ts";
import { cleanEnvironment } from "./cluster.ts";
import { endOrphans } from "./leftover.ts";

/** How long PostgreSQL may take to stop in order before it is told to stop at once. */
const stopTimeoutMs = 10_000;
/** The longest pause between two starts. */
const longestPauseMs = 1_000;
/** After so many failed starts in a row it is given up: about a minute. */
const maxFailures = 60;

const readyLine = "database system is ready to accept connections";

/** One run of PostgreSQL. */
interface Run {
  readonly child: ChildProcess;
  /** Resolves when it accepts connections; rejects with its last words if it ends before. */
  readonly ready: Promise<void>;
  readonly ended: Promise<number | null>;
}

/**
 * Keeps PostgreSQL running: starts it again when it dies, until it is told to stop. Each run listens at the same
 * address, so that connection pools heal by themselves.
 */
export class Supervisor {
  readonly #command: Command;
  readonly #cluster: string;
  readonly #logger: Logger;
  #run: Run;
  #stopping = false;
  #failures = 0;
  #wake: (() => void) | undefined;
  /** Resolves with the exit code when PostgreSQL has ended for good. */
  readonly exited: Promise<number | null>;

  private constructor(command: Command, cluster: string, logger: Logger) {
    this.#command = command;
    this.#cluster = cluster;
    this.#logger = logger;
    this.#run = startRun(command, logger);
    this.exited = this.#watch();
  }

  /** Starts PostgreSQL on a cluster and resolves when it accepts connections. Throws if it ends before. */
  static async start(command: Command, cluster: string, logger: Logger): Promise<Supervisor> {
    const supervisor = new Supervisor(command, cluster, logger);
    try {
      await supervisor.#run.ready;
      return supervisor;
    } catch (error) {
      await supervisor.stop();
      throw error;
    }
  }

  /** Stops PostgreSQL in order (SIGINT: clients are cut off, everything is written) and waits for its end. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#wake?.();
    const { child, ended } = this.#run;
    child.kill("SIGINT");
    // SIGQUIT stops without a last checkpoint: nothing is lost, but the next start has to recover.
    const impatience = setTimeout(() => child.kill("SIGQUIT"), stopTimeoutMs);
    await ended;
    clearTimeout(impatience);
    await this.exited;
  }

  async #watch(): Promise<number | null> {
    for (;;) {
      await this.#run.ready.then(
        () => {
          this.#failures = 0;
        },
        () => {
          this.#failures++;
        },
      );
      const code = await this.#run.ended;
      if (this.#stopping || this.#failures >= maxFailures) return code;
      this.#logger.error({ exitCode: code }, "the embedded PostgreSQL ended unexpectedly; starting it again");
      await this.#pause();
      // A failure here is no reason to give up: PostgreSQL says itself what keeps it from starting.
      await endOrphans(this.#cluster, this.#logger).catch((error: unknown) => {
        this.#logger.warn({ err: error }, "processes of the ended PostgreSQL could not be looked for");
      });
      if (this.#stopping) return code;
      this.#run = startRun(this.#command, this.#logger);
    }
  }

  async #pause(): Promise<void> {
    const milliseconds = Math.min(longestPauseMs, 20 * 2 ** this.#failures);
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

function startRun(command: Command, logger: Logger): Run {
  const child = spawn(command.file, [...command.args], {
    ...command.options,
    cwd: "/",
    env: cleanEnvironment,
    stdio: ["ignore", "ignore", "pipe"],
    // A group of its own: the terminal's Ctrl-C is for us, and we stop PostgreSQL after its last client.
    detached: true,
  });
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
  if (child.pid !== undefined) leash(child.pid, command, ended);
  return { child, ready, ended };
}

/**
 * Ties PostgreSQL's life to ours, also if we are killed: a shell waits at the end of a pipe that only we hold.
 * When it breaks without a word, we are gone, and the shell stops PostgreSQL in order.
 */
function leash(pid: number, command: Command, ended: Promise<unknown>): void {
  if (process.platform === "win32") return;
  const holder = spawn("/bin/sh", ["-c", 'read word || kill -INT "$0"', String(pid)], {
    ...command.options,
    cwd: "/",
    env: cleanEnvironment,
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  // Without the leash everything works; after a kill of ours the next start cleans up.
  holder.on("error", () => {});
  holder.stdin?.on("error", () => {});
  // Ended without the word it does what it does when we are killed, and finds nothing left to stop.
  void ended.then(() => holder.stdin?.end("over\n")).catch(() => {});
  holder.unref();
}
