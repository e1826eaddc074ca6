import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chown, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { vi } from "vitest";
import { cleanEnvironment, commandsAs, postgresAccount } from "../../src/storage/embedded/account.ts";
import { findBinaries } from "../../src/storage/embedded/binaries.ts";
import { giveTo } from "../../src/storage/embedded/cluster.ts";
import { administer } from "./postgres.ts";

/** A PostgreSQL and its standby, which has every write before it is acknowledged. */
export interface ReplicatedPostgres {
  readonly primaryUrl: string;
  readonly standbyUrl: string;
  /** Kills the primary, as when its machine loses power. */
  killPrimary(): Promise<void>;
  /** Makes the standby the primary, and waits until it takes writes. */
  promote(): Promise<void>;
  stop(): Promise<void>;
}

const patience = { timeout: 30_000, interval: 20 };

/** Starts both, with synchronous streaming replication. The data is that of one and the same new cluster. */
export async function startReplicatedPostgres(): Promise<ReplicatedPostgres> {
  const [binaries, account] = await Promise.all([findBinaries(), postgresAccount()]);
  const directory = await mkdtemp(join(tmpdir(), "ostiary-replicated-"));
  if (account) await chown(directory, account.uid, account.gid);
  const [first, second] = [join(directory, "first"), join(directory, "second")];
  await mkdir(first, { mode: 0o700 });
  await giveTo(account, first);
  const command = await commandsAs(account, [directory, binaries.directory]);
  const initial = [
    "-D",
    first,
    "-U",
    "postgres",
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
  ];
  const made = command(binaries.initdb, initial);
  await promisify(execFile)(made.file, made.args, { ...made.options, cwd: "/", env: cleanEnvironment });
  const ports = [await freePort(), await freePort()] as const;
  // A cluster that was never started is as good as a base backup.
  await cp(first, second, { recursive: true });
  await writeFile(join(second, "standby.signal"), "");
  await giveTo(account, second);

  const start = (data: string, port: number, settings: Readonly<Record<string, string>>): ChildProcess => {
    const all = {
      listen_addresses: "127.0.0.1",
      port: String(port),
      unix_socket_directories: "",
      wal_keep_size: "256MB",
      // The machine does not fail, only its processes.
      fsync: "off",
      ...settings,
    };
    const parameters = Object.entries(all).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const { file, args, options } = command(binaries.postgres, ["-D", data, ...parameters]);
    return spawn(file, args, { ...options, cwd: "/", env: cleanEnvironment, stdio: "ignore" });
  };
  const primary = start(first, ports[0], { synchronous_standby_names: "*" });
  const primaryUrl = `postgresql://postgres@127.0.0.1:${ports[0]}/postgres`;
  const standby = start(second, ports[1], {
    primary_conninfo: `host=127.0.0.1 port=${ports[0]} user=postgres`,
    wal_retrieve_retry_interval: "100ms",
  });
  const standbyUrl = `postgresql://postgres@127.0.0.1:${ports[1]}/postgres`;
  await vi.waitUntil(
    () =>
      administer(primaryUrl, async (query) => {
        const rows = await query("SELECT FROM pg_stat_replication WHERE sync_state = 'sync'");
        return rows.length === 1;
      }).catch(() => false),
    patience,
  );
  const kill = async (child: ChildProcess) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  };
  return {
    primaryUrl,
    standbyUrl,
    killPrimary: () => kill(primary),
    promote: async () => {
      await administer(standbyUrl, (query) => query("SELECT pg_promote()"));
    },
    stop: async () => {
      await kill(primary);
      await kill(standby);
      // Their processes end by themselves when they see it, and may still write meanwhile.
      await rm(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
