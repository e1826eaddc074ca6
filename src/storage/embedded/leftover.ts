import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "../../domain/ports.ts";
import { isPostgresOf, postgresProcessesOf, postmasterPid, processStartTime, signal } from "./processes.ts";

const socketLockName = ".s.PGSQL.5432.lock";
/** How long a leftover gets to stop in order, and then at once. */
const patienceMs = 10_000;

/**
 * Stops a PostgreSQL that a killed Ostiary left running on this cluster, and clears its lock files (of the cluster, and
 * of the socket) where they name somebody else's process by now. A process that is not a PostgreSQL of this very directory is never touched.
 * Called with the directory's lock held, so no live Ostiary owns what is found.
 */
export async function stopLeftover(
  cluster: string,
  socketDirectory: string | undefined,
  logger: Logger,
): Promise<void> {
  const pid = await postmasterPid(cluster);
  if (pid === undefined) return;
  if (await isPostgresOf(pid, cluster)) {
    logger.warn({ pid }, "stopping a PostgreSQL that an earlier server left running");
    const isStopped = (await stopBy(pid, "SIGINT")) || (await stopBy(pid, "SIGQUIT"));
    if (!isStopped) {
      throw new Error(`Another PostgreSQL, process ${pid}, runs on ${cluster} and does not stop`);
    }
  }
  // Also after that, because a server that was being killed at this moment leaves children and lock files like any other.
  await endOrphans(cluster, logger);
  // PostgreSQL itself refuses to start while the number in a lock file is any process of its account, even a dead one
  // that nobody has waited for. So the files go, if it is certain that no process of this cluster is left.
  if (process.platform === "linux" && (await postgresProcessesOf(cluster)).length === 0) {
    await rm(join(cluster, "postmaster.pid"), { force: true });
    if (socketDirectory !== undefined) await rm(join(socketDirectory, socketLockName), { force: true });
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
    if (signal(pid, "SIGKILL")) await ended(pid);
  }
}

async function stopBy(pid: number, name: NodeJS.Signals): Promise<boolean> {
  return !signal(pid, name) || (await ended(pid));
}

async function ended(pid: number): Promise<boolean> {
  // Nothing tells when a process that is not our child ends, so it is looked at.
  for (let waited = 0; waited < patienceMs; waited += 10) {
    if ((await processStartTime(pid)) === "") return true;
    await delay(10);
  }
  return false;
}
