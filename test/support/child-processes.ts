import { readdir, readFile } from "node:fs/promises";

/** The processes that a process has started, on Linux. */
export async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const children = await Promise.all(
    pids.map(async (pid) => {
      // The name of the program is in brackets, and may have some itself.
      const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
      const [, ppid] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      return Number(ppid) === parent ? [Number(pid)] : [];
    }),
  );
  return children.flat();
}

/** The workers of a server that has some (`server.workers`), by their process ids. */
export async function workersOf(parent: number | undefined): Promise<number[]> {
  const children = await childrenOf(parent ?? 0);
  const commands = await Promise.all(
    children.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")),
  );
  return children.filter((_, index) => commands[index]?.includes("src/main.ts"));
}
