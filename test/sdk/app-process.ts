import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";

/** An app in a process of its own. */
export interface AppProcess {
  /** The line that it printed when it was ready. */
  readonly printed: string;
  /** What it has written to its log. */
  readonly log: () => string;
  readonly isRunning: () => boolean;
  stop(): void;
}

/** Starts a program and waits for its first line. */
export async function startProcess(
  program: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<AppProcess> {
  const child = spawn("node", [program, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let log = "";
  child.stderr.on("data", (data: Buffer) => {
    log += data.toString();
  });
  const [printed] = (await Promise.race([
    once(createInterface(child.stdout), "line"),
    once(child, "exit").then(() => Promise.reject(new Error(`the app has ended: ${log}`))),
  ])) as [string];
  return {
    printed,
    log: () => log,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    stop: () => void child.kill("SIGKILL"),
  };
}

/** Sends bytes and gives what comes back until the connection ends. */
export async function sendBytes(port: number, bytes: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("data", (data) => {
    answer += data.toString("latin1");
  });
  // A reset is an end as well.
  socket.on("error", () => {});
  socket.write(bytes);
  await new Promise((resolve) => socket.on("close", resolve));
  return answer;
}
