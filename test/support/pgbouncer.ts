import { spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { type AddressInfo, connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Client } from "pg";
import { postgresAccount } from "../../src/storage/embedded/account.ts";

/** A running PgBouncer. */
export interface PgBouncer {
  /** The URL of the database by way of it. */
  readonly url: string;
  stop(): Promise<void>;
}

/** The name of its program: Debian has it outside the path of an ordinary user. */
export const pgBouncerProgram = process.env.OSTIARY_TEST_PGBOUNCER ?? "/usr/sbin/pgbouncer";

/** Starts a PgBouncer as it is installed, in front of a database; `settings` are lines of its configuration. */
export async function startPgBouncer(
  databaseUrl: string,
  settings: Readonly<Record<string, string | number>>,
): Promise<PgBouncer> {
  const { host, port, database, user } = new Client({ connectionString: databaseUrl });
  const password = decodeURIComponent(new URL(databaseUrl).password);
  const directory = await mkdtemp(join(tmpdir(), "ostiary-pgbouncer-"));
  const ownPort = await freePort();
  const users = join(directory, "users");
  const file = join(directory, "pgbouncer.ini");
  await writeFile(users, `"${user}" "${password}"\n`);
  await writeFile(
    file,
    [
      "[databases]",
      `${database} = host=${host} port=${port} dbname=${database} user=${user} password='${password}'`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${ownPort}`,
      "unix_socket_dir =",
      "auth_type = trust",
      `auth_file = ${users}`,
      ...Object.entries(settings).map(([name, value]) => `${name} = ${value}`),
      "",
    ].join("\n"),
  );
  // It refuses to run as root.
  const account = await postgresAccount();
  if (account !== undefined)
    for (const path of [directory, users, file]) await chown(path, account.uid, account.gid);
  const child = spawn(pgBouncerProgram, [file], {
    stdio: ["ignore", "ignore", "pipe"],
    ...(account === undefined ? {} : { uid: account.uid, gid: account.gid }),
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += String(chunk);
  });
  const exited = once(child, "exit");
  while (!(await accepts(ownPort))) {
    if (child.exitCode !== null) throw new Error(`PgBouncer ended: ${said}`);
    await delay(20);
  }
  const url = new URL(databaseUrl);
  url.search = "";
  url.host = `127.0.0.1:${ownPort}`;
  return {
    url: url.href,
    stop: async () => {
      child.kill("SIGKILL");
      await exited;
      await rm(directory, { recursive: true, force: true });
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

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
