// docs/backup.md, followed with a PostgreSQL of the machine: its commands are those of the page.
import { execFile } from "node:child_process";
import { chown, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { postgresAccount } from "../../src/storage/embedded/account.ts";
import { freshEmail } from "../support/accounts.ts";
import { Caller, resultOf, tokenIn } from "../support/caller.ts";
import { isInstalled } from "../support/foreign.ts";
import { administer } from "../support/postgres.ts";
import { type ServerProcess, startServerProcess } from "../support/server-process.ts";

const run = promisify(execFile);
const [binaries = ""] = (
  await run("pg_config", ["--bindir"]).catch(() => ({ stdout: "/usr/lib/postgresql/15/bin" }))
).stdout.split("\n");
const installed = await isInstalled(join(binaries, "postgres"), ["--version"]);
const page = await readFile("docs/backup.md", "utf8");

describe.runIf(installed)("the page on backups (PostgreSQL of the machine)", { timeout: 180_000 }, () => {
  let folder: string;
  let account: { readonly uid: number; readonly gid: number } | undefined;
  let url: string;
  let server: ServerProcess;
  const running: string[] = [];
  const servers: ServerProcess[] = [];

  /** Runs commands as the account that PostgreSQL runs as. */
  async function shell(commands: string, env: Record<string, string> = {}): Promise<void> {
    await run("sh", ["-ec", commands], {
      cwd: folder,
      env: { PATH: `${binaries}:/usr/bin:/bin`, ...env },
      ...(account && { uid: account.uid, gid: account.gid }),
      timeout: 60_000,
    });
  }

  /** The commands of the page under a mark. */
  function commandsOf(mark: string): string {
    const block = new RegExp(`<!-- test: ${mark} -->\n\`\`\`\\w+\n([^]*?)\`\`\``).exec(page)?.[1];
    if (block === undefined) throw new Error(`the page has no commands called ${mark}`);
    return block;
  }

  /** Starts PostgreSQL on a data directory, and gives the URL of its superuser. */
  async function startPostgres(data: string): Promise<string> {
    const port = await freePort();
    const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=`;
    // It waits until the server takes connections, also after a recovery.
    await shell(`pg_ctl -w -t 60 -D '${data}' -l '${data}.log' -o '${options}' start`);
    running.push(data);
    return `postgresql://ostiary@127.0.0.1:${port}`;
  }

  const serve = async (database: string) => {
    const started = await startServerProcess([], {
      OSTIARY_DATABASE_URL: database,
      OSTIARY_SECRETS_SEALING: "a sealing secret that is kept apart",
      OSTIARY_DEV: "true",
      OSTIARY_TENANT_DEFAULTS_PASSWORD_ARGON2_MEMORY_KIB: "64",
      OSTIARY_TENANT_DEFAULTS_PASSWORD_ARGON2_ITERATIONS: "1",
    });
    servers.push(started);
    return started;
  };
  const registered = async (caller: Caller) => {
    const email = freshEmail();
    const answer = await caller.register(email);
    expect(resultOf(answer)).toBe("completed");
    return { email, token: tokenIn(answer) };
  };

  beforeAll(async () => {
    account = await postgresAccount();
    folder = await mkdtemp(join(tmpdir(), "ostiary-backup-"));
    await mkdir(join(folder, "backup", "log"), { recursive: true });
    for (const name of ["", "backup", "backup/log"]) {
      if (account !== undefined) await chown(join(folder, name), account.uid, account.gid);
    }
    const data = join(folder, "data");
    await shell(`initdb -D '${data}' -U ostiary --auth=trust --encoding=UTF8 --locale=C >/dev/null`);
    const settings = commandsOf("archive").replaceAll("/backup/", `${folder}/backup/`);
    await writeFile(join(folder, "settings"), settings);
    await shell(`cat settings >> '${data}/postgresql.conf'`);
    const base = await startPostgres(data);
    await shell("createdb ostiary", connection(base));
    url = `${base}/ostiary`;
    server = await serve(url);
  }, 120_000);

  afterAll(async () => {
    for (const each of servers) await each.end("SIGTERM");
    for (const data of running) await shell(`pg_ctl -D '${data}' -m immediate stop`);
    await rm(folder, { recursive: true });
  });

  test("a dump is restored with sessions, passwords and what waits, and without what came later", async () => {
    const caller = new Caller(server);
    const before = await registered(caller);
    await shell(commandsOf("dump"), { DATABASE_URL: url });
    const after = await registered(caller);
    const restored = url.replace(/ostiary$/, "ostiary_restored");
    const admin = url.replace(/ostiary$/, "postgres");
    await shell(commandsOf("restore"), { ADMIN_URL: admin, RESTORED_URL: restored });
    const again = new Caller(await serve(restored));
    expect((await again.check(before.token)).status).toBe(200);
    expect(resultOf(await again.logIn(before.email))).toBe("completed");
    expect(resultOf(await again.logIn(after.email))).toBe("rejected CREDENTIALS_INVALID");
    // Its own jobs are there again, without their schema in the dump.
    await vi.waitFor(
      async () =>
        expect(
          await administer(restored, (query) =>
            query("SELECT FROM pg_namespace WHERE nspname = 'graphile_worker'"),
          ),
        ).toHaveLength(1),
      { timeout: 30_000 },
    );
    // Who follows the events notices that these are not the continuation of what they have seen.
    expect(await epochOf(restored)).not.toEqual(await epochOf(url));
  });

  test("a moment before a mistake is restored from a base backup and the log", async () => {
    const caller = new Caller(server);
    const first = await registered(caller);
    const backup = join(folder, "backup");
    await shell(commandsOf("base backup"), { DATABASE_URL: url, BACKUP: backup });
    const second = await registered(caller);
    const [moment] = await administer(url, (query) =>
      query<{ now: string }>("SELECT clock_timestamp()::text AS now"),
    );
    // The mistake.
    await administer(url, (query) => query("DELETE FROM ostiary.identity"));
    expect(resultOf(await caller.logIn(first.email))).toBe("rejected CREDENTIALS_INVALID");
    const third = await registered(caller);
    await administer(url, (query) => query("SELECT pg_switch_wal()"));
    await vi.waitFor(
      async () =>
        expect(
          await administer(url, (query) =>
            query(`SELECT FROM pg_stat_archiver
              WHERE last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1) OR last_archived_time > now() - interval '1 minute'`),
          ),
        ).toHaveLength(1),
      { timeout: 30_000 },
    );
    const data = join(folder, "restored");
    await shell(commandsOf("point in time"), { BACKUP: backup, RESTORED: data, MOMENT: moment?.now ?? "" });
    const restored = `${await startPostgres(data)}/ostiary`;
    await vi.waitFor(
      async () =>
        expect(
          await administer(restored, (query) => query("SELECT pg_is_in_recovery() AS is_recovering")),
        ).toEqual([{ is_recovering: false }]),
      { timeout: 60_000 },
    );
    const again = new Caller(await serve(restored));
    for (const { email, token } of [first, second]) {
      expect((await again.check(token)).status).toBe(200);
      expect(resultOf(await again.logIn(email))).toBe("completed");
    }
    expect(resultOf(await again.logIn(third.email))).toBe("rejected CREDENTIALS_INVALID");
    // What was seen after that moment is no part of this history.
    expect(await epochOf(restored)).not.toEqual(await epochOf(url));
  });
});

/** The epoch of the event log. */
function epochOf(database: string) {
  return administer(database, (query) => query<{ epoch: string }>("SELECT epoch FROM ostiary.event_epoch"));
}

/** The variables by which PostgreSQL's programs find a server. */
function connection(base: string): Record<string, string> {
  const { hostname, port, username } = new URL(base);
  return { PGHOST: hostname, PGPORT: port, PGUSER: username };
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === "string") throw new Error("there is no free port");
  return address.port;
}
