import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { type Account, type CommandMaker, cleanEnvironment } from "./account.ts";
import type { Binaries } from "./binaries.ts";

/** The name of the database, and of the role that owns it and that Ostiary connects as. Not a superuser. */
export const databaseName = "ostiary";

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
  const { cluster, binaries, account, command, password, durable } = options;
  const draft = `${cluster}.new`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { mode: 0o700 });
  if (account) await chown(draft, account.uid, account.gid);
  // The collation is PostgreSQL's own: the order of texts must not change with the machine's libraries.
  const collation = [
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
  ];
  const initial = ["-D", draft, "-U", "postgres", "--auth=trust", ...collation];
  await execute(command, binaries.initdb, durable ? initial : [...initial, "--no-sync"]);
  // Security rule (SR-STORE-2): before anybody can connect, every role has a password, and every connection needs it.
  const methods = ["local all all scram-sha-256", "host all all 127.0.0.1/32 scram-sha-256", ""];
  await writeFile(join(draft, "pg_hba.conf"), methods.join("\n"), { flush: durable });
  // Letters and digits only, so it needs no quoting. Each statement of a single-user server is one line.
  const statements = [
    `ALTER ROLE postgres PASSWORD '${password}'`,
    `CREATE ROLE ${databaseName} LOGIN PASSWORD '${password}'`,
    `CREATE DATABASE ${databaseName} OWNER ${databaseName}`,
  ];
  const settings = ["-c", "log_min_messages=warning", "-c", "exit_on_error=on"];
  await execute(
    command,
    binaries.postgres,
    ["--single", "-D", draft, ...settings, "postgres"],
    statements.map((statement) => `${statement}\n`).join(""),
  );
  await rename(draft, cluster);
}

/**
 * Whether there is a cluster. Throws if it was written by another major version, or the folder holds something else; nothing is
 * touched then.
 */
export async function clusterExists(cluster: string, binaries: Binaries): Promise<boolean> {
  const version = (await readIfAny(join(cluster, "PG_VERSION")))?.trim();
  if (version === String(binaries.majorVersion)) return true;
  if (version !== undefined) {
    throw new Error(
      `The database in ${cluster} was written by PostgreSQL ${version}, and this Ostiary comes with PostgreSQL ${binaries.majorVersion}. Nothing was changed. ` +
        `To upgrade: dump it with pg_dump while the Ostiary that wrote it is running, move the folder away, start this Ostiary once, and restore the dump into it`,
    );
  }
  const entries = await readdir(cluster).catch(orUndefined);
  if (entries !== undefined && entries.length > 0) {
    throw new Error(`${cluster} is not empty, and holds no PostgreSQL database`);
  }
  // An empty folder may have been made for it.
  await rm(cluster, { recursive: true, force: true });
  return false;
}

/**
 * The password of the embedded database: random, made with it, in a file that only we can read. It guards the
 * database even where others can reach its socket. Throws if there is a database and its password is gone.
 */
export async function databasePassword(dataDirectory: string, clusterExists: boolean): Promise<string> {
  const path = join(dataDirectory, "postgres-password");
  const known = (await readIfAny(path))?.trim();
  if (known) return known;
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

/** Runs one of PostgreSQL's programs to its end. Throws with what it said if it fails. */
async function execute(command: CommandMaker, file: string, args: readonly string[], input = "") {
  const made = command(file, args);
  const running = promisify(execFile)(made.file, made.args, {
    ...made.options,
    cwd: "/",
    env: cleanEnvironment,
  });
  // A program that ends before it has read its input says why on its output.
  running.child.stdin?.on("error", () => {});
  running.child.stdin?.end(input);
  await running.catch(({ stdout = "", stderr = "", message = "" }) => {
    const lines = `${stdout}\n${stderr}`.trim().split("\n");
    const reason = lines.find((line) => /error|FATAL|PANIC/i.test(line)) ?? lines.at(-1);
    throw new Error(`The embedded PostgreSQL could not be prepared: ${(reason || message).trim()}`);
  });
}

function readIfAny(path: string): Promise<string | undefined> {
  return readFile(path, "utf8").catch(orUndefined);
}

function orUndefined(error: NodeJS.ErrnoException): undefined {
  if (error.code !== "ENOENT") throw error;
}
