import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The environment of PostgreSQL's programs: nothing of ours, so that no PG… variable reaches them. */
export const cleanEnvironment = { PATH: "/usr/bin:/bin:/usr/sbin:/usr/local/bin", LC_ALL: "C", TZ: "UTC" };

/** An unprivileged account of the machine. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** A program and how to start it. */
export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly options: { readonly uid?: number; readonly gid?: number };
}

/** Makes the command that runs a program under the right account. */
export type CommandMaker = (file: string, args: readonly string[]) => Command;

/**
 * The account that PostgreSQL runs as: undefined (our own) unless we are root, which PostgreSQL refuses; then
 * `postgres` if the machine has it, else `nobody`. Nothing is created on the machine.
 */
export async function postgresAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const lines = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const [, , uid, gid] = lines.find((fields) => fields[0] === name) ?? [];
    if (uid !== undefined && gid !== undefined) return { name, uid: Number(uid), gid: Number(gid) };
  }
  throw new Error(
    "PostgreSQL does not run as root, and this machine has neither a `postgres` nor a `nobody` account: run Ostiary as another user",
  );
}

/**
 * Decides how to run programs as the account so that it can enter the directories that it needs.
 *
 * A checkout below /root or in a private temporary folder is closed to it. Opening those folders is not ours to do,
 * so where setpriv(1) is there, the programs get one capability instead, of searching directories and reading
 * files, and nothing to write with; only this server, which is root itself then, can make them use it.
 */
export async function commandsAs(
  account: Account | undefined,
  directories: readonly string[],
): Promise<CommandMaker> {
  if (account === undefined) return (file, args) => ({ file, args, options: {} });
  const { uid, gid } = account;
  const canEnter = (directory: string) => succeeds("test", ["-x", directory], { uid, gid, cwd: "/" });
  const open = await Promise.all(directories.map(canEnter));
  const closed = directories.find((_directory, index) => !open[index]);
  if (closed === undefined) return (file, args) => ({ file, args, options: { uid, gid } });
  const prefix = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
    "--no-new-privs",
  ];
  if (!(await succeeds("setpriv", [...prefix, "true"], {}))) {
    throw new Error(
      `PostgreSQL runs as the user "${account.name}", who may not enter ${closed}: run Ostiary as a user other than root, or choose a data directory that others may enter (chmod o+x, also of the folders above it)`,
    );
  }
  return (file, args) => ({ file: "setpriv", args: [...prefix, "--", file, ...args], options: {} });
}

function succeeds(file: string, args: readonly string[], options: object): Promise<boolean> {
  return run(file, args, { ...options, env: cleanEnvironment }).then(
    () => true,
    () => false,
  );
}
