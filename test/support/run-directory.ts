import { mkdirSync, readdirSync, readFileSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const prefix = "ostiary-tests-";
/** Enough for a few clusters of PostgreSQL at once. */
const neededBytes = 2e9;

/**
 * Makes the directory of all temporary files of a run, which is removed when this process ends. It is in memory where
 * there is room: databases, and waiting for the disk that holds them, are half of the time of the system in a run.
 */
export function makeRunDirectory(): string {
  const parent = isFit("/dev/shm") ? "/dev/shm" : tmpdir();
  // What killed runs left behind; in memory it would stay until the machine is started again.
  for (const name of readdirSync(parent)) {
    const owner = Number(name.slice(prefix.length));
    if (name.startsWith(prefix) && !isAlive(owner))
      rmSync(join(parent, name), { recursive: true, force: true });
  }
  const directory = join(parent, `${prefix}${process.pid}`);
  // The account of PostgreSQL passes through.
  mkdirSync(directory, { recursive: true, mode: 0o711 });
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Whether there is room in memory, in which programs may be started: not with Docker's defaults. */
function isFit(memory: string): boolean {
  try {
    const { bavail, bsize } = statfsSync(memory);
    const mount = readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .find((line) => line.split(" ")[1] === memory);
    return mount !== undefined && !/\bnoexec\b/.test(mount) && bavail * bsize > neededBytes;
  } catch {
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
