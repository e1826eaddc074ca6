import { randomBytes } from "node:crypto";
import { readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { processStartTime } from "./processes.ts";

/** How often a lock is tried for, in about a second: others may be trying at the same moment. */
const maxAttempts = 15;

/**
 * Takes the exclusive lock of a data directory. Throws if a live process holds it. Returns the function that gives it back.
 *
 * Node has no flock(2). So each process that wants the lock makes a file with its own name, and then looks for those of others.
 * Files of dead processes are removed: no two have the same name, so none is removed by mistake. A process that finds no other
 * holds the lock, because all that come later find its file. Processes that find each other all step back and try again.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  // A process id alone would be mistaken for another process after a restart.
  const claim = [process.pid, await processStartTime(process.pid), randomBytes(8).toString("hex")];
  const own = `ostiary.lock.${claim.join(".")}`;
  const giveBack = () => rm(join(directory, own), { force: true });
  for (let attempt = 1; ; attempt++) {
    await writeFile(join(directory, own), "", { mode: 0o600, flag: "wx" });
    const other = await findOtherClaim(directory, own).catch(async (error) => {
      await giveBack();
      throw error;
    });
    if (other === undefined) return giveBack;
    await giveBack();
    if (attempt === maxAttempts) {
      throw new Error(`The data directory ${directory} is already in use by process ${other}`);
    }
    await delay(10 * attempt * Math.random());
  }
}

/** The process of another live claim. Removes those of dead ones. */
async function findOtherClaim(directory: string, own: string): Promise<number | undefined> {
  for (const name of await readdir(directory)) {
    const [, pid, startTime] = /^ostiary\.lock\.(\d+)\.(\w*)\.\w+$/.exec(name) ?? [];
    if (pid === undefined || name === own) continue;
    if (startTime !== "" && (await processStartTime(Number(pid))) === startTime) return Number(pid);
    await rm(join(directory, name), { force: true });
  }
  return undefined;
}
