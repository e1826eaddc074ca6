import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { runCommandLine } from "../../src/cli/cli.ts";

/** What a command line printed, and how it ended. */
export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that runs. */
export interface Running {
  readonly process: ChildProcessWithoutNullStreams;
  /** Resolves with all of standard output so far, as soon as it contains the text. Rejects if it ends before. */
  output(text: string): Promise<string>;
  readonly finished: Promise<Finished>;
}

interface RunOptions {
  /** The working directory. */
  readonly directory: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** What it reads from standard input. */
  readonly input?: string;
}

/** Runs `bin/ostiary` to its end, in an environment without variables of ours. */
export function runOstiary(words: readonly string[], options: RunOptions): Promise<Finished> {
  return startOstiary(words, options).finished;
}

/**
 * Runs a command line to its end as src/main.ts does, but in this process: a start of its own takes a second of CPU time.
 * For commands that end by themselves and do not log.
 */
export async function runInProcess(
  words: readonly string[],
  { directory, environment = {}, input = "" }: RunOptions,
): Promise<Finished> {
  const printed = { stdout: "", stderr: "" };
  const before = process.cwd();
  process.chdir(directory);
  try {
    const code = await runCommandLine(words, {
      environment,
      isTerminal: false,
      readInput: async () => input,
      print: (line) => (printed.stdout += `${line}\n`),
      warn: (line) => (printed.stderr += `${line}\n`),
    });
    return { code, ...printed };
  } finally {
    process.chdir(before);
  }
}

/** Starts `bin/ostiary`. */
export function startOstiary(
  words: readonly string[],
  { directory, environment = {}, input = "" }: RunOptions,
): Running {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("OSTIARY_"));
  const child = spawn(resolve("bin/ostiary"), [...words], {
    cwd: directory,
    env: { ...Object.fromEntries(inherited), ...environment },
  });
  child.stdin.end(input);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const finished = once(child, "close").then(([code]): Finished => ({ code, stdout, stderr }));
  return {
    process: child,
    finished,
    output: (text) =>
      new Promise((resolveOutput, reject) => {
        const look = () => {
          if (stdout.includes(text)) resolveOutput(stdout);
        };
        child.stdout.on("data", look);
        child.on("close", () => reject(new Error(`ended without "${text}": ${stdout}${stderr}`)));
        look();
      }),
  };
}
