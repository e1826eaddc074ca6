import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";

/** A worker in a process of its own. */
export interface WorkerProcess {
  /** Ends it without a word, as a machine that loses its power. */
  kill(): Promise<void>;
  /** Asks it to end, and gives its exit code. */
  stop(): Promise<number | null>;
}

/** Starts a worker that sends what is in a database to a mail server on loopback, one message at a time. */
export async function startWorkerProcess(options: {
  readonly databaseUrl: string;
  readonly mailPort: number;
  readonly leaseMs: number;
}): Promise<WorkerProcess> {
  const { databaseUrl, mailPort, leaseMs } = options;
  const child: ChildProcess = spawn(
    process.execPath,
    [
      "--disable-warning=ExperimentalWarning",
      "test/support/courier-worker-process.ts",
      databaseUrl,
      String(mailPort),
      String(leaseMs),
    ],
    // Its input ends with us, and it with its input: a test that timed out may leave one behind.
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  if (child.stdout === null) throw new Error("the worker has no output");
  await once(child.stdout, "data");
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
    return child.exitCode;
  };
  return {
    kill: async () => {
      await end("SIGKILL");
    },
    stop: () => end("SIGTERM"),
  };
}
