import { execFile } from "node:child_process";
import { access, readFile, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

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
 * Decides how to run programs as the account so that it can enter the directories on the way to what it needs.
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
  const closed = await firstClosed(account, directories);
  if (closed === undefined) {
    return (file, args) => ({ file, args, options: { uid: account.uid, gid: account.gid } });
  }
  const setpriv = await findProgram("setpriv");
  const prefix = [
    `--reuid=${account.uid}`,
    `--regid=${account.gid}`,
    "--clear-groups",
    "--inh-caps=+dac_read_search",
    "--ambient-caps=+dac_read_search",
    "--no-new-privs",
  ];
  const works =
    setpriv !== undefined &&
    (await run(setpriv, [...prefix, "true"]).then(
      () => true,
      () => false,
    ));
  if (setpriv === undefined || !works) {
    throw new Error(
      `PostgreSQL runs as the user "${account.name}", who may not enter ${closed}: run Ostiary as a user other than root, or choose a data directory that others may enter (chmod o+x)`,
    );
  }
  return (file, args) => ({ file: setpriv, args: [...prefix, "--", file, ...args], options: {} });
}

/** The first directory, from the root down, that the account may not enter. */
async function firstClosed(account: Account, directories: readonly string[]): Promise<string | undefined> {
  for (const directory of directories) {
    const chain: string[] = [];
    for (let current = directory; ; current = dirname(current)) {
      chain.unshift(current);
      if (current === dirname(current)) break;
    }
    for (const current of chain) {
      const { mode, uid, gid } = await stat(current);
      const needed = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
      if ((mode & needed) === 0) return current;
    }
  }
  return undefined;
}

async function findProgram(name: string): Promise<string | undefined> {
  for (const directory of ["/usr/bin", "/bin", "/usr/sbin", "/usr/local/bin"]) {
    const path = join(directory, name);
    if (
      await access(path, 1).then(
        () => true,
        () => false,
      )
    )
      return path;
  }
  return undefined;
}
