import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Account, CommandMaker } from "./account.ts";
import type { Binaries } from "./binaries.ts";

/** The name of the database, and of the role that owns it and that Ostiary connects as. Not a superuser. */
export const databaseName = "ostiary";

/** The environment of PostgreSQL's programs: nothing of ours, so that no PG… variable reaches them. */
export const cleanEnvironment = { PATH: "/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };

/**
 * Makes a new cluster with the role and the database in it. It is prepared in a folder beside and moved into place
 * whole, so that a process that dies on the way leaves nothing that looks like a cluster.
 */
export async function createCluster(options: {
  readonly cluster: string;
  readonly binaries: Binaries;
  readonly account: Account | undefined;
  readonly command: CommandMaker;
  readonly password: string;
  readonly durable: boolean;
}): Promise<void> {
  const { cluster, binaries, account, command, password } = options;
  const draft = `${cluster}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  if (account) await chown(draft, account.uid, account.gid);
  const passwordFile = `${cluster}.password`;
  await writeFileFor(account, passwordFile, password);
  try {
    await execute(command, binaries.initdb, [
      ...["-D", draft, "-U", "postgres", "--auth=scram-sha-256", `--pwfile=${passwordFile}`],
      // The collation is PostgreSQL's own: the order of texts must not change with the machine's libraries.
      ...["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
      ...(options.durable ? [] : ["--no-sync"]),
    ]);
  } finally {
    await rm(passwordFile, { force: true });
  }
  // Letters and digits only, so it needs no quoting. Each statement of a single-user server is one line.
  await execute(
    command,
    binaries.postgres,
    ["--single", "-D", draft, "-c", "log_min_messages=warning", "-c", "exit_on_error=on", "postgres"],
    `CREATE ROLE ${databaseName} LOGIN PASSWORD '${password}'\nCREATE DATABASE ${databaseName} OWNER ${databaseName}\n`,
  );
  await rename(draft, cluster);
}

/** Whether there is a cluster. Throws if it was written by another major version; nothing is touched then. */
export async function clusterExists(cluster: string, binaries: Binaries): Promise<boolean> {
  let version: string;
  try {
    version = (await readFile(join(cluster, "PG_VERSION"), "utf8")).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
    return refuseForeignFolder(cluster);
  }
  if (version === String(binaries.majorVersion)) return true;
  throw new Error(
    `The database in ${cluster} was written by PostgreSQL ${version}, and this Ostiary comes with PostgreSQL ${binaries.majorVersion}. Nothing was changed. ` +
      `To upgrade: dump it with pg_dump while the Ostiary that wrote it is running, move the folder away, start this Ostiary once, and restore the dump into it`,
  );
}

async function refuseForeignFolder(cluster: string): Promise<boolean> {
  const entries = await readdir(cluster).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (entries === undefined) return false;
  if (entries.length > 0) throw new Error(`${cluster} is not empty, and holds no PostgreSQL database`);
  await rm(cluster, { recursive: true });
  return false;
}

/**
 * The password of the embedded database: random, made with it, in a file that only we can read. It guards the
 * database even where others can reach its socket. Throws if there is a database and its password is gone.
 */
export async function databasePassword(dataDirectory: string, clusterExists: boolean): Promise<string> {
  const path = join(dataDirectory, "postgres-password");
  try {
    const password = (await readFile(path, "utf8")).trim();
    if (password !== "") return password;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
  if (clusterExists) {
    throw new Error(
      `The database's password ${path} is missing: put it back, from the same back-up as the database`,
    );
  }
  const password = randomBytes(32).toString("hex");
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  await writeFile(draft, `${password}\n`, { mode: 0o600, flag: "wx", flush: true });
  await rename(draft, path);
  return password;
}

/** Gives a folder and all that is in it to the account, unless it has it already. */
export async function giveTo(account: Account | undefined, cluster: string): Promise<void> {
  if (account === undefined || (await stat(cluster)).uid === account.uid) return;
  for (const entry of await readdir(cluster, { recursive: true })) {
    await chown(join(cluster, entry), account.uid, account.gid);
  }
  await chown(cluster, account.uid, account.gid);
  await chmod(cluster, 0o700);
}

/** Writes a file that the account can read, and nobody else. */
async function writeFileFor(account: Account | undefined, path: string, content: string): Promise<void> {
  await rm(path, { force: true });
  await writeFile(path, content, { mode: 0o600, flag: "wx" });
  if (account) await chown(path, account.uid, account.gid);
}

/** Runs one of PostgreSQL's programs to its end. Throws with what it said if it fails. */
async function execute(
  command: CommandMaker,
  file: string,
  args: readonly string[],
  input = "",
): Promise<void> {
  const made = command(file, args);
  const child: ChildProcess = spawn(made.file, [...made.args], {
    ...made.options,
    cwd: "/",
    env: cleanEnvironment,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let output = "";
  const collect = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4000);
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  // A program that ends before it has read its input says why on its output.
  child.stdin?.on("error", () => {});
  child.stdin?.end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  if (code !== 0) {
    const lines = output.trim().split("\n");
    const reason = lines.find((line) => /error|FATAL|PANIC/i.test(line)) ?? lines.at(-1) ?? "";
    throw new Error(`The embedded PostgreSQL could not be prepared: ${reason.trim()}`);
  }
}
