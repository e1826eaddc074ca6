import { createHash, randomBytes } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { processStartTime } from "./processes.ts";

/** How often a lock is tried for that others are taking or giving back at the same moment. */
const maxAttempts = 20;

/** Who holds a lock: a process id alone would be mistaken for another process after a restart. */
interface Holder {
  readonly pid: number;
  readonly startTime: string;
}

/**
 * Takes the exclusive lock of a data directory, a file `ostiary.lock` that names the process. A lock whose process
 * is gone is taken over. Throws if a live process holds it. Returns the function that gives it back.
 *
 * Node has no flock(2), so this rests on link(2), which makes a whole file or fails if there is one:
 *
 * - A free lock goes to whoever links it first.
 * - A dead one is never removed, which two could do one after the other, but succeeded: its successor links a file
 *   that is named by the dead content, which only one can, sees that the lock is still the dead one, and then moves
 *   itself into its place. A successor that dies on the way is succeeded the same way.
 */
export async function lockDirectory(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, "ostiary.lock");
  const nonce = randomBytes(16).toString("hex");
  const own = `${path}.${nonce}.own`;
  const content = JSON.stringify({
    pid: process.pid,
    startTime: await processStartTime(process.pid),
    nonce,
  } satisfies Holder & { readonly nonce: string });
  await writeFile(own, content, { mode: 0o600, flag: "wx" });
  try {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      if ((await linked(own, path)) || (await succeeded(directory, path, own))) {
        return async () => {
          if ((await readText(path)) === content) await rm(path, { force: true });
        };
      }
    }
    throw new Error(`The data directory ${directory} is being taken by several processes at once; try again`);
  } finally {
    await rm(own, { force: true });
  }
}

/** Succeeds the dead holder of the lock. False if the lock changed meanwhile; throws if its holder lives. */
async function succeeded(directory: string, path: string, own: string): Promise<boolean> {
  const dead = await readText(path);
  const markers: string[] = [];
  for (let last = dead; last !== undefined; ) {
    await assertDead(directory, last);
    const marker = `${path}.${createHash("sha256").update(last).digest("hex").slice(0, 32)}`;
    markers.push(marker);
    if (!(await linked(own, marker))) {
      // Somebody is succeeding, or died while doing so.
      last = await readText(marker);
      continue;
    }
    if ((await readText(path)) !== dead) {
      await rm(marker, { force: true });
      return false;
    }
    await rename(own, path);
    for (const used of markers) await rm(used, { force: true });
    return true;
  }
  return false;
}

async function assertDead(directory: string, content: string): Promise<void> {
  const holder = parseHolder(content);
  // A file that we did not write names nobody who could be asked whether it still holds.
  if (holder === undefined) return;
  const startTime = await processStartTime(holder.pid);
  if (startTime !== "" && startTime === holder.startTime) {
    throw new Error(`The data directory ${directory} is already in use by process ${holder.pid}`);
  }
}

function parseHolder(content: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value !== "object" || value === null || !("pid" in value) || !("startTime" in value)) {
      return undefined;
    }
    const { pid, startTime } = value;
    return typeof pid === "number" && typeof startTime === "string" ? { pid, startTime } : undefined;
  } catch {
    return undefined;
  }
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
