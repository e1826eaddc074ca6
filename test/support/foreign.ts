import { execFile } from "node:child_process";
import { cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Whether a foreign client that is missing fails the suite (on CI) instead of skipping its test by name. */
export const foreignClientsRequired = process.env.OSTIARY_TEST_REQUIRE_FOREIGN_CLIENTS === "1";

/** Runs a foreign program to its end, and gives what it printed. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: {
    readonly input?: string;
    readonly env?: Record<string, string>;
    readonly cwd?: string;
    readonly timeoutMs?: number;
  } = {},
): Promise<{ readonly stdout: string; readonly stderr: string; readonly failed: boolean }> {
  const child = run(file, [...args], {
    timeout: options.timeoutMs ?? 120_000,
    maxBuffer: 10_000_000,
    env: { ...process.env, ...options.env },
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  if (options.input !== undefined) child.child.stdin?.end(options.input);
  return child.then(
    ({ stdout, stderr }) => ({ stdout, stderr, failed: false }),
    (error: { stdout?: string; stderr?: string; message: string }) => ({
      stdout: error.stdout ?? "",
      stderr: error.stderr ?? error.message,
      failed: true,
    }),
  );
}

/** Runs a foreign program that must succeed, and gives its output. */
export async function outputOf(
  file: string,
  args: readonly string[],
  options: Parameters<typeof runProgram>[2] = {},
): Promise<string> {
  const { stdout, stderr, failed } = await runProgram(file, args, options);
  if (failed) throw new Error(`${file} ${args.join(" ")}: ${stderr}${stdout}`);
  return stdout.trim();
}

export const goClient = "test/foreign/clients/go";

/**
 * A copy of the Go client's folder, with its stubs made. The caller removes it. Built with `-trimpath`, the stubs are compiled
 * once for all copies.
 */
export async function copyGoClient(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ostiary-go-"));
  await cp(goClient, folder, { recursive: true });
  // google.rpc has a Go module of its own.
  const args = ["generate", resolve("proto"), "--exclude-path", resolve("proto/google")];
  await outputOf(resolve("node_modules/.bin/buf"), [...args, "--template", "buf.gen.yaml"], {
    cwd: folder,
    timeoutMs: 250_000,
  });
  return folder;
}

/** Whether a program can be started; where it cannot and must be, an error says so. */
export async function isInstalled(
  file: string,
  args: readonly string[],
  { cwd = ".", required = foreignClientsRequired } = {},
): Promise<boolean> {
  const { failed, stderr } = await runProgram(file, args, { cwd });
  if (failed && required) throw new Error(`${file} is needed and cannot be started: ${stderr}`);
  return !failed;
}
