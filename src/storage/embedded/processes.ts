import { execFile } from "node:child_process";
import { readdir, readFile, readlink, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import type { Logger } from "../../domain/ports.ts";

const run = promisify(execFile);

/** How long a leftover gets to stop in order, and then at once. */
const patienceMs = 10_000;

/**
 * When a process started, as an opaque word that no later process with the same id shares; empty if there is no such process.
 * Linux: ticks since boot (proc(5), field 22); elsewhere what ps says.
 */
export async function processStartTime(pid: number): Promise<string> {
  try {
    if (process.platform !== "linux") {
      return (await run("ps", ["-o", "lstart=", "-p", String(pid)])).stdout.replaceAll(/\W+/g, "_");
    }
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    // The second field is the name in parentheses, which may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return fields[0] === "Z" || fields[0] === "X" ? "" : (fields[19] ?? "");
  } catch {
    // No such process: that is the answer.
    return "";
  }
}

/**
 * The ids of the running PostgreSQL processes of this cluster directory; never anybody else's. Not on Linux: only the first one,
 * whose command line names the cluster.
 */
export async function postgresProcessesOf(cluster: string): Promise<readonly number[]> {
  if (process.platform !== "linux") {
    const { stdout } = await run("ps", ["-axo", "pid=,command="]).catch(() => ({ stdout: "" }));
    const own = stdout.split("\n").filter((line) => line.includes(`postgres -D ${cluster} -c `));
    return own.map((line) => Number.parseInt(line, 10));
  }
  const found: number[] = [];
  for (const pid of await readdir("/proc")) {
    // postgres changes into its cluster directory when it starts. One that is gone, or not ours to look at, is not ours.
    const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
    if (name.trim() !== "postgres") continue;
    const directory = await readlink(`/proc/${pid}/cwd`).catch(() => undefined);
    if (directory === (await realpath(cluster))) found.push(Number(pid));
  }
  return found;
}

/** The process id in a cluster's postmaster.pid; undefined if there is none. */
export async function postmasterPid(cluster: string): Promise<number | undefined> {
  const text = await readFile(join(cluster, "postmaster.pid"), "utf8").catch((error) => {
    if (error.code !== "ENOENT") throw error;
  });
  const pid = Number.parseInt(text ?? "", 10);
  return pid > 0 ? pid : undefined;
}

/**
 * Stops a PostgreSQL that a killed Ostiary left running on this cluster, and clears its lock files (of the cluster, and of the
 * socket) where they name somebody else's process by now. A process that is not a PostgreSQL of this very directory is never
 * touched. Called with the directory's lock held, so no live Ostiary owns what is found.
 */
export async function stopLeftover(
  cluster: string,
  socketDirectory: string | undefined,
  logger: Logger,
): Promise<void> {
  const pid = await postmasterPid(cluster);
  if (pid === undefined) return;
  if ((await postgresProcessesOf(cluster)).includes(pid)) {
    logger.warn({ pid }, "stopping a PostgreSQL that an earlier server left running");
    if (!(await ended(pid, "SIGINT")) && !(await ended(pid, "SIGQUIT"))) {
      throw new Error(`Another PostgreSQL, process ${pid}, runs on ${cluster} and does not stop`);
    }
  }
  // Also after that, because a server that was being killed at this moment leaves children and lock files like any other.
  await endOrphans(cluster, logger);
  // PostgreSQL itself refuses to start while the number in a lock file is any process of its account, even a dead one
  // that nobody has waited for. So the files go, if it is certain that no process of this cluster is left.
  if (process.platform === "linux" && (await postgresProcessesOf(cluster)).length === 0) {
    await rm(join(cluster, "postmaster.pid"), { force: true });
    if (socketDirectory !== undefined) await rm(join(socketDirectory, ".s.PGSQL.5432.lock"), { force: true });
  }
}

/**
 * Ends the children that a killed PostgreSQL left behind. Called when its first process is gone. Most children notice
 * that and end, but one that waits for a lock which a dead one held never does, and as long as it lives PostgreSQL
 * refuses to start ("pre-existing shared memory block is still in use"). Nothing is lost by killing it: whatever
 * was committed is in the write-ahead log.
 */
export async function endOrphans(cluster: string, logger: Logger): Promise<void> {
  for (const pid of await postgresProcessesOf(cluster)) {
    logger.warn({ pid }, "ending a process that a killed PostgreSQL left behind");
    await ended(pid, "SIGKILL");
  }
}

/** Sends a signal; whether the process ended of it. */
async function ended(pid: number, signal: NodeJS.Signals): Promise<boolean> {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return true;
    throw error;
  }
  // Nothing tells when a process that is not our child ends, so it is looked at.
  for (let waited = 0; waited < patienceMs; waited += 10) {
    if ((await processStartTime(pid)) === "") return true;
    await delay(10);
  }
  return false;
}
