import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { TestDatabase } from "./database.ts";

/** A server started as a user would, in a process of its own. */
export interface ServerProcess {
  readonly publicUrl: string;
  readonly adminUrl: string;
  /** Everything printed on standard output so far. */
  output(): string;
  /** Everything logged so far. */
  log(): string;
  readonly child: ChildProcess;
  /** Sends a signal and waits for the end; gives the exit code, or the signal's name. */
  end(signal: NodeJS.Signals): Promise<number | string | null>;
}

/** The variables by which a server uses a database of the run: it takes seconds to make one of its own. */
export function servingFrom({ url }: TestDatabase): Record<string, string> {
  return { OSTIARY_DATABASE_URL: url, OSTIARY_SECRETS_SEALING: "s".repeat(32) };
}

/** Starts `bin/ostiary serve` on free ports and waits until it serves. */
export async function startServerProcess(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<ServerProcess> {
  const child = spawn("bin/ostiary", ["serve", "--public-port", "0", "--admin-port", "0", ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  let log = "";
  child.stderr.on("data", (chunk: Buffer) => {
    log += String(chunk);
  });
  const served = new Promise<void>((resolve, reject) => {
    child.stdout.on("data", (chunk: Buffer) => {
      output += String(chunk);
      if (urlsIn(output).length >= 2) resolve();
    });
    child.on("exit", (code) => reject(new Error(`the server ended with ${code}: ${output}${log}`)));
  });
  await served;
  const [publicUrl = "", adminUrl = ""] = urlsIn(output);
  return {
    publicUrl,
    adminUrl,
    output: () => output,
    log: () => log,
    child,
    end: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode;
      const exited = once(child, "exit") as Promise<[number | null, string | null]>;
      child.kill(signal);
      const [code, name] = await exited;
      return code ?? name;
    },
  };
}

function urlsIn(output: string): string[] {
  return [
    ...new Set([...output.matchAll(/https?:\/\/(localhost|127\.0\.0\.1):\d+/g)].map((match) => match[0])),
  ];
}
