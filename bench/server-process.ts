import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

/** A server under measurement. */
export interface MeasuredServer {
  /** From the spawn to the line that names the public URL. */
  readonly readyMs: number;
  readonly publicUrl: string;
  /** Empty for a program that prints one URL only. */
  readonly adminUrl: string;
  readonly pid: number;
  /** Resident memory of the server's own process, in MiB. */
  residentMib(): number;
  /** CPU seconds that the server's own process has spent; PostgreSQL not counted. */
  cpuSeconds(): number;
  stop(): Promise<void>;
}

/** Starts a program and waits for the URLs that it prints: one, or the server's two. */
export async function startMeasured(file: string, args: readonly string[]): Promise<MeasuredServer> {
  const started = performance.now();
  const child: ChildProcess = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
  const { pid } = child;
  if (pid === undefined || child.stdout === null) throw new Error(`${file} could not be started`);
  let output = "";
  for await (const chunk of child.stdout) {
    output += String(chunk);
    if (urlsIn(output).length > 0) break;
  }
  const readyMs = performance.now() - started;
  const [publicUrl, adminUrl = ""] = urlsIn(output);
  if (publicUrl === undefined) throw new Error(`${file} ended without a URL: ${output}`);
  return {
    readyMs,
    publicUrl,
    adminUrl,
    pid,
    residentMib: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) / 1024,
    cpuSeconds: () => cpuSecondsOf(pid),
    stop: async () => {
      const exited = once(child, "exit");
      child.kill("SIGTERM");
      await exited;
    },
  };
}

function urlsIn(output: string): readonly string[] {
  return [...new Set(Array.from(output.matchAll(/https?:\/\/[^\s/]+/g), ([url]) => url))];
}

function cpuSecondsOf(pid: number): number {
  // Fields 14 and 15 of proc(5) stat, counted after the name in brackets: user and system time in 1/100 s.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
