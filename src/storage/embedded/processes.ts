import { execFile } from "node:child_process";
import { readdir, readFile, readlink, realpath } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/**
 * When a process started, as an opaque text that no later process with the same id shares; empty if there is no
 * such process. Linux: ticks since boot (proc(5), field 22); elsewhere what ps says.
 */
export async function processStartTime(pid: number): Promise<string> {
  try {
    if (process.platform === "linux") {
      const stat = await readFile(`/proc/${pid}/stat`, "utf8");
      // The second field is the name in parentheses, which may hold spaces and parentheses itself.
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z" || fields[0] === "X") return "";
      return fields[19] ?? "";
    }
    const { stdout } = await run("ps", ["-o", "lstart=", "-p", String(pid)]);
    return stdout.trim();
  } catch {
    // No such process: that is the answer.
    return "";
  }
}

/** Whether a process is a PostgreSQL of this cluster directory; never true for anybody else's process. */
export async function isPostgresOf(pid: number, cluster: string): Promise<boolean> {
  try {
    if (process.platform !== "linux") {
      const { stdout } = await run("ps", ["-o", "command=", "-p", String(pid)]);
      return /postgres/.test(stdout) && stdout.includes(cluster);
    }
    const name = (await readFile(`/proc/${pid}/comm`, "utf8")).trim();
    if (name !== "postgres") return false;
    // postgres changes into its cluster directory when it starts.
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(cluster));
  } catch {
    // Gone, or not ours to look at: then it is not ours.
    return false;
  }
}

/** The ids of all running PostgreSQL processes of this cluster directory. Linux only; empty elsewhere. */
export async function postgresProcessesOf(cluster: string): Promise<readonly number[]> {
  if (process.platform !== "linux") return [];
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (/^\d+$/.test(entry) && (await isPostgresOf(Number(entry), cluster))) found.push(Number(entry));
  }
  return found;
}

/** The process id in a cluster's postmaster.pid; undefined if there is none. */
export async function postmasterPid(cluster: string): Promise<number | undefined> {
  try {
    const pid = Number.parseInt(await readFile(join(cluster, "postmaster.pid"), "utf8"), 10);
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Sends a signal; false if there is no such process. */
export function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}
